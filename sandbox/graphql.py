"""The subset of GraphQL that the shop's clients send: one operation, variables, aliases, fragments, connections.

A document becomes a tree of selections, which is applied to plain dictionaries. There is no schema: a key that an
object does not have is a field that its type does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r'\s*(?:\#[^\n]*\n\s*)*("""(?:.|\n)*?"""|"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?|\.\.\.|[_A-Za-z]\w*|[{}()\[\]:!=$@,|&])'
)


class GraphQLError(Exception):
    """A document that cannot be parsed or a field that does not exist; `code` is the vendor's error code."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass
class Field:
    """One selected field with its arguments and its sub-selections."""

    name: str
    alias: str
    arguments: dict[str, Any] = field(default_factory=dict)
    below: list[Field] | None = None


@dataclass
class Operation:
    kind: str
    fields: list[Field]


@dataclass(frozen=True)
class Variable:
    name: str


class Nodes(list[dict[str, Any]]):
    """The members of a connection, in order."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        place = 0
        text = text.rstrip()
        while place < len(text):
            found = TOKEN.match(text, place)
            if found is None:
                raise GraphQLError(f'syntax error, unexpected "{text[place : place + 10].strip()}"')
            if found[1] != ",":
                self.tokens.append(found[1])
            place = found.end()
        self.place = 0
        self.fragments: dict[str, list[Field]] = {}

    @property
    def next(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.next
        if not token or (expected is not None and token != expected):
            raise GraphQLError(
                f"syntax error, unexpected {token or 'end of file'!r}"
                + (f", expecting {expected!r}" if expected else "")
            )
        self.place += 1
        return token

    def document(self) -> list[Operation]:
        operations = []
        while self.next:
            if self.next == "{":
                operations.append(Operation("query", self.selection()))
            elif self.next == "fragment":
                self.take()
                name = self.take()
                self.take("on")
                self.take()
                self.fragments[name] = self.selection()
            elif self.next in ("query", "mutation"):
                kind = self.take()
                if self.next not in ("(", "{"):
                    self.take()
                if self.next == "(":
                    self.skip_variables()
                operations.append(Operation(kind, self.selection()))
            else:
                raise GraphQLError(f"syntax error, unexpected {self.next!r}")
        return operations

    def skip_variables(self) -> None:
        self.take("(")
        while self.take() != ")":
            pass

    def selection(self) -> list[Field]:
        self.take("{")
        fields: list[Field] = []
        while self.next != "}":
            if self.next == "...":
                self.take()
                if self.next in ("on", "{"):
                    if self.next == "on":
                        self.take()
                        self.take()
                    fields += self.selection()
                else:
                    fields.append(Field("...", self.take()))
                continue
            name = alias = self.take()
            if self.next == ":":
                self.take()
                name = self.take()
            arguments = self.arguments() if self.next == "(" else {}
            fields.append(Field(name, alias, arguments, self.selection() if self.next == "{" else None))
        self.take("}")
        return fields

    def arguments(self) -> dict[str, Any]:
        self.take("(")
        found = {}
        while self.next != ")":
            name = self.take()
            self.take(":")
            found[name] = self.value()
        self.take(")")
        return found

    def value(self) -> Any:
        token = self.take()
        if token == "$":
            return Variable(self.take())
        if token == "[":
            items = []
            while self.next != "]":
                items.append(self.value())
            self.take("]")
            return items
        if token == "{":
            found = {}
            while self.next != "}":
                name = self.take()
                self.take(":")
                found[name] = self.value()
            self.take("}")
            return found
        if token.startswith('"""'):
            return token[3:-3]
        if token.startswith('"'):
            return token[1:-1].encode().decode("unicode_escape") if "\\" in token else token[1:-1]
        if re.fullmatch(r"-?\d+", token):
            return int(token)
        if re.fullmatch(r"-?\d+\.\d+", token):
            return float(token)
        return {"true": True, "false": False, "null": None}.get(token, token)


def parse(text: str, variables: dict[str, Any]) -> Operation:
    """The one operation of a document, with its variables and fragments filled in. Raises GraphQLError."""
    reader = _Reader(text)
    operations = reader.document()
    if len(operations) != 1:
        raise GraphQLError("An operation name is required" if operations else "No operation to execute")

    def filled(value: Any) -> Any:
        if isinstance(value, Variable):
            return variables.get(value.name)
        if isinstance(value, list):
            return [filled(one) for one in value]
        return {name: filled(one) for name, one in value.items()} if isinstance(value, dict) else value

    def spread(fields: list[Field]) -> list[Field]:
        found: list[Field] = []
        for one in fields:
            if one.name == "...":
                if one.alias not in reader.fragments:
                    raise GraphQLError(f"Fragment {one.alias} was used, but not defined", "useAndDefineFragment")
                found += spread(reader.fragments[one.alias])
            else:
                below = spread(one.below) if one.below is not None else None
                found.append(Field(one.name, one.alias, filled(one.arguments), below))
        return found

    (operation,) = operations
    return Operation(operation.kind, spread(operation.fields))


Page = Callable[[Nodes, dict[str, Any]], tuple[list[tuple[str, dict[str, Any]]], bool]]


def select(value: Any, fields: list[Field] | None, kind: str, page: Page) -> Any:
    """The selected part of a value; `kind` is the name of its type in messages. Raises GraphQLError for an unknown
    field.
    """
    if value is None:
        return None
    if isinstance(value, list):
        return [select(one, fields, kind, page) for one in value]
    if not isinstance(value, dict):
        if fields is not None:
            raise GraphQLError(f"Selections can't be made on scalars (field '{kind}')", "selectionMismatch")
        return value
    if fields is None:
        raise GraphQLError(f"Field must have selections (field '{kind}' returns an object)", "selectionMismatch")
    taken: dict[str, Any] = {}
    for one in fields:
        if one.name == "__typename":
            taken[one.alias] = value.get("__typename", kind)
            continue
        if one.name not in value:
            raise GraphQLError(
                f"Field '{one.name}' doesn't exist on type '{value.get('__typename', kind)}'", "undefinedField"
            )
        below = value[one.name](one.arguments) if callable(value[one.name]) else value[one.name]
        if isinstance(below, Nodes):
            taken[one.alias] = connect(below, one, page)
        else:
            taken[one.alias] = select(below, one.below, one.name, page)
    return taken


def connect(nodes: Nodes, asked: Field, page: Page) -> dict[str, Any]:
    """A connection: `nodes`, `edges` and `pageInfo` of the page that the arguments request. Raises GraphQLError."""
    if asked.below is None:
        raise GraphQLError(
            f"Field must have selections (field '{asked.name}' returns a connection)", "selectionMismatch"
        )
    found, has_next = page(nodes, asked.arguments)
    taken: dict[str, Any] = {}
    for one in asked.below:
        if one.name == "nodes":
            taken[one.alias] = [select(node, one.below, asked.name, page) for _, node in found]
        elif one.name == "edges":
            taken[one.alias] = [
                select({"cursor": cursor, "node": node}, one.below, asked.name, page) for cursor, node in found
            ]
        elif one.name == "pageInfo":
            whole = {
                "hasNextPage": has_next,
                "hasPreviousPage": bool(asked.arguments.get("after")),
                "startCursor": found[0][0] if found else None,
                "endCursor": found[-1][0] if found else None,
            }
            taken[one.alias] = select(whole, one.below, "PageInfo", page)
        else:
            raise GraphQLError(f"Field '{one.name}' doesn't exist on type 'Connection'", "undefinedField")
    return taken


def connections(fields: list[Field] | None, has_nodes: Callable[[str], bool]) -> int:
    """The number of connections below a selection, for limits that count them."""
    return sum(has_nodes(one.name) + connections(one.below, has_nodes) for one in fields or ())
