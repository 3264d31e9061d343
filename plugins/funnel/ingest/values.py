"""Converts one value of a vendor's record for PostgreSQL, or gives the reason why it cannot.

Characters that PostgreSQL cannot store are replaced (half an emoji) or removed (NUL), and recorded; otherwise
PostgreSQL would refuse the whole load. Other invalid values raise Unreadable; `json_rows` decides whether the value or
the row is left out (ING-18).
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from funnel.ingest.errors import Unreadable
from funnel.rest.bodies import kind, write_json

# An index row of PostgreSQL holds 2,704 bytes: keys of three ids and a connection must fit.
LONGEST_ID = 400  # bytes of UTF-8
# Digits on either side of the point. PostgreSQL could store 131,072 and 16,383, but the marts could not compute with
# them.
MOST_DIGITS = 100

# COPY's text for null, and its escapes for characters that end a field or a line.
NULL = "\\N"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

REPLACED, DROPPED = "half a letter replaced", "NUL dropped"
# A text with any of these is examined further; most texts contain none.
_ODD_JSON = re.compile(rf"\\u0000|[eE][+-]?\d{{3}}|\d{{{MOST_DIGITS}}}|NaN|Infinity")
_HALF = re.compile("[\ud800-\udfff]")
_BYTES = re.compile("[\udc80-\udcff]+")


def clean(text: str, notes: set[str], nul: str = "") -> str:
    """`text` without characters that PostgreSQL cannot store; each kind of repair is added to `notes`."""
    if "\x00" in text:
        notes.add(DROPPED)
        text = text.replace("\x00", nul)
    if not text.isascii() and _HALF.search(text):
        notes.add(REPLACED)
        # Bytes that are not UTF-8 were read as such halves, one each.
        text = _BYTES.sub("\ufffd", text)
        # Two halves that belong together become the character that they encode.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_tree(value: Any, notes: set[str], on_number: Callable[[Decimal], Any]) -> Any:
    """`value` with clean texts and names; `on_number` returns the substitute of a number that PostgreSQL
    cannot store.
    """
    if isinstance(value, str):
        return clean(value, notes)
    if isinstance(value, dict):
        # A NUL in a name is replaced: without it the name might be another, declared one.
        return {clean(name, notes, "\ufffd"): clean_tree(below, notes, on_number) for name, below in value.items()}
    if isinstance(value, list):
        return [clean_tree(below, notes, on_number) for below in value]
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool) and not _fits(Decimal(value)):
        return on_number(Decimal(value))
    return value


def _fits(number: Decimal) -> bool:
    """True if PostgreSQL can store the number. Checked by the exponent: writing out such a number may take minutes."""
    if not number.is_finite():
        return False
    exponent = number.as_tuple().exponent
    return number.adjusted() < MOST_DIGITS and isinstance(exponent, int) and exponent >= -MOST_DIGITS


def text(value: Any, notes: set[str]) -> str:
    """A text, or a number as text. Raises Unreadable for booleans, objects and arrays."""
    if isinstance(value, str):
        return clean(value, notes)
    if isinstance(value, (bool, dict, list)):
        raise Unreadable(f"is {kind(value)}, not text")
    return str(value)


def identifier(value: Any, notes: set[str]) -> str:
    """A key, id or code: a repaired character would make it another one. Raises Unreadable."""
    odd: set[str] = set()
    found = text(value, odd)
    if odd:
        raise Unreadable("holds half a letter or NUL, which an id must not")
    if not found.strip(" \t\r\n"):
        raise Unreadable("is blank")
    if len(found) > LONGEST_ID or (len(found) > LONGEST_ID / 4 and len(found.encode()) > LONGEST_ID):
        raise Unreadable(f"is longer than an id can be ({LONGEST_ID} bytes)")
    return found


def numeric(value: Any, notes: set[str]) -> str:
    """A finite number with all its digits, also from text. Raises Unreadable."""
    return str(_decimal(value))


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise Unreadable(f"is {kind(value)}, not a number")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise Unreadable("is text, not a number") from None
    if not number.is_finite():
        raise Unreadable("is not a finite number")
    if not number and number.as_tuple().exponent not in range(-MOST_DIGITS, 1):
        return Decimal(0)
    if not _fits(number):
        raise Unreadable(f"has more than {MOST_DIGITS} digits before or after the point")
    return number


def bigint(value: Any, notes: set[str]) -> str:
    """A whole number in the range of bigint, also from text. Raises Unreadable."""
    number = _decimal(value)
    if number != number.to_integral_value():
        raise Unreadable("is not a whole number")
    if not -(2**63) <= number < 2**63:
        raise Unreadable("is outside the range of bigint")
    return str(int(number))


def boolean(value: Any, notes: set[str]) -> str:
    """`t` or `f` from true, false or their texts. Raises Unreadable."""
    if value is True or value == "true":
        return "t"
    if value is False or value == "false":
        return "f"
    raise Unreadable(f"is {kind(value)}, not true or false")


def _moment(value: Any) -> datetime:
    try:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        # Eight digits are a day: as milliseconds they would be one of the first hours of 1970.
        if is_whole or (isinstance(value, str) and value.isdecimal() and len(value) != 8):
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise Unreadable("is not an ISO 8601 time or milliseconds since 1970, of the years 1 to 9999") from None


def timestamptz(value: Any, notes: set[str]) -> str:
    """An ISO 8601 time or milliseconds since 1970, in UTC; a time without an offset is in UTC. Raises Unreadable."""
    return _moment(value).isoformat()


def day(value: Any, notes: set[str]) -> str:
    """An ISO 8601 day, or the UTC day of a time. Raises Unreadable."""
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise Unreadable("is not an ISO 8601 date") from None
    return _moment(value).date().isoformat()


def jsonb(value: Any, notes: set[str]) -> str:
    """JSON of any value. Raises Unreadable for a number that PostgreSQL cannot store."""
    return _json(value, notes, _refuse)


def _refuse(number: Decimal) -> Any:
    raise Unreadable(
        f"holds a number that is not finite or has more than {MOST_DIGITS} digits before or after the point"
    )


def as_text(value: Any, notes: set[str]) -> str:
    """JSON of any value; numbers that PostgreSQL cannot store become text."""
    return _json(value, notes, str)


def _json(value: Any, notes: set[str], on_number: Callable[[Decimal], Any]) -> str:
    written = write_json(value).decode()
    if "\\u" not in written and not _ODD_JSON.search(written):
        return written
    return write_json(clean_tree(value, notes, on_number)).decode()


def listed(
    value: Any,
    notes: set[str],
    holds: tuple[tuple[str, str], ...],
    costs_row: bool,
    counted_by: str | None = None,
) -> str:
    """JSON of the list's elements that hold the declared values. Other elements are left out; with `costs_row` they
    raise Unreadable.
    """
    if not isinstance(value, list):
        raise Unreadable(f"is {kind(value)}, not a list")
    steps = [(path.split("."), CONVERT[type_]) for path, type_ in holds]
    kept = []
    for element in value:
        try:
            _check(element, steps)
        except Unreadable as error:
            if costs_row:
                raise
            notes.add(f"element left out: {error.reason}")
        else:
            kept.append(element)
            if counted_by and isinstance(element, dict) and element.get(counted_by) is None:
                notes.add(f"element without `{counted_by}` counts as none")
    return jsonb(kept, notes)


def _check(element: Any, steps: list[tuple[list[str], Callable[[Any, set[str]], str]]]) -> None:
    if steps and not isinstance(element, dict):
        raise Unreadable(f"holds {kind(element)} where an object is expected")
    for path, to_text in steps:
        found = element
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is not None and found != "":
            try:
                to_text(found, set())
            except Unreadable as error:
                raise Unreadable(f"holds `{'.'.join(path)}` that {error.reason}") from None


CONVERT: dict[str, Callable[[Any, set[str]], str]] = {
    "text": text,
    "bigint": bigint,
    "numeric": numeric,
    "boolean": boolean,
    "date": day,
    "timestamptz": timestamptz,
    "jsonb": jsonb,
}
