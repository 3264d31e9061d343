"""Texts of files for a terminal: non-printable characters are written as codes."""

import re
from collections.abc import Callable

# Control characters of terminals (C0, C1), marks of writing direction, halves of surrogate pairs.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    """The text with control characters as codes such as `\\x1b`; line breaks are kept."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


def safely(say: Callable[[str], None]) -> Callable[[str], None]:
    """A print function for texts that contain cells of files: it passes them through `printable`."""
    return lambda text: say(printable(text))
