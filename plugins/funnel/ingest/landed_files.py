"""The files of a landed read: how a body is compressed, encrypted and flushed to disk, and verified when it is read.

Bodies are stored as zstd, `000001.json.zst`, and Arrow tables, which are compressed inside, unchanged, `000001.arrow`;
both are encrypted (`funnel.ingest.encryption`). A file that a rewriting made has its mark, `000001.r1a2b3c4d.json.zst`.
Files of earlier releases are not encrypted; they are read as they are.
"""

import errno
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import zstandard

from funnel.ingest import encryption
from funnel.ingest.errors import OtherKey, Undecipherable, damaged, other_key, unreadable

# The first bytes of an Arrow stream; no text begins with them.
ARROW = b"\xff\xff\xff\xff"
_NUMBER = re.compile(r"(\d{6,})(\.r[0-9a-f]{8})?\.(json\.zst|arrow)")


@dataclass(frozen=True)
class LandedFile:
    """One body on disk. Size and hash, of the file as stored, are None for reads landed by an earlier release, which
    did not record them.
    """

    name: str
    size: int | None = None
    sha256: str | None = None


def compressed(body: bytes) -> tuple[str, bytes]:
    """The suffix of the file of a body, and its content before encryption."""
    if body.startswith(ARROW):
        return "arrow", body
    return "json.zst", zstandard.ZstdCompressor(level=1, write_checksum=True).compress(body)


def write(path: Path, content: bytes) -> LandedFile:
    """Write a file, encrypted. It is on disk when this returns."""
    size, digest = 0, hashlib.sha256()
    with open(path, "wb") as file:
        for chunk in encryption.encrypted(content):
            size += file.write(chunk)
            digest.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    return LandedFile(path.name, size, digest.hexdigest())


def read(root: Path, folder: str, file: LandedFile, most: int) -> bytes:
    """One body, of at most this length. Its file is read once. Raises LandingError."""
    content = read_content(root, folder, file)
    if not file.name.endswith(".zst"):
        return content
    try:
        if zstandard.frame_content_size(content) > most:
            raise zstandard.ZstdError("it is longer than stated in the manifest")
        return zstandard.ZstdDecompressor().decompress(content)
    except zstandard.ZstdError as error:
        raise damaged(folder, file.name, f"cannot be unpacked ({error})") from error


def read_content(root: Path, folder: str, file: LandedFile) -> bytes:
    """The content of a file before encryption, verified. Raises LandingError."""
    try:
        stored = (root / folder / file.name).read_bytes()
    except OSError as error:
        raise unreadable(folder, file.name, error) from error
    if file.sha256 is not None and hashlib.sha256(stored).hexdigest() != file.sha256:
        raise damaged(folder, file.name, "is altered: its SHA-256 differs from the landed one")
    if not encryption.is_encrypted(stored):
        return stored
    try:
        return encryption.decrypted(stored)
    except OtherKey as error:
        raise other_key(folder, file.name, str(error)) from None
    except Undecipherable as error:
        raise damaged(folder, file.name, str(error)) from None


def number_of(name: str) -> int | None:
    """The number of a body by its file's name; None for a name that no body has."""
    match = _NUMBER.fullmatch(name)
    return int(match[1]) if match else None


def write_through(path: Path, content: bytes) -> None:
    """Write a file that is on disk when this returns."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk. Network file systems that do not support this say so and do
    it themselves.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
