"""Decodes whole bodies of plain streams straight into typed objects and writes them as lines of COPY text.

Irregular bodies are marked; `json_rows` reads them again record by record.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from funnel.contract import Source, Stream
from funnel.ingest.values import LONGEST_ID, MOST_DIGITS, NULL

# Marks a value that only the careful way can read. JSON without escapes cannot contain it.
ODD = "\x00"
# Between the tokens of a JSON text, line ends and tabs are only layout.
_SPACES = bytes.maketrans(b"\t\n\r", b"   ")
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
TYPES: dict[str, Any] = {"text": str, "bigint": _INT64, "numeric": Decimal, "date": date, "jsonb": msgspec.Raw}
# From a decoded body to the values of one column.
Values = Callable[[Any], set[Any]]


def decoder(
    source: Source, stream: Stream
) -> tuple[msgspec.json.Decoder[Any], Values, Values, Callable[[Any, str], str]] | None:
    """Decoder of a body, its days, accounts and lines as functions; None for streams that must be read record by
    record.
    """
    paths = [column.path for column in stream.columns]
    plain = all(column.type in TYPES and not column.holds for column in stream.columns)
    if source.envelope is None or stream.person or not plain or len(set(paths)) < len(paths):
        return None
    leaves: dict[str, tuple[Any, Any]] = {path: (msgspec.Raw, msgspec.Raw(b"")) for path in stream.ignored}
    for column in stream.columns:
        kind = TYPES[column.type]
        if column.required:
            leaves[column.path] = (kind, msgspec.NODEFAULT)
        else:
            leaves[column.path] = (kind, msgspec.Raw(b"null")) if column.type == "jsonb" else (kind | None, None)
    record: Any = _struct("Record", leaves)
    # A body without the array is not an empty page: Meta answers an ad account as an object of its own.
    body = msgspec.defstruct("Body", [(source.envelope, list.__class_getitem__(record))])
    return (
        msgspec.json.Decoder(body, strict=False),
        _values_of(stream, source.envelope, stream.day),
        _values_of(stream, source.envelope, stream.account),
        _line_maker(stream, source.envelope),
    )


def _values_of(stream: Stream, envelope: str, name: str | None) -> Values:
    """A function from a decoded body to the values of one column."""
    path = next((column.path for column in stream.columns if column.name == name), None)
    values = f"{{record.{path} for record in body.{envelope}}}" if path else "set()"
    found: Values = eval(f"lambda body: {values}")  # noqa: S307 - built from the declared names of a Stream alone
    return found


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
    """Caches the text of a day: rows repeat their days."""

    def __missing__(self, day: date | None) -> str:
        text = self[day] = NULL if day is None else day.isoformat()
        return text


def _line_maker(stream: Stream, envelope: str) -> Callable[[Any, str], str]:
    """Compile one expression that formats a whole body: attribute access and formatting without a call per field."""
    parts: list[str] = []
    for column in stream.columns:
        value = f"record.{column.path}"
        if column.type == "jsonb":
            written = "raw.translate(SPACES).decode()"
            if column.holds is not None:  # 91 is [
                regular = "raw[0] == 91"
                if column.counted_by:
                    # The careful way notes an object without it.
                    regular += f" and raw.count(OBJECT) == raw.count(COUNTED['{column.counted_by}'])"
                written = f"({written} if {regular} else ODD)"
            parts.append(f"{{NULL if (raw := bytes({value})) in NOTHING else {written}}}")
        elif column.type == "date":
            parts.append(f"{{DAYS[{value}]}}")
        elif column.type == "text":
            # Blank ids begin with a space.
            limit = f"len(value) < {LONGEST_ID // 4} and value > '!'" if stream.is_id(column) else "value"
            empty = "ODD" if column.required else "NULL"
            parts.append(f"{{(value if {limit} else ODD) if (value := {value}) else {empty}}}")
        elif column.type == "numeric":
            # Numbers with an exponent or many digits are read on the careful way.
            digits = f"digits if len(digits := str(value)) < {MOST_DIGITS} and 'E' not in digits else ODD"
            parts.append(f"{{NULL if (value := {value}) is None else ({digits})}}")
        elif column.required:
            parts.append(f"{{{value}!s}}")
        else:
            parts.append(f"{{NULL if (value := {value}) is None else value!s}}")
    template = "\\t".join(parts)
    code = f'lambda body, tail: "".join([f"{template}\\t{{NULL}}{{tail}}" for record in body.{envelope}])'
    known: dict[str, Any] = {
        "NULL": NULL,
        "ODD": ODD,
        "NOTHING": (b"null", b'""'),
        "SPACES": _SPACES,
        "DAYS": _Days(),
        "OBJECT": b"{",
        "COUNTED": {name: f'"{name}":"'.encode() for column in stream.columns if (name := column.counted_by)},
    }
    return eval(code, known)  # noqa: S307 - built from the declared names of a Stream alone
