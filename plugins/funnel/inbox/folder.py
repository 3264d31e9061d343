"""The inbox: a local folder or one on object storage, its manifests, and the files that each of them matches.

Any file system of fsspec can hold an inbox; inside Airflow, ObjectStoragePath supplies the file system with its
credentials.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any
from urllib.parse import urlsplit

from funnel.inbox.errors import ManifestError, Vanished
from funnel.inbox.intake import file_order
from funnel.inbox.manifest import Manifest, StreamSpec, is_manifest, matches, parse

_MANIFESTS = (".yml", ".yaml")
# Temporary names that programs use while they write.
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart", "~")
SPOOLED_BYTES = 8 << 20


@dataclass(frozen=True)
class Folder:
    """An inbox on a file system of fsspec."""

    filesystem: Any
    root: str

    def read(self, path: str) -> bytes:
        """The content of a file, by its path below the inbox."""
        content: bytes = self.filesystem.cat_file(f"{self.root}/{path}")
        return content


@dataclass(frozen=True)
class FileInfo:
    """One file as listed in the inbox. `path` is relative to the inbox and valid text; `place` is the name used to open
    the file, because file systems accept names that are not UTF-8.
    """

    path: str
    size: int
    modified_at: datetime | None
    place: str


def open_folder(url: str, filesystem: Any = None) -> Folder:
    """The inbox at a path or URL. Raises ManifestError if there is no such folder."""
    import fsspec

    if filesystem is not None:
        # In the form in which the file system lists its own names.
        folder = Folder(filesystem, str(filesystem._strip_protocol(url)).rstrip("/"))
    else:
        found, root = fsspec.core.url_to_fs(url)
        folder = Folder(found, root.rstrip("/"))
    if not folder.filesystem.isdir(folder.root):
        raise ManifestError(
            f"There is no folder {url}. FUNNEL_INBOX (or INBOX=, DIR=) names the folder of the manifests."
        )
    return folder


def is_remote(url: str) -> bool:
    """True if an inbox is named by a URL instead of a local path."""
    return "://" in url and urlsplit(url).scheme != "file"


def listed(folder: Folder) -> Iterator[FileInfo]:
    """All completely written files below the inbox, by name."""
    details = folder.filesystem.find(folder.root, detail=True)
    for full, info in sorted(details.items()):
        path = full.removeprefix(folder.root).lstrip("/")
        name = path.rpartition("/")[2]
        hidden = any(part.startswith((".", "~$", "__MACOSX")) for part in path.split("/"))
        if info.get("type") != "file" or hidden or name.endswith(_UNFINISHED):
            continue
        text = path.encode("utf-8", "backslashreplace").decode()
        yield FileInfo(text, int(info.get("size") or 0), _moment(info), path)


def _moment(info: dict[str, Any]) -> datetime | None:
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = info.get(name)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            try:
                parsed = datetime.fromisoformat(value)
            except ValueError:
                continue
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return None


def find_manifests(folder: Folder, reserved: frozenset[str]) -> tuple[list[Manifest], list[ManifestError]]:
    """(all usable manifests below the inbox, the ManifestError of each unusable one)."""
    found: dict[str, Manifest] = {}
    wrong: list[ManifestError] = []
    for info in listed(folder):
        if not info.path.endswith(_MANIFESTS):
            continue
        text = folder.read(info.place)
        if not is_manifest(text):
            continue
        try:
            one = parse(text, info.path, reserved)
            if one.source in found:
                raise ManifestError(
                    f"{one.path}: source {one.source!r} is described by {found[one.source].path} already; one manifest "
                    "describes one source."
                )
            found[one.source] = one
        except ManifestError as error:
            wrong.append(error)
    return list(found.values()), wrong


def files_of(folder: Folder, manifest: Manifest, spec: StreamSpec) -> list[FileInfo]:
    """The files that a stream of a manifest matches, the oldest first: the later of two files with the
    same row counts.
    """
    below = manifest.path.rpartition("/")[0]
    start = f"{below}/" if below else ""
    chosen = [
        info
        for info in listed(folder)
        if info.path.startswith(start)
        and matches(info.path[len(start) :], spec.path)
        and not info.path.endswith(_MANIFESTS)
    ]
    return sorted(chosen, key=lambda info: file_order(info.path, info.modified_at, spec.newest_by))


@contextmanager
def fetched(folder: Folder, info: FileInfo) -> Iterator[IO[bytes]]:
    """A file that can be read several times: opened in place, or copied from remote storage first. Raises Vanished."""
    import shutil
    import tempfile

    full = f"{folder.root}/{info.place}"
    try:
        with folder.filesystem.open(full, "rb") as source:
            if "file" in _protocols(folder.filesystem):
                yield source
            else:
                with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
                    yield copy  # type: ignore[misc]
    except FileNotFoundError:
        raise Vanished(f"{info.path} was listed but no longer exists; the next run reads what is there then.") from None


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
