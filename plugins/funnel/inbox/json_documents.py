"""JSON files that are one document: a list of records, at the top or within an object, as programs and APIs write it.

It is parsed record by record, never whole in memory. The fields of a record are read as for JSON lines.
"""

import codecs
import json
from collections.abc import Iterator
from typing import IO, Any

from funnel.inbox.bounds import DEEPEST, LONGEST_LINE, MILLION
from funnel.inbox.errors import Refused

_READ_AT_ONCE = 1 << 20
_SPACE = " \t\r\n\ufeff"
# The list may be nested this deep in the document's object: {"data": {"orders": [...]}}.
_LIST_WITHIN = 3


def is_document(start: bytes, *, is_named_lines: bool) -> bool:
    """True if a file that begins with these bytes is one document instead of one record per line, whatever its name
    says.
    """
    text = start.decode("utf-8", errors="replace").lstrip(_SPACE)
    if text.startswith("["):
        return True
    first, _, rest = text.partition("\n")
    try:
        is_whole = isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        is_whole = False
    if is_whole and not is_named_lines and not rest.strip(_SPACE):
        # A single line is a record, unless it contains a list of records.
        return any(isinstance(each, list) and each and isinstance(each[0], dict) for each in _values(json.loads(first)))
    return text.startswith("{") and not is_whole


def _values(found: dict[str, Any], depth: int = 1) -> Iterator[Any]:
    for value in found.values():
        yield value
        if isinstance(value, dict) and depth < _LIST_WITHIN:
            yield from _values(value, depth + 1)


def records(file: IO[bytes]) -> Iterator[bytes]:
    """The text of each record of the document's list. Raises Refused if it is damaged or contains two lists."""
    document = _Document(file)
    try:
        yield from _records(document, "", 1)
    except RecursionError:
        raise Refused(f"a record is nested more than {DEEPEST} deep") from None
    if document.peek():
        raise Refused("the document does not end where its list does: it is damaged, or two documents in one file")


def _records(document: "_Document", place: str, depth: int) -> Iterator[bytes]:
    if document.peek() == "[":
        yield from document.elements()
        return
    found: str | None = None
    for name in document.names():
        within = f"{place}.{name}" if place else name
        is_list = document.peek() == "[" and document.holds_objects()
        if not is_list and not (document.peek() == "{" and depth < _LIST_WITHIN):
            document.value()
            continue
        count = 0
        for record in _records(document, within, depth + 1):
            count += 1
            if found is not None:
                raise Refused(
                    f"the document holds two lists of records, {found!r} and {within!r}; write each to its own file"
                )
            yield record
        found = within if count else found


def _check_length(length: int) -> None:
    if length > LONGEST_LINE:
        raise Refused(f"a record is longer than {LONGEST_LINE // MILLION} MB")


class _Document:
    """A JSON text that is read from its beginning, piece by piece."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._json = json.JSONDecoder()
        self._text, self._place, self._is_over = "", 0, False

    def _more(self, most: int = _READ_AT_ONCE) -> bool:
        """Read the next piece; returns False at the end of the file."""
        if self._is_over:
            return False
        data = self._file.read(most)
        self._is_over = not data
        self._text = self._text[self._place :] + self._decoder.decode(data, final=self._is_over)
        self._place = 0
        return not self._is_over

    def peek(self) -> str:
        """The next character that is not a space; empty at the end."""
        while True:
            while self._place < len(self._text) and self._text[self._place] in _SPACE:
                self._place += 1
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more():
                return ""

    def _take(self, expected: str) -> None:
        found = self.peek()
        if found != expected:
            raise Refused(f"the document is damaged: {expected!r} is expected, not {found or 'its end'!r}")
        self._place += 1

    def value(self) -> str:
        """The text of the next value; moves behind it."""
        self.peek()
        while True:
            try:
                _, end = self._json.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                held = len(self._text) - self._place
                _check_length(held)
                # Double the piece each time: otherwise a long value would be parsed from its start again and again.
                if not self._more(max(held, _READ_AT_ONCE)):
                    raise Refused(f"the document is cut short or damaged ({error.msg})") from None
                continue
            # A number may continue in the next piece.
            if end == len(self._text) and self._more():
                continue
            _check_length(end - self._place)
            text = self._text[self._place : end]
            self._place = end
            return text

    def elements(self) -> Iterator[bytes]:
        """The texts of a list's elements."""
        self._take("[")
        while self.peek() != "]":
            yield self.value().encode()
            if self.peek() != "]":
                self._take(",")
        self._take("]")

    def names(self) -> Iterator[str]:
        """The keys of an object; at each, the document is positioned at its value."""
        self._take("{")
        while self.peek() != "}":
            if self.peek() != '"':
                raise Refused("the document is damaged: a key is expected")
            name = str(json.loads(self.value()))
            self._take(":")
            yield name
            if self.peek() != "}":
                self._take(",")
        self._take("}")

    def holds_objects(self) -> bool:
        """True if the list that begins here holds records. Does not move."""
        place = self._place + 1
        while True:
            rest = self._text[place:].lstrip(_SPACE)
            if rest:
                return rest[0] == "{"
            place -= self._place
            if not self._more():
                return False
