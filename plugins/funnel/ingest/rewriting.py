"""Rewriting: gives a landed read other bodies, or another encryption, in one move.

New files are written beside the old ones, under names of their own; the manifest that lists them replaces the old one
by a rename; then the old files are removed. A process that was killed leaves a read that is whole, before or after, and
files that it does not list, which the next rewriting removes. Loads must not run meanwhile (`ledger.BUILD_LOCK`): one
that has read the old manifest would miss its files.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from funnel.ingest import encryption, landed_files, landing
from funnel.ingest.landed_files import LandedFile
from funnel.ingest.landing import LandedRead

_MARK = re.compile(r"\.r[0-9a-f]{8}")


def rewrite(landed: LandedRead, change: Callable[[bytes], bytes]) -> LandedRead:
    """Replace each body by `change(body)`, which returns the body itself where nothing changes; files that are not
    encrypted with the current key are written again too. Returns the read as it is afterwards, which is `landed` if
    nothing differs. Raises LandingError for a damaged read, which stays as it is.
    """
    folder = landing.root() / landed.path
    mark = f".r{uuid.uuid4().hex[:8]}"
    files: list[LandedFile] = []
    size = 0
    try:
        for file, body in zip(landed.files, landed.bodies(), strict=True):
            changed = change(body)
            size += len(changed)
            if changed is body and file.sha256 is not None and _is_current(folder / file.name):
                files.append(file)
                continue
            stem = _MARK.sub("", file.name).partition(".")[0]
            suffix, content = landed_files.compressed(changed)
            files.append(landed_files.write(folder / f"{stem}{mark}.{suffix}", content))
        if tuple(files) == landed.files:
            return landed
        rewritten = replace(landed, files=tuple(files), size=size)
        landing.write_manifest(rewritten)
        return rewritten
    finally:
        remove_leftovers(landing.read_manifest(landed.path))


def remove_leftovers(landed: LandedRead) -> int:
    """Remove files that a rewriting made or replaced and that the manifest does not list; returns their number."""
    listed = {file.name for file in landed.files}
    found = [path for path in (landing.root() / landed.path).iterdir() if path.name not in listed]
    left = [one for one in found if one.name == landing.UNFINISHED or landed_files.number_of(one.name) is not None]
    for path in left:
        path.unlink()
    return len(left)


def _is_current(path: Path) -> bool:
    with path.open("rb") as file:
        return encryption.is_current(file.read(encryption.HEADER))
