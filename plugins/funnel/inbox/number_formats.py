"""The currency that a spreadsheet shows next to a number: it is in the cell's number format, not in its value.

`[$€-407] #,##0.00` shows 13.63 as € 13.63. Formats 5 to 8 and 37 to 44 show the currency of the reader's computer; they
name none.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from funnel.inbox import currencies

# For a sign that several currencies share: the currency of the format's locale (Windows' language codes).
_BY_LOCALE = {
    "$": {
        0x0409: "USD", 0x540A: "USD", 0x1009: "CAD", 0x0C0C: "CAD", 0x0C09: "AUD", 0x1409: "NZD", 0x080A: "MXN",
        0x2C0A: "ARS", 0x340A: "CLP", 0x240A: "COP", 0x0C04: "HKD", 0x3C09: "HKD", 0x4809: "SGD", 0x1004: "SGD",
        0x0404: "TWD",
    },
    "kr": {0x041D: "SEK", 0x081D: "SEK", 0x0414: "NOK", 0x0814: "NOK", 0x0406: "DKK", 0x040F: "ISK"},
    "¥": {0x0411: "JPY", 0x0804: "CNY"},
    "￥": {0x0411: "JPY", 0x0804: "CNY"},
    "£": {0x0809: "GBP"},
    "rs": {0x0420: "PKR", 0x0439: "INR", 0x4009: "INR"},
}  # fmt: skip
# `[$€-407]`, `[$USD]`; `[$-409]` is only a locale.
_BRACKETED = re.compile(r"\[\$(?P<mark>[^\]-]*)(?:-(?P<locale>[0-9A-Fa-f]+))?[^\]]*\]")
_QUOTED = re.compile(r'"([^"]*)"')
_COLOUR_OR_CONDITION = re.compile(r"\[[^\]]*\]")
_SPACER = re.compile(r"[_*].")


@dataclass(frozen=True)
class Money:
    """A number with the sign or code of the currency that its cell shows."""

    amount: int | float
    mark: str


@lru_cache(1_000)
def currency_of(number_format: str) -> str | None:
    """The sign or code of the currency in a number format; None if it shows none, or more than one."""
    positive = _first_section(number_format)
    marks: set[str] = set()
    for found in _BRACKETED.finditer(positive):
        marks |= _mark(found["mark"], int(found["locale"], 16) & 0xFFFF if found["locale"] else None)
    rest = _BRACKETED.sub("", positive)
    for literal in _QUOTED.findall(rest):
        marks |= _mark(literal, None)
    # Text outside quotes: signs, some after a backslash. Letters there are codes of the format.
    bare = _COLOUR_OR_CONDITION.sub("", _SPACER.sub("", _QUOTED.sub("", rest))).replace("\\", "")
    for sign in re.findall(r"[$€£¥￥₹₽₺₩₪฿₫₴₦₱₸₡]", bare):
        marks |= _mark(sign, None)
    return marks.pop() if len(marks) == 1 else None


def _first_section(number_format: str) -> str:
    """The format of positive numbers: up to the first semicolon outside quotes."""
    within_quotes = False
    for place, sign in enumerate(number_format):
        if sign == '"':
            within_quotes = not within_quotes
        elif sign == ";" and not within_quotes:
            return number_format[:place]
    return number_format


def _mark(text: str, locale: int | None) -> set[str]:
    """The currency that a text of a format names, as a sign or a code; empty for other texts."""
    words = [word for word in re.split(r"\s+", text.replace("\\", "").strip()) if currencies.candidates(word)]
    if len(words) != 1:
        return set()
    (word,) = words
    known = _BY_LOCALE.get(word.lower().rstrip("."), {}).get(locale or 0)
    return {known or word.rstrip(".")}
