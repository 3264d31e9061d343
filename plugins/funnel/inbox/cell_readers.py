"""The reader of one field: from the text of a cell to the text that PostgreSQL reads, or the reason why not."""

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

from funnel.inbox import amounts, cell_values, errors, moments
from funnel.inbox.entities import Field
from funnel.inbox.reading import Reading


def _number(text: str, reading: Reading, *, is_money: bool) -> str:
    if reading.quarantines_unclear and re.search(amounts.UNCLEAR_NUMBER, text):
        raise errors.BadCell('may be a thousand times more or less; state decimal: "." or decimal: ","')
    if not is_money:
        return amounts.number(text, reading.decimal, reading.thousands)
    read = amounts.amount(text, reading.decimal, reading.thousands)
    if read.is_percent:
        raise errors.BadCell("is a percentage, which only rates and probabilities can be")
    return f"{read.value}\0{read.mark}" if read.mark else read.value


def _integer(text: str, reading: Reading) -> str:
    plain = amounts.number(text, reading.decimal, reading.thousands)
    whole, _, fraction = plain.partition(".")
    if fraction.strip("0"):
        raise errors.BadCell("is not a whole number")
    if len(whole.lstrip("-")) > 18:
        raise errors.BadCell("is outside the range of whole numbers")
    return whole


def reader_of(each: Field, reading: Reading, zone: ZoneInfo, *, is_money: bool, stated: bool) -> cell_values.Remembered:
    """A reader that caches its results. An amount with a currency returns the sign or code after a NUL."""
    formats = reading.formats.get(each.name) or ()
    is_percent, is_mixed = each.name in reading.percents, each.name in reading.mixed
    has_times = each.name in reading.timed

    def dated(read: Callable[[str, str | None], str]) -> Callable[[str], str]:
        def by_any(text: str) -> str:
            for one in formats:
                try:
                    return read(text, one)
                except errors.OtherForm:
                    continue
            if not formats:
                return read(text, None)
            origin = "stated in the manifest" if stated else "found in the file; state date_format if it is another"
            raise errors.BadCell(f"is not a date of the form {' or '.join(formats)} ({origin})")

        return by_any

    def moment(text: str, one: str | None) -> str:
        time, day = moments.moment(text, one, zone, has_times=has_times)
        return f"{time or ''}\0{day or ''}"

    def dated_or_week(text: str) -> str:
        return moments.week(text) or dated(moments.day)(text)

    readers: dict[str, Callable[[str], str]] = {
        "number": lambda text: _number(text, reading, is_money=is_money),
        "integer": lambda text: _integer(text, reading),
        "share": lambda text: amounts.share(text, reading.decimal, reading.thousands, is_percent, is_mixed),
        "date": dated_or_week if each.is_week else dated(moments.day),
        "month": dated(moments.month),
        "moment": dated(moment),
        "stage": lambda text: cell_values.stage(text, each.values),
        "currency": cell_values.currency,
    }
    return cell_values.Remembered(readers.get(each.kind, lambda text: text))
