"""Days and times in files: order of day and month, time zones, weeks, serial numbers."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from funnel.inbox.errors import BadCell, OtherForm, Unclear
from funnel.inbox.month_names import in_english

_DATE_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d.%m.%y", "%m.%d.%y", "%y.%m.%d", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d",
    "%d %b %Y", "%d-%b-%Y", "%d/%b/%Y", "%d-%b-%y", "%d %b %y", "%b %d %Y", "%b %d, %Y", "%Y-%b-%d",
    "%d %B %Y", "%d. %B %Y", "%B %d %Y", "%B %d, %Y",
)  # fmt: skip

_MONTH_FORMATS = ("%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%m-%Y", "%b %Y", "%B %Y", "%b-%y", "%b-%Y", "%Y%m")

_TIME = re.compile(
    r"(?P<date>.*?\d{2,4}|\d{1,2}[^ T]*\d)(?:T|,? +)(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
)

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
EARLIEST, LATEST = 1900, 2200


def split_time(text: str) -> tuple[str, re.Match[str] | None]:
    """A date's text, and the match of the time after it, if any."""
    found = _TIME.fullmatch(text)
    return (found["date"].strip().rstrip(","), found) if found else (text, None)


def has_time(text: str) -> bool:
    """True if a time other than midnight follows a date."""
    found = split_time(text)[1]
    if found is None:
        return False
    return any(int(found[part] or 0) for part in ("minute", "second", "fraction")) or int(found["hour"]) % 12 != 0


def date_format(texts: Iterable[str], column: str, *, months: bool = False) -> str | None:
    """The format of a column's dates; None for an empty column. Raises Unclear.

    Cells that no format reads are ignored here; they become bad rows later.
    """
    formats: tuple[str, ...] = (*_MONTH_FORMATS, *_DATE_FORMATS) if months else _DATE_FORMATS
    days = {split_time(text)[0] for text in texts}
    # ISO dates are read in any column.
    others = {text for text in days if not _ISO_DAY.fullmatch(text)}
    if others:
        days = others
    else:
        formats = ("%Y-%m-%d",)
    read: dict[str, dict[str, date]] = {}
    for stated in formats:
        parsed = {text: day for text in days if (day := _parse(text, stated)) is not None}
        if parsed:
            read[stated] = parsed
    if not read:
        return None
    best = max(len(parsed) for parsed in read.values())
    winners = [stated for stated, parsed in read.items() if len(parsed) == best]
    for other in winners[1:]:
        if set(read[other]) == set(read[winners[0]]) and read[other] != read[winners[0]]:
            raise Unclear(_ambiguous(column, winners[0], other, read))
    chosen = winners[0]
    # If another order reads what this one cannot, the column mixes two, and days that both can read are ambiguous.
    for other, parsed in read.items():
        proof = set(parsed) - set(read[chosen])
        both = {text for text in parsed if text in read[chosen] and parsed[text] != read[chosen][text]}
        if proof and both:
            raise Unclear(
                f"{column} is written both as {chosen} ({_example(set(read[chosen]) - set(parsed))}) and as {other} "
                f"({_example(proof)}), so that {_example(both)} may be either day; repair the file or state date_format"
            )
    return chosen


def refuse_swapped(texts: Iterable[str], column: str) -> None:
    """Raises Unclear for dates of a spreadsheet some of which were read with day and month swapped.

    A program that expects the month first turns a text with a day up to 12 into a (wrong) date, and leaves the rest as
    text.
    """
    dates, days = set(), set()
    for text in texts:
        day = split_time(text)[0]
        if _ISO_DAY.fullmatch(day):
            dates.add(day)
        elif found := re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})", day):
            days.add((max(int(found[1]), int(found[2])), day))
    if len(dates) < 2 or not days or not all(largest > 12 for largest, _ in days):
        return
    if all(int(day[8:]) <= 12 for day in dates):
        raise Unclear(
            f"{column} mixes real dates, none of a day after the 12th ({min(dates)}), with texts that all have one "
            f"({min(days)[1]}): the program that saved the workbook has swapped days and months of the real ones. "
            f"Export it again with the dates as text or as YYYY-MM-DD, or state date_format if they are right"
        )


def _ambiguous(column: str, one: str, other: str, read: dict[str, dict[str, date]]) -> str:
    text = next(text for text in sorted(read[one]) if read[one][text] != read[other].get(text))
    return (
        f"{column} is ambiguous: {text} may be {read[one][text]} ({one}) or {read[other].get(text)} ({other}), and no "
        f'row says which; state date_format: {{{column}: "{one}"}} in the manifest'
    )


def _example(texts: set[str]) -> str:
    return min(texts, default="none")


def _parse(text: str, stated: str) -> date | None:
    try:
        moment = datetime.strptime(text, stated)  # noqa: DTZ007 - a day has no zone
    except ValueError:
        if "%b" not in stated and "%B" not in stated:
            return None
        try:
            moment = datetime.strptime(in_english(text), stated.replace("%B", "%b"))  # noqa: DTZ007
        except ValueError:
            return None
    return moment.date() if EARLIEST <= moment.year < LATEST else None


def moment(text: str, stated: str | None, zone: ZoneInfo, *, has_times: bool = False) -> tuple[str | None, str | None]:
    """(time in UTC, day): one of both. Times without an offset are in `zone`. Raises BadCell."""
    if stated and "%" in stated and re.search(r"%[HIMSpTRXcfzZ]", stated):
        try:
            found = datetime.strptime(text, stated)  # noqa: DTZ007 - the zone follows
        except ValueError:
            pass
        else:
            _check_year(found.year)
            return _in_utc(found, zone), None
    if stated in COUNTED and not split_time(text)[1] and not _ISO_DAY.fullmatch(text):
        found = _counted(text, stated)
        if stated != "serial":
            return _in_utc(found.replace(tzinfo=UTC), zone), None
        return (_in_utc(found, zone), None) if found.time() != time_of_day() else (None, found.date().isoformat())
    day_text, time = split_time(text)
    day = _day(day_text, stated)
    if time is None:
        return None, day.isoformat()
    hour = int(time["hour"])
    half = (time["half"] or "").lower().replace(".", "")
    if half and not 1 <= hour <= 12:
        raise BadCell(f"has no hour {hour} {half}")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        found = datetime.combine(
            day,
            time_of_day(
                hour,
                int(time["minute"]),
                int(time["second"] or 0),
                int((time["fraction"] or "0")[:6].ljust(6, "0")),
            ),
        )
    except ValueError:
        raise BadCell("is not a time of the day") from None
    offset = time["zone"]
    # Exports write midnight after each date: it is a day if no row of the column has another time.
    if not offset and not has_times and found.time() == time_of_day():
        return None, day.isoformat()
    if offset:
        sign = offset.replace("UTC", "Z").replace("GMT", "Z")
        found = datetime.fromisoformat(f"{found.isoformat()}{'+00:00' if sign == 'Z' else _padded(sign)}")
    return _in_utc(found, zone), None


def _padded(offset: str) -> str:
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return f"{offset[0]}{digits[:2]}:{digits[2:]}"


def _in_utc(found: datetime, zone: ZoneInfo) -> str:
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC).isoformat()


# Counted moments: the manifest's name for each, its epoch, its unit in seconds, and its name in messages.
COUNTED = {
    "serial": (datetime(1899, 12, 30), Decimal(86_400), "a spreadsheet's serial number"),  # noqa: DTZ001
    "unix": (datetime(1970, 1, 1), Decimal(1), "seconds since 1970"),  # noqa: DTZ001
    "unix_ms": (datetime(1970, 1, 1), Decimal("0.001"), "milliseconds since 1970"),  # noqa: DTZ001
    "unix_us": (datetime(1970, 1, 1), Decimal("0.000001"), "microseconds since 1970"),  # noqa: DTZ001
}


def _counted(text: str, stated: str) -> datetime:
    """A moment written as a number: days since 1899-12-30 (spreadsheets), or a count since 1970 in UTC.
    Raises BadCell.
    """
    since, seconds, called = COUNTED[stated]
    try:
        counted = Decimal(text) * seconds
        if not 0 < counted < 200_000 * 86_400:
            raise OtherForm(f"is not {called} between 1900 and 2447")
    except InvalidOperation:
        raise OtherForm(f"is not {called}") from None
    if stated == "serial":
        counted = counted.to_integral_value()
    return since + timedelta(microseconds=int(counted * 1_000_000))


def _hint(text: str) -> str:
    """The counted moment that a number could be, and how to state it in the manifest."""
    if not re.fullmatch(r"[0-9]{5}([.][0-9]+)?|[0-9]{10}|[0-9]{13}|[0-9]{16}", text):
        return ""
    stated = {10: "unix", 13: "unix_ms", 16: "unix_us"}.get(len(text), "serial")
    return f"; if it is {COUNTED[stated][2]} ({_counted(text, stated):%Y-%m-%d}), state date_format: {stated}"


def _day(text: str, stated: str | None) -> date:
    if stated in COUNTED and not _ISO_DAY.fullmatch(text):
        return _counted(text, stated).date()
    # An ISO date has one meaning, unless the stated format begins in the same way and has another order.
    if _ISO_DAY.fullmatch(text) and not (stated and stated.startswith("%Y-") and stated != "%Y-%m-%d"):
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise BadCell("is not a day of the calendar") from None
        _check_year(day.year)
        return day
    day_format = re.split(r"[T ,]*%[HI]", stated)[0] if stated else None
    found = _parse(text, day_format) if day_format else None
    if found is None:
        raise OtherForm(f"is not a date of the form {stated}" if stated else f"is not a date{_hint(text)}")
    return found


def _check_year(year: int) -> None:
    if not EARLIEST <= year < LATEST:
        raise BadCell(f"is in the year {year}")


def day(text: str, stated: str | None) -> str:
    """An ISO date; a time after it is dropped. Raises BadCell."""
    return _day(split_time(text)[0], stated).isoformat()


_WEEK_WORD = r"(?:W|S|KW|CW|Wk|Week|Sem|Semaine|Semana|Settimana|Woche|Uge|Vecka)"

_WEEKS = (
    re.compile(rf"(?P<year>\d{{4}})[-/ ]?{_WEEK_WORD}[.]? ?(?P<week>\d{{1,2}})", re.IGNORECASE),
    re.compile(rf"{_WEEK_WORD}[.]? ?(?P<week>\d{{1,2}})[-/., ]+(?P<year>\d{{4}})", re.IGNORECASE),
)


def week(text: str) -> str | None:
    """The Monday of the ISO week that a text names, such as 2026-W05 or KW 5/2026; None if it names none.

    Raises BadCell for a week that its year does not have.
    """
    found = next((match for form in _WEEKS if (match := form.fullmatch(text.strip()))), None)
    if found is None:
        return None
    try:
        monday = date.fromisocalendar(int(found["year"]), int(found["week"]), 1)
    except ValueError:
        raise BadCell(f"is not a week: {found['year']} has no week {found['week']}") from None
    _check_year(monday.year)
    return monday.isoformat()


def month(text: str, stated: str | None) -> str:
    """The first day of the month named. Raises BadCell."""
    if re.fullmatch(r"\d{4}-\d{2}", text):
        return _day(f"{text}-01", None).isoformat()
    return _day(split_time(text)[0], stated).replace(day=1).isoformat()
