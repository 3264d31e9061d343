"""From a vendor's bodies to lines of PostgreSQL's COPY text format, with a reason for every row that cannot be read.

Two ways give the same lines. Bodies of plain streams are decoded straight into typed objects (msgspec), which neither
builds dictionaries nor looks at a field twice. Whatever that refuses, be it an undeclared field, a wrong type or a text
that needs escaping, goes record by record through the second way, which keeps undeclared fields and names the column
and the reason of an unreadable row.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any

import msgspec
import orjson

from funnel.contract import Source, Stream, Window
from funnel.privacy import keyed_hash, normalise_email

NULL = "\\N"
LINES_AT_ONCE = 5_000
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
# Between the tokens of a JSON text line ends and tabs are mere layout.
_SPACES = bytes.maketrans(b"\t\n\r", b"   ")
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_FAST_TYPES: dict[str, Any] = {"text": str, "bigint": _INT64, "numeric": Decimal, "date": date, "jsonb": msgspec.Raw}


class Unreadable(Exception):
    """A value that its column cannot take: the reason, and the column once it is known."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


@dataclass
class Tally:
    """What happened to the rows of one read. `unreadable` holds COPY lines of (key, payload, column, reason).

    Of an inbox, `files` says what became of each file, `columns` which raw columns they fill, `exports` holds the
    complete ones (`funnel.replacement`), and unreadable rows also say their file and line.
    """

    readable: int = 0
    quarantined: int = 0
    new_fields: set[str] = field(default_factory=set)
    files: list[dict[str, Any]] = field(default_factory=list)
    exports: list[Any] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)
    unreadable: IO[str] = field(
        default_factory=lambda: SpooledTemporaryFile(8_000_000, "w+", encoding="utf-8")  # noqa: SIM115 - ends with the tally
    )


def raw_columns(stream: Stream) -> tuple[tuple[str, str], ...]:
    """(name, PostgreSQL type) of the declared columns of the raw table, in the order in which lines hold them."""
    columns = tuple(pair for column in stream.columns for pair in column.raw_columns)
    return (*columns, ("_record_key", "text")) if stream.person else columns


# One value ----------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if isinstance(value, str):
        if "\x00" in value:
            raise Unreadable("holds a NUL character, which PostgreSQL text cannot")
        return value
    if isinstance(value, (bool, dict, list)):
        raise Unreadable(f"is {_kind(value)}, not text")
    return str(value)


def _bigint(value: Any) -> str:
    number = _decimal(value)
    if number != number.to_integral_value():
        raise Unreadable(f"is {value!r}, not a whole number")
    if not -(2**63) <= number < 2**63:
        raise Unreadable("is outside the range of bigint")
    return str(int(number))


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Unreadable(f"is {_kind(value)}, not a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Unreadable("is text, not a number") from None
    if not number.is_finite():
        raise Unreadable("is not a finite number")
    return number


def _numeric(value: Any) -> str:
    return str(_decimal(value))


def _boolean(value: Any) -> str:
    if value is True or value == "true":
        return "t"
    if value is False or value == "false":
        return "f"
    raise Unreadable(f"is {_kind(value)}, not true or false")


def _moment(value: Any) -> datetime:
    try:
        if (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdigit()):
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError, OverflowError):
        raise Unreadable("is not an ISO 8601 time or milliseconds since 1970") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _timestamptz(value: Any) -> str:
    return _moment(value).isoformat()


def _date(value: Any) -> str:
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise Unreadable("is not an ISO 8601 date") from None
    return _moment(value).date().isoformat()


def _jsonb(value: Any) -> str:
    text = orjson.dumps(value).decode()
    if "\\u0000" in text:
        raise Unreadable("holds a NUL character, which PostgreSQL jsonb cannot")
    return text


_KINDS = {bool: "a boolean", dict: "an object", list: "an array", str: "text", int: "a number", float: "a number"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "null")


_CONVERT: dict[str, Callable[[Any], str]] = {
    "text": _text,
    "bigint": _bigint,
    "numeric": _numeric,
    "boolean": _boolean,
    "date": _date,
    "timestamptz": _timestamptz,
    "jsonb": _jsonb,
}


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
            found.add(prefix + name)
        elif isinstance(subtree := tree[name], dict) and isinstance(value, dict):
            below = _undeclared(value, subtree, f"{prefix}{name}.", found)
            if below:
                extra[name] = below
    return extra


def convert(stream: Stream, window: Window, secret: bytes, identity: str) -> Callable[[Any, set[str]], list[str]]:
    """A function from one record to the COPY fields of its raw row, `_extra` last. It raises Unreadable.

    `identity` is `<source>:<connection>:<stream>`: what makes a vendor id unique before it is hashed. A dated row of a
    day that was not asked for is unreadable: a read replaces its own days, so nothing could take that row back.
    """
    asked = {day.isoformat() for day in window.days}
    tree = _declared_tree(stream)
    plan = tuple((column, tuple(column.path.split(".")), _CONVERT.get(column.type)) for column in stream.columns)
    key_positions = [next(i for i, column in enumerate(stream.columns) if column.name == name) for name in stream.key]

    def to_fields(record: Any, new_fields: set[str]) -> list[str]:
        if not isinstance(record, dict):
            raise Unreadable(f"the record is {_kind(record)}, not an object")
        fields: list[str] = []
        positions: list[int] = []
        for column, steps, to_text in plan:
            value = _lookup(record, steps)
            positions.append(len(fields))
            if value == "" and column.type not in ("text", "jsonb"):
                value = None
            if value is None:
                if column.required:
                    raise Unreadable("is required, but missing or null", column.name)
                fields.extend(NULL for _ in column.raw_columns)
            elif to_text is None:
                address = normalise_email(value) if isinstance(value, str) else None
                if address is None:
                    fields.extend((NULL, NULL))
                else:
                    fields.extend((keyed_hash(secret, address), address.rpartition("@")[2].translate(ESCAPES)))
            else:
                try:
                    text = to_text(value)
                except Unreadable as error:
                    raise Unreadable(error.reason, column.name) from None
                if column.name == stream.day and text not in asked:
                    raise Unreadable(f"is {text}, outside the days asked for", column.name)
                fields.append(text.translate(ESCAPES))
        if stream.person:
            vendor_id = ":".join(fields[positions[i]] for i in key_positions)
            fields.append(keyed_hash(secret, f"{identity}:{vendor_id}"))
        extra = _undeclared(record, tree, "", new_fields)
        try:
            fields.append(_jsonb(extra).translate(ESCAPES) if extra else NULL)
        except Unreadable as error:
            raise Unreadable(error.reason, "_extra") from None
        return fields

    return to_fields


# Whole bodies -------------------------------------------------------------------------------------------------------


def _fast_decoder(
    source: Source, stream: Stream
) -> tuple[msgspec.json.Decoder[Any], Callable[[Any], set[date]], Callable[[Any, str], str]] | None:
    """Decoder of a body, its days and its lines as functions; None for streams that need the second way."""
    paths = [column.path for column in stream.columns]
    plain = all(column.type in _FAST_TYPES for column in stream.columns)
    if source.envelope is None or stream.person or not plain or len(set(paths)) < len(paths):
        return None
    leaves: dict[str, tuple[Any, Any]] = {path: (msgspec.Raw, msgspec.Raw(b"")) for path in stream.ignored}
    for column in stream.columns:
        kind = _FAST_TYPES[column.type]
        if column.required:
            leaves[column.path] = (kind, msgspec.NODEFAULT)
        else:
            leaves[column.path] = (kind, msgspec.Raw(b"null")) if column.type == "jsonb" else (kind | None, None)
    record: Any = _struct("Record", leaves)
    # A body without the array is no empty page: Meta answers an ad account as an object of its own.
    body = msgspec.defstruct("Body", [(source.envelope, list.__class_getitem__(record))])
    day = next((column.path for column in stream.columns if column.name == stream.day), None)
    days = f"{{record.{day} for record in body.{source.envelope}}}" if day else "set()"
    return (
        msgspec.json.Decoder(body, strict=False),
        eval(f"lambda body: {days}"),  # noqa: S307 - built from the declared names of a Stream alone
        _line_maker(stream, source.envelope),
    )


def _struct(name: str, leaves: dict[str, tuple[Any, Any]]) -> Any:
    groups: dict[str, dict[str, tuple[Any, Any]]] = {}
    fields: list[Any] = []
    for path, leaf in leaves.items():
        head, dot, rest = path.partition(".")
        if dot:
            groups.setdefault(head, {})[rest] = leaf
        else:
            fields.append((head, leaf[0], msgspec.field(default=leaf[1])))
    for head, below in groups.items():
        fields.append((head, _struct(f"{name}_{head}", below), msgspec.field(default=msgspec.NODEFAULT)))
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True, gc=False)


class _Days(dict[date | None, str]):
    """A day's text, made once: rows repeat their days."""

    def __missing__(self, day: date | None) -> str:
        text = self[day] = NULL if day is None else day.isoformat()
        return text


def _line_maker(stream: Stream, envelope: str) -> Callable[[Any, str], str]:
    """Compile one expression that formats a whole body: attribute access and formatting without a call per field."""
    parts: list[str] = []
    for column in stream.columns:
        value = f"record.{column.path}"
        if column.type == "jsonb":
            parts.append(f"{{NULL if (raw := bytes({value})) == b'null' else raw.translate(SPACES).decode()}}")
        elif column.type == "date":
            parts.append(f"{{DAYS[{value}]}}")
        elif column.required:
            parts.append(f"{{{value}!s}}")
        else:
            parts.append(f"{{NULL if (value := {value}) is None else value!s}}")
    template = "\\t".join(parts)
    code = f'lambda body, tail: "".join([f"{template}\\t{{NULL}}{{tail}}" for record in body.{envelope}])'
    return eval(code, {"NULL": NULL, "SPACES": _SPACES, "DAYS": _Days()})  # noqa: S307 - built from the declared names of a Stream alone


def lines(
    source: Source,
    stream: Stream,
    connection_id: str,
    window: Window,
    bodies: Iterable[bytes],
    secret: bytes,
    tail: str,
    tally: Tally,
) -> Iterator[str]:
    """COPY text of all readable rows, a body at a time; `tail` ends each line. `tally` counts as it goes."""
    fast = _fast_decoder(source, stream)
    asked = set(window.days)
    to_fields = convert(stream, window, secret, f"{source.name}:{connection_id}:{stream.name}")
    for body in bodies:
        # A JSON text holds the characters that COPY escapes only behind a backslash.
        if fast and b"\\" not in body:
            decoder, days_of, to_lines = fast
            try:
                decoded = decoder.decode(body)
            except (msgspec.ValidationError, msgspec.DecodeError):
                decoded = None
            if decoded is not None and days_of(decoded) <= asked:
                text = to_lines(decoded, tail)
                # Numbers to Decimal and to PostgreSQL, but not to anybody's books.
                if "NaN" not in text and "Infinity" not in text:
                    tally.readable += len(getattr(decoded, source.envelope or ""))
                    yield text
                    continue
        yield from _careful_lines(source, stream, body, to_fields, secret, tail, tally)


def _careful_lines(
    source: Source,
    stream: Stream,
    body: bytes,
    to_fields: Callable[[Any, set[str]], list[str]],
    secret: bytes,
    tail: str,
    tally: Tally,
) -> Iterator[str]:
    """The lines of one body, some thousand at a time: a report is one body, however long it is."""
    readable: list[str] = []
    for record in source.records(stream, body):
        if len(readable) == LINES_AT_ONCE:
            tally.readable += LINES_AT_ONCE
            yield "".join(readable)
            readable.clear()
        try:
            readable.append("\t".join(to_fields(record, tally.new_fields)) + tail)
        except Unreadable as error:
            tally.quarantined += 1
            payload = orjson.dumps(record).decode()
            fields = (
                keyed_hash(secret, _key_of(stream, record)),
                keyed_hash(secret, payload),
                NULL if error.column is None else error.column,
                error.reason,
                payload.replace("\\u0000", ""),
            )
            tally.unreadable.write(
                "\t".join(text if text == NULL else text.translate(ESCAPES) for text in fields) + "\n"
            )
    tally.readable += len(readable)
    yield "".join(readable)


def _key_of(stream: Stream, record: Any) -> str:
    paths = {column.name: column.path for column in stream.columns}
    if not isinstance(record, dict):
        return "?"
    return ":".join(str(_lookup(record, tuple(paths[name].split(".")))) for name in stream.key)
