"""The cache of chart data, which a publication invalidates automatically (DSH-3).

Every entry belongs to the publication in effect when its query was sent. After another publication or a roll-back, no
server and no process reads the older entries, and their files are deleted. So publishing does not need Superset and
cannot fail because Superset is down; and a query that was running during a publication is never kept under the new
one's number. Within a publication an entry belongs to the login that read it, so that users of the same regions and
dashboards share their entries, and other users never see them.

Where the warehouse does not answer, nothing is kept and nothing is found.
"""

import shutil
import threading
from pathlib import Path
from typing import Any

import reader_connection
from flask import Flask
from flask_caching.backends.base import BaseCache
from flask_caching.backends.filesystemcache import FileSystemCache
from publication_in_effect import publication_in_effect


class PublicationCache(BaseCache):
    """One folder of files for each publication; all folders but that of the current one are deleted."""

    def __init__(self, folder: str, threshold: int, default_timeout: int) -> None:
        super().__init__(default_timeout)
        self.folder = Path(folder)
        self.threshold = threshold
        self._lock = threading.Lock()
        self._kept: tuple[int, FileSystemCache] | None = None

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> "PublicationCache":
        """Called by flask_caching with the settings of DATA_CACHE_CONFIG."""
        return cls(config["CACHE_DIR"], config["CACHE_THRESHOLD"], kwargs["default_timeout"])

    def get(self, key: str) -> Any:
        """The value of a key; None if there is none or the warehouse does not answer."""
        entries = self._entries()
        return entries.get(_own(key)) if entries else None

    def set(self, key: str, value: Any, timeout: int | None = None) -> bool | None:
        """Store a value; false if the warehouse does not answer."""
        entries = self._entries()
        return entries.set(_own(key), value, timeout) if entries else False

    def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        """Store a value unless the key exists; false if it does or the warehouse does not answer."""
        entries = self._entries()
        return entries.add(_own(key), value, timeout) if entries else False

    def has(self, key: str) -> bool:
        """True if the key exists."""
        entries = self._entries()
        return entries.has(_own(key)) if entries else False

    def delete(self, key: str) -> bool:
        """Delete a key; true if it existed."""
        entries = self._entries()
        return entries.delete(_own(key)) if entries else False

    def clear(self) -> bool:
        """Delete all entries of all publications."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._kept = None
        return True

    def _entries(self) -> FileSystemCache | None:
        found = publication_in_effect()
        if found is None:
            return None
        publication, _ = found
        with self._lock:
            if self._kept is None or self._kept[0] != publication or not self._folder_of(publication).exists():
                self._kept = (publication, self._open(publication))
            return self._kept[1]

    def _open(self, publication: int) -> FileSystemCache:
        place = self._folder_of(publication)
        for other in self.folder.glob("*"):
            if other != place:
                shutil.rmtree(other, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        return FileSystemCache(str(place), threshold=self.threshold, default_timeout=self.default_timeout)

    def _folder_of(self, publication: int) -> Path:
        return self.folder / str(publication)


def _own(key: str) -> str:
    """The key of an entry for the login of this request."""
    from superset import security_manager

    return f"{reader_connection.current_login(security_manager)}:{key}"
