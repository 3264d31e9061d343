"""The same landed rows made with two person keys: whatever differs is a hash."""

from collections.abc import Iterator

from funnel.contract import Source, Stream
from funnel.ingest import arrow_rows, json_rows
from funnel.ingest.errors import LandingError
from funnel.ingest.landing import LandedRead
from funnel.rest.errors import BodyError
from funnel.sources import SOURCES


def pairs_of(read: LandedRead, old: bytes, new: bytes) -> Iterator[tuple[str, str]]:
    """(hash with the key `old`, hash with `new`) of everything that is hashed of a read. Raises LandingError."""
    source = SOURCES[read.source]
    stream = source.stream(read.stream)
    for body in _bodies(read, source):
        tallies = json_rows.Tally(), json_rows.Tally()
        if source.is_inbox:
            yield from _of_tables(stream, read, body, (old, new), tallies)
        else:
            yield from _of_records(source, stream, read, body, (old, new), tallies)
        for tally in tallies:
            tally.unreadable.seek(0)
        for before, after in zip(tallies[0].unreadable, tallies[1].unreadable, strict=True):
            yield from _differences(before, after)


def _bodies(read: LandedRead, source: Source) -> Iterator[list[bytes]]:
    """Each body by itself; those of a file of an inbox together, since the first one describes the others."""
    if source.is_inbox:
        yield list(read.bodies())
    else:
        yield from ([body] for body in read.bodies())


def _of_records(
    source: Source,
    stream: Stream,
    read: LandedRead,
    body: list[bytes],
    secrets: tuple[bytes, bytes],
    tallies: tuple[json_rows.Tally, json_rows.Tally],
) -> Iterator[tuple[str, str]]:
    made = [
        json_rows.lines(source, stream, read.connection_id, read.window, body, secret, "\n", tally, carefully=True)
        for secret, tally in zip(secrets, tallies, strict=True)
    ]
    try:
        for before, after in zip(*made, strict=True):
            yield from _differences(before, after)
    except BodyError as error:
        raise LandingError(f"{read.path} cannot be read: {error.reason}") from error


def _of_tables(
    stream: Stream,
    read: LandedRead,
    body: list[bytes],
    secrets: tuple[bytes, bytes],
    tallies: tuple[json_rows.Tally, json_rows.Tally],
) -> Iterator[tuple[str, str]]:
    made = [
        arrow_rows.batches(stream, read, body, 0, secret, tally) for secret, tally in zip(secrets, tallies, strict=True)
    ]
    for (_, before), (_, after) in zip(*made, strict=True):
        for name in before.schema.names:
            if not before.column(name).equals(after.column(name)):
                cells = zip(before.column(name).to_pylist(), after.column(name).to_pylist(), strict=True)
                yield from ((one, other) for one, other in cells if one != other)


def _differences(before: str, after: str) -> Iterator[tuple[str, str]]:
    """The fields in which two texts of COPY lines differ."""
    if before != after:
        for one, other in zip(before.split("\n"), after.split("\n"), strict=True):
            if one != other:
                fields = zip(one.split("\t"), other.split("\t"), strict=True)
                yield from ((field, made) for field, made in fields if field != made)
