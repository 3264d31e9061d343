"""A subset of SOQL: select list, where with and/or/not, comparisons, in, like, order by, limit, offset, count().

Relationships, sub-queries, grouping and functions other than count() are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sandbox.clock import instant, moment

TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*')"
    r"|(?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))"
    r"|(?P<date>\d{4}-\d{2}-\d{2})(?![\dT])"
    r"|(?P<number>-?\d+(?:\.\d+)?)(?![\w-])"
    r"|(?P<word>[A-Za-z_][\w.]*)"
    r"|(?P<sign>!=|<>|<=|>=|=|<|>|\(|\)|,))"
)
KEYWORDS = {"and", "or", "not", "in", "like", "order", "by", "limit", "offset", "asc", "desc", "nulls", "where", "from"}

Test = Callable[[dict[str, Any]], bool]


class Malformed(Exception):
    """The query is not valid in this subset of SOQL: MALFORMED_QUERY."""


class InvalidField(Exception):
    """A field does not exist, or cannot be used in this way: INVALID_FIELD."""


@dataclass(frozen=True)
class Query:
    fields: tuple[str, ...]
    is_count: bool
    sobject: str
    test: Test
    order: tuple[tuple[str, bool, bool], ...]
    limit: int | None
    offset: int


@dataclass
class _Reader:
    text: str
    tokens: list[tuple[str, str]]
    types: Callable[[str], dict[str, str]]
    place: int = 0
    known: dict[str, str] | None = None

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.place += 1
        return token

    def is_word(self, word: str) -> bool:
        kind, text = self.peek()
        return kind == "word" and text.lower() == word

    def accept(self, word: str) -> bool:
        if self.is_word(word):
            self.place += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise Malformed(f"unexpected token: '{self.peek()[1] or '<EOF>'}', expected {word.upper()}")

    def sign(self, text: str) -> bool:
        if self.peek() == ("sign", text):
            self.place += 1
            return True
        return False

    def field(self) -> str:
        kind, text = self.take()
        if kind != "word" or text.lower() in KEYWORDS:
            raise Malformed(f"unexpected token: '{text or '<EOF>'}'")
        return text


def parse(text: str, types: Callable[[str], dict[str, str]]) -> Query:
    """Parse a query. `types` returns the fields of an object and their types, or raises KeyError for an unknown one.
    Raises Malformed or InvalidField.
    """
    reader = _Reader(text, _tokens(text), types)
    reader.expect("select")
    names: list[str] = []
    is_count = False
    if reader.is_word("count"):
        reader.take()
        if not (reader.sign("(") and reader.sign(")")):
            raise Malformed("unexpected token: count")
        is_count = True
    else:
        names.append(reader.field())
        while reader.sign(","):
            names.append(reader.field())
    reader.expect("from")
    sobject = reader.field()
    known = types(sobject)
    reader.known = known
    fields = tuple(_field(known, name, sobject) for name in names)
    if len(set(fields)) != len(fields):
        raise InvalidField(f"duplicate field selected: {next(name for name in fields if fields.count(name) > 1)}")
    test: Test = _any(reader, sobject) if reader.accept("where") else lambda row: True
    order: list[tuple[str, bool, bool]] = []
    if reader.accept("order"):
        reader.expect("by")
        order.append(_order(reader, sobject))
        while reader.sign(","):
            order.append(_order(reader, sobject))
    limit = _number(reader) if reader.accept("limit") else None
    offset = _number(reader) if reader.accept("offset") else 0
    if reader.peek()[0] != "end":
        raise Malformed(f"unexpected token: '{reader.peek()[1]}'")
    return Query(fields, is_count, sobject, test, tuple(order), limit, offset)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        found = TOKEN.match(text, place)
        if not found or found.lastgroup is None:
            raise Malformed(f"unexpected token: '{text[place:].strip()[:20]}'")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        place = found.end()
    return tokens


def _field(known: dict[str, str], name: str, sobject: str) -> str:
    for spelled in known:
        if spelled.lower() == name.lower():
            return spelled
    raise InvalidField(
        f"No such column '{name}' on entity '{sobject}'. If you are attempting to use a custom field, be sure to "
        "append the '__c' after the custom field name. Please reference your WSDL or the describe call for the "
        "appropriate names."
    )


def _number(reader: _Reader) -> int:
    kind, text = reader.take()
    if kind != "number" or not text.isdigit():
        raise Malformed(f"unexpected token: '{text or '<EOF>'}'")
    return int(text)


def _order(reader: _Reader, sobject: str) -> tuple[str, bool, bool]:
    name = _field(reader.known or {}, reader.field(), sobject)
    descending = reader.accept("desc")
    if not descending:
        reader.accept("asc")
    nulls_last = False
    if reader.accept("nulls"):
        nulls_last = reader.accept("last")
        if not nulls_last:
            reader.expect("first")
    return name, descending, nulls_last


def _any(reader: _Reader, sobject: str) -> Test:
    tests = [_every(reader, sobject)]
    while reader.accept("or"):
        tests.append(_every(reader, sobject))
    return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)


def _every(reader: _Reader, sobject: str) -> Test:
    tests = [_one(reader, sobject)]
    while reader.accept("and"):
        tests.append(_one(reader, sobject))
    return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)


def _one(reader: _Reader, sobject: str) -> Test:
    if reader.accept("not"):
        test = _one(reader, sobject)
        return lambda row: not test(row)
    if reader.sign("("):
        test = _any(reader, sobject)
        if not reader.sign(")"):
            raise Malformed(f"expecting a right parentheses, found '{reader.peek()[1] or '<EOF>'}'")
        return test
    name = _field(reader.known or {}, reader.field(), sobject)
    data_type = (reader.known or {})[name]
    negated = reader.accept("not")
    if reader.accept("in"):
        if not reader.sign("("):
            raise Malformed("expecting a left parentheses")
        members = [_literal(reader, name, data_type)]
        while reader.sign(","):
            members.append(_literal(reader, name, data_type))
        if not reader.sign(")"):
            raise Malformed("expecting a right parentheses")
        chosen = set(members)
        return lambda row: (_plain(row[name]) in chosen) != negated
    if negated:
        raise Malformed("unexpected token: 'not'")
    if reader.accept("like"):
        pattern = re.escape(str(_literal(reader, name, data_type))).replace("%", ".*").replace("_", ".")
        shape = re.compile(pattern, re.IGNORECASE)
        return lambda row: row[name] is not None and shape.fullmatch(str(row[name])) is not None
    kind, operator = reader.take()
    if kind != "sign" or operator in "(),":
        raise Malformed(f"unexpected token: '{operator or '<EOF>'}'")
    value = _literal(reader, name, data_type)
    if operator == "=":
        return lambda row: _plain(row[name]) == value
    if operator in ("!=", "<>"):
        return lambda row: _plain(row[name]) != value
    if value is None:
        raise InvalidField(f"operator '{operator}' cannot be used with null")
    compare: dict[str, Callable[[Any], bool]] = {
        "<": lambda found: found < value,
        "<=": lambda found: found <= value,
        ">": lambda found: found > value,
        ">=": lambda found: found >= value,
    }
    check = compare[operator]
    return lambda row: (found := _plain(row[name])) is not None and check(found)


def _plain(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _literal(reader: _Reader, name: str, data_type: str) -> Any:
    kind, text = reader.take()
    if kind == "word" and text.lower() == "null":
        return None
    if kind == "word" and text.lower() in ("true", "false") and data_type == "boolean":
        return text.lower() == "true"
    wanted = {
        "datetime": "datetime",
        "date": "date",
        "double": "number",
        "currency": "number",
        "percent": "number",
        "int": "number",
    }.get(data_type, "string")
    if kind != wanted:
        raise InvalidField(
            f"value of filter criterion for field '{name}' must be of type {data_type}"
            + ("" if wanted == "string" else " and should not be enclosed in quotes")
        )
    if kind == "datetime":
        return moment(re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", text))
    if kind == "date":
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Malformed(f"Invalid date: {text}") from None
    if kind == "number":
        return float(text)
    return re.sub(r"\\(.)", r"\1", text[1:-1]).lower()


def sort_rows(rows: list[dict[str, Any]], order: tuple[tuple[str, bool, bool], ...]) -> None:
    """Sort in place; nulls come first unless the query says last, whatever the direction."""
    for name, descending, nulls_last in reversed(order):
        empty = [row for row in rows if row[name] is None]
        filled = sorted((row for row in rows if row[name] is not None), key=lambda row: row[name], reverse=descending)
        rows[:] = filled + empty if nulls_last else empty + filled


def written(value: Any, data_type: str) -> Any:
    """A field value in the form of JSON."""
    if value is None:
        return None
    if data_type == "datetime":
        return instant(value).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    if data_type == "date":
        return value.isoformat()
    if data_type in ("currency", "double", "percent"):
        return float(value)
    return value
