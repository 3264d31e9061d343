"""How one file is laid out: its content without compression, its headers and a reader of its blocks."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from funnel.inbox.blocks import Block, Refused


class Vanished(Exception):
    """A file was listed and is gone, or changes while it is read. The next run finds it as it is then."""


Reader = Callable[[IO[bytes], set[str] | None], Iterator[Block]]


@dataclass(frozen=True)
class Layout:
    """How one file is to be read: headers, a reader for them, and what is known of its signs."""

    headers: tuple[str, ...]
    read: Reader
    settings: dict[str, Any]
    has_types: bool = False


@contextmanager
def opened(source: IO[bytes], path: str) -> Iterator[IO[bytes]]:
    """The file's content, decompressed when it is gzip, whatever its name says."""
    source.seek(0)
    is_gzip = source.read(2) == b"\x1f\x8b"
    source.seek(0)
    file: IO[bytes] = gzip.GzipFile(fileobj=source) if is_gzip else source  # type: ignore[assignment]
    try:
        yield file
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise Refused("the compressed file is cut short or damaged; send it again") from None
