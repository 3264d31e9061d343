"""From a vendor's bodies to lines of PostgreSQL's COPY text format, with a reason for every unreadable row.

Two ways give the same lines. Bodies of plain streams are decoded straight into typed objects (msgspec), which neither
builds dictionaries nor looks at a field twice. Bodies with an undeclared field, a wrong type or a text that needs
escaping are processed record by record, which keeps undeclared fields and gives the column and the reason of an
unreadable row (ING-4).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import count
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import msgspec

from funnel.contract import Column, Source, Stream, Window
from funnel.ingest import typed_bodies
from funnel.ingest.errors import Unreadable
from funnel.ingest.privacy import email_key, id_key, keyed_hash, normalise_email
from funnel.ingest.values import CONVERT, ESCAPES, NULL, as_text, clean, identifier, listed, text
from funnel.rest.bodies import Misfit, kind
from funnel.rest.errors import BodyError, UnreadableBody

# The most undeclared fields that a load names: enough to see which, without a list of 100,000.
MOST_NEW_FIELDS, LONGEST_NAME = 500, 200
LINES_AT_ONCE = 5_000


@dataclass(frozen=True)
class Conflicts:
    """The number of keys of a read with different rows, and for the first ones: hashed key, day, the measures of each
    row.
    """

    keys: int = 0
    first: tuple[dict[str, Any], ...] = ()


@dataclass
class Tally:
    """Counts of the rows of one read. `unreadable` holds COPY lines of (key, payload, column, reason).

    For an inbox, `files` holds the result of each file, `columns` the raw columns that they fill, `exports` the
    complete ones (`funnel.ingest.replacement`), and unreadable rows also have their file and line.
    """

    readable: int = 0
    quarantined: int = 0
    conflicts: Conflicts = Conflicts()
    new_fields: set[str] = field(default_factory=set)
    # (column, what was done to its value) of repaired or omitted values of readable rows.
    noted: Counter[tuple[str, str]] = field(default_factory=Counter)
    files: list[dict[str, Any]] = field(default_factory=list)
    exports: list[Any] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)
    # The accounts that the rows name; None if only the copied rows show them.
    accounts: set[str | None] | None = field(default_factory=set)
    unreadable: IO[str] = field(
        default_factory=lambda: SpooledTemporaryFile(8_000_000, "w+", encoding="utf-8")  # noqa: SIM115 - ends with the tally
    )


def raw_columns(stream: Stream) -> tuple[tuple[str, str], ...]:
    """(name, PostgreSQL type) of the declared columns of the raw table, in the order of the COPY lines."""
    columns = tuple(pair for column in stream.columns for pair in column.raw_columns)
    return (*columns, ("_record_key", "text")) if stream.person else columns


# Record by record ---------------------------------------------------------------------------------------------------


def _lookup(record: dict[str, Any], steps: tuple[str, ...]) -> Any:
    value: Any = record
    for step in steps:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _declared_tree(stream: Stream) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in (*(column.path for column in stream.columns), *stream.ignored):
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node.setdefault(leaf, None)
    return tree


def _undeclared(record: dict[str, Any], tree: dict[str, Any], prefix: str, found: set[str]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for name, value in record.items():
        if name not in tree:
            extra[name] = value
            if len(found) < MOST_NEW_FIELDS:
                found.add(clean(prefix + name, set(), "\ufffd")[:LONGEST_NAME])
        elif isinstance(subtree := tree[name], dict) and isinstance(value, dict):
            below = _undeclared(value, subtree, f"{prefix}{name}.", found)
            if below:
                extra[name] = below
    return extra


@dataclass(frozen=True)
class _Step:
    """How one declared column is filled: its path, its converter, and the effect of an unreadable value."""

    column: Column
    path: tuple[str, ...]
    to_text: Callable[[Any, set[str]], str] | None
    costs_row: bool
    keeps_empty: bool


def _plan(stream: Stream) -> list[_Step]:
    steps = []
    for column in stream.columns:
        is_id = column.type == "text" and stream.is_id(column)
        steps.append(
            _Step(
                column=column,
                path=tuple(column.path.split(".")),
                to_text=identifier if is_id else _converter(stream, column),
                costs_row=stream.costs_row(column),
                keeps_empty=column.free_text,
            )
        )
    return steps


def _converter(stream: Stream, column: Column) -> Callable[[Any, set[str]], str] | None:
    if column.holds is None:
        return CONVERT.get(column.type)
    costs_row = stream.costs_row(column)
    return partial(listed, holds=column.holds, costs_row=costs_row, counted_by=column.counted_by)


def convert(stream: Stream, window: Window, secret: bytes, identity: str) -> Callable[[Any, Tally], list[str]]:
    """A function from one record to the COPY fields of its raw row, `_extra` last. The function raises Unreadable.

    `identity` is `<source>:<connection>:<stream>`, which makes a vendor id unique before it is hashed. A dated row of a
    day that was not requested is unreadable: a read replaces only its own days, so the row would stay forever.
    """
    asked = {day.isoformat() for day in window.days}
    tree = _declared_tree(stream)
    plan = _plan(stream)
    key_positions = [next(i for i, column in enumerate(stream.columns) if column.name == name) for name in stream.key]

    def to_fields(record: Any, tally: Tally) -> list[str]:
        if isinstance(record, Misfit):
            raise Unreadable(record.reason)
        if not isinstance(record, dict):
            raise Unreadable(f"the record is {kind(record)}, not an object")
        fields: list[str] = []
        positions: list[int] = []
        odd: list[tuple[str, str]] = []
        for step in plan:
            positions.append(len(fields))
            fields.extend(_fields_of(step, _lookup(record, step.path), secret, odd))
            if step.column.name == stream.day and fields[-1] not in asked:
                raise Unreadable(f"is {fields[-1]}, outside the requested days", step.column.name)
        if stream.person:
            vendor_id = ":".join(fields[positions[i]] for i in key_positions)
            fields.append(id_key(secret, identity, vendor_id))
        extra = _undeclared(record, tree, "", tally.new_fields)
        notes: set[str] = set()
        fields.append(as_text(extra, notes).translate(ESCAPES) if extra else NULL)
        tally.noted.update(odd)
        tally.noted.update(("_extra", note) for note in notes)
        return fields

    return to_fields


def _fields_of(step: _Step, value: Any, secret: bytes, odd: list[tuple[str, str]]) -> tuple[str, ...]:
    """The COPY fields of one declared column. The step decides what an unreadable value costs."""
    column = step.column
    if value == "" and not step.keeps_empty:
        # Vendors write an empty text for an empty field. As a key it would join records, as a code it would name
        # something.
        value = None
    if value is None:
        if column.required:
            raise Unreadable("is required, but missing, null or empty", column.name)
        return (NULL,) * len(column.raw_columns)
    notes: set[str] = set()
    try:
        if step.to_text is None:
            made = _address(value, secret, notes)
        else:
            made = (step.to_text(value, notes).translate(ESCAPES),)
    except Unreadable as error:
        if step.costs_row:
            raise Unreadable(error.reason, column.name) from None
        odd.append((column.name, f"left out: {error.reason}"))
        return (NULL,) * len(column.raw_columns)
    odd.extend((column.name, note) for note in notes)
    return made


def _address(value: Any, secret: bytes, notes: set[str]) -> tuple[str, ...]:
    """Hash and domain of an e-mail address; nulls for a text that is not an address, such as "n/a"."""
    address = normalise_email(text(value, notes))
    if address is None:
        return (NULL, NULL)
    return (email_key(secret, address), address.rpartition("@")[2].translate(ESCAPES))


# Whole bodies -------------------------------------------------------------------------------------------------------


def lines(
    source: Source,
    stream: Stream,
    connection_id: str,
    window: Window,
    bodies: Iterable[bytes],
    secret: bytes,
    tail: str,
    tally: Tally,
    *,
    carefully: bool = False,
) -> Iterator[str]:
    """COPY text of all readable rows, one body at a time; `tail` ends each line. `tally` counts the rows.

    Raises BodyError for an unreadable body. `carefully` reads every record by itself: PostgreSQL has refused a line of
    the fast way, and its row must be repaired or quarantined.
    """
    fast = None if carefully else typed_bodies.decoder(source, stream)
    asked = set(window.days)
    to_fields = convert(stream, window, secret, f"{source.name}:{connection_id}:{stream.name}")
    for number, body in enumerate(bodies):
        text = _fast_lines(source, fast, body, asked, tail, tally) if fast else None
        if text is None:
            yield from _careful_lines(source, stream, number, body, to_fields, secret, tail, tally)
        else:
            yield text


def _fast_lines(source: Source, fast: Any, body: bytes, asked: set[date], tail: str, tally: Tally) -> str | None:
    """The lines of a body without irregularities; None for any other body."""
    # In JSON, the characters that COPY escapes occur only after a backslash.
    if b"\\" in body:
        return None
    decoder, days_of, accounts_of, to_lines = fast
    try:
        decoded = decoder.decode(body)
        if not days_of(decoded) <= asked:
            return None
        text: str = to_lines(decoded, tail)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    # Decimal and PostgreSQL accept NaN and Infinity; we reject them.
    if typed_bodies.ODD in text or "NaN" in text or "Infinity" in text:
        return None
    tally.readable += len(getattr(decoded, source.envelope or ""))
    if tally.accounts is not None:
        tally.accounts |= accounts_of(decoded)
    return text


def _careful_lines(
    source: Source,
    stream: Stream,
    number: int,
    body: bytes,
    to_fields: Callable[[Any, Tally], list[str]],
    secret: bytes,
    tail: str,
    tally: Tally,
) -> Iterator[str]:
    """The lines of one body, in blocks of some thousand records: a report is one body, however long it is."""
    tally.accounts = None
    readable: list[str] = []
    for record in _records(source, stream, number, body):
        if len(readable) == LINES_AT_ONCE:
            tally.readable += LINES_AT_ONCE
            yield "".join(readable)
            readable.clear()
        try:
            readable.append("\t".join(to_fields(record, tally)) + tail)
        except Unreadable as error:
            _set_aside(stream, record, error, secret, tally)
    tally.readable += len(readable)
    yield "".join(readable)


def _records(source: Source, stream: Stream, number: int, body: bytes) -> Iterator[Any]:
    """The records of one body. Any error of the connector becomes a BodyError with the place."""
    records = source.records(stream, body)
    for read in count(1):
        try:
            record = next(records)
        except StopIteration:
            return
        except UnreadableBody as error:
            raise BodyError(number, f"record {read}: the body {error}") from None
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            raise BodyError(
                number, f"record {read}: the body has another form than the connector knows ({error})"
            ) from error
        yield record


def _set_aside(stream: Stream, record: Any, error: Unreadable, secret: bytes, tally: Tally) -> None:
    """Write a row for quarantine: hashes of key and content, column, reason, content."""
    tally.quarantined += 1
    payload = as_text(record.content if isinstance(record, Misfit) else record, set())
    fields = (
        keyed_hash(secret, clean(_key_of(stream, record), set())),
        keyed_hash(secret, payload),
        NULL if error.column is None else error.column,
        error.reason,
        payload,
    )
    tally.unreadable.write("\t".join(text if text == NULL else text.translate(ESCAPES) for text in fields) + "\n")


def _key_of(stream: Stream, record: Any) -> str:
    paths = {column.name: column.path for column in stream.columns}
    if not isinstance(record, dict):
        return "?"
    return ":".join(str(_lookup(record, tuple(paths[name].split(".")))) for name in stream.key)
