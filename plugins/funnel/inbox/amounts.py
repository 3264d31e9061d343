"""Numbers in files: decimal and thousands signs, currencies, brackets, per cent."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from funnel.inbox import currencies
from funnel.inbox.errors import BadCell, Unclear

_LETTER = "[^\\W\\d_]|[$€£¥₹₽₺₩₪฿₫₴₦₱₸₡%]"
_WORD = f"(?:{_LETTER})(?:{_LETTER}|[.](?![0-9]))*"
_WORDS = rf"{_WORD}(?:\s+{_WORD})?"

_AMOUNT = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[-+\u2212\u2013])?\s*(?P<before>{_WORDS})?\s*"
    rf"(?P<sign2>[-+\u2212\u2013])?\s*"
    rf"(?P<digits>[0-9.,'\u2019 \u00a0\u202f\u2009]*[0-9][.,]?(?:[eE][-+]?[0-9]+)?)"
    rf"\s*(?P<behind>{_WORDS})?\s*(?P<sign3>[-\u2212\u2013])?\s*(?P<close>\))?"
)

_SPACES = str.maketrans("", "", " '\u2019\u00a0\u202f\u2009")
PLAIN_NUMBER = r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"
PLAIN_INTEGER = r"^-?[0-9]{1,18}$"


@dataclass(frozen=True)
class Amount:
    """A number as PostgreSQL writes it, and the currency's sign or code beside it."""

    value: str
    mark: str | None
    is_percent: bool = False


def number(text: str, decimal: str, thousands: str | None) -> str:
    """A number without a currency or a per cent sign. Raises BadCell."""
    read = amount(text, decimal, thousands)
    if read.is_percent:
        raise BadCell("is a percentage, which only rates and probabilities can be")
    if read.mark:
        raise BadCell(f"names a currency ({read.mark}), but the column does not hold money")
    return read.value


def _words(text: str) -> tuple[str | None, Decimal, bool]:
    """(currency sign or code, factor of the unit, whether it is a percentage) from the words next to a number."""
    mark, factor, is_percent = None, Decimal(1), False
    for word in text.split():
        plain = word.lower().rstrip(".")
        if currencies.candidates(word):
            if mark and mark != word:
                raise BadCell(f"names two currencies, {mark} and {word}")
            mark = word
        elif plain in currencies.PERCENT:
            is_percent = True
        elif plain in currencies.UNITS:
            factor *= currencies.UNITS[plain]
        elif plain in currencies.AMBIGUOUS:
            raise BadCell(f"has the unit {word!r}, which can mean thousand or million; state scale")
        else:
            raise BadCell(f"is not a number: {word[:20]!r} is neither a currency (ISO 4217 code or sign) nor a unit")
    return mark, factor, is_percent


def amount(text: str, decimal: str, thousands: str | None) -> Amount:
    """A number with its currency or unit. Raises BadCell."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise BadCell("is not a number")
    mark, factor, is_percent = _words(f"{found['before'] or ''} {found['behind'] or ''}")
    if bool(found["open"]) != bool(found["close"]):
        raise BadCell("is not a number: it has only one bracket")
    digits = found["digits"]
    signs = [sign for sign in (found["sign"], found["sign2"], found["sign3"]) if sign and sign != "+"]
    negative = bool(found["open"]) or len(signs) % 2 == 1
    grouping = thousands if thousands else ("," if decimal == "." else ".")
    whole, point, fraction = digits.partition(decimal)
    if decimal in fraction or grouping in fraction:
        raise BadCell(f"is not a number with {decimal!r} before the decimals")
    signs_between = rf"[{re.escape(grouping)} '\u2019\u00a0\u202f\u2009]"
    if re.search(signs_between, whole) and not re.fullmatch(
        rf"[0-9]{{1,3}}(?:(?P<group>{signs_between})[0-9]{{3}})(?:(?P=group)[0-9]{{3}})*"
        rf"|[0-9]{{1,2}}(?:{re.escape(grouping)}[0-9]{{2}})+{re.escape(grouping)}[0-9]{{3}}",
        whole.strip(),
    ):
        raise BadCell(f"is not a number: its digits are not in groups of three before {decimal!r}")
    plain = whole.replace(grouping, "").translate(_SPACES) + ("." + fraction.translate(_SPACES) if point else "")
    try:
        value = Decimal(plain.rstrip("."))
    except InvalidOperation:
        raise BadCell("is not a number") from None
    if value.adjusted() > 60 or -value.as_tuple().exponent > 60:  # type: ignore[operator]
        raise BadCell("is a number out of range")
    value *= factor
    return Amount(format(-value if negative and value else value, "f"), mark, is_percent)


# Patterns (for Arrow) of cells that prove a decimal sign.
_BEFORE, BEHIND = r"(^|[^0-9.,])", r"([^0-9.,]|$)"


def _proof(point: str, group: str) -> str:
    """A pattern of numbers that are only possible with this decimal sign."""
    forms = (
        rf"[0-9]*{point}[0-9]{{1,2}}",
        rf"[0-9]*{point}[0-9]{{4,}}",
        rf"[0-9]{{4,}}{point}[0-9]+",
        rf"0{point}[0-9]+",
        rf"[0-9]{{1,3}}({group}[0-9]{{3}})+{point}[0-9]+",
        rf"[0-9]{{1,3}}({group}[0-9]{{3}}){{2,}}",
    )
    return rf"{_BEFORE}({'|'.join(f'({form})' for form in forms)}){BEHIND}"


POINT_PROOF = _proof(r"\.", ",")
# Amounts in real have a decimal comma by law.
COMMA_PROOF = _proof(",", r"\.") + r"|R\$.*[.,]"
UNCLEAR_NUMBER = rf"{_BEFORE}[1-9][0-9]{{0,2}}[.,][0-9]{{3}}{BEHIND}"


def decimal_sign(points: int, commas: int, unclear: int, example: str) -> str:
    """The decimal sign of a file, as its cells prove it. Raises Unclear if they prove both or neither."""
    if points > 20 * commas or (points and not commas):
        return "."
    if commas > 20 * points:
        return ","
    if points:
        raise Unclear(
            f"{points} numbers have a decimal point and {commas} a decimal comma; "
            'state the decimal sign of the file, decimal: "." or decimal: ","'
        )
    if unclear:
        raise Unclear(
            f"{example!r} may be a thousand times more or less, and no number in the file decides it; "
            'state decimal: "." or decimal: ","'
        )
    return "."


def share(text: str, decimal: str, thousands: str | None, is_percent: bool, is_mixed: bool = False) -> str:
    """A share between 0 and 1, also written as per cent. Raises BadCell."""
    read = amount(text, decimal, thousands)
    if read.mark:
        raise BadCell(f"names a currency ({read.mark}), but is a share")
    value = Decimal(read.value)
    if is_mixed and is_percent and not read.is_percent and 0 < value < 1:
        raise BadCell("may be a share or a percentage: most cells of the column are percentages; write % behind it")
    if read.is_percent or is_percent:
        value /= 100
    if not 0 <= value <= 1:
        raise BadCell("is not a share between 0 and 1, nor a percentage")
    return format(value, "f")
