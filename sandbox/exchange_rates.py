"""The ECB's data portal over HTTP: daily euro reference rates as a table, on working days from 16:00 CET.

The euro's price in dollars is the rate of the simulated company; other currencies are made up around it. Other
frequencies, formats and dataflows are not simulated.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from sandbox.clock import HOUR, day_start
from sandbox.exchange import Answer, Call, Handler, Refusal, World

VENDOR = "exchange_rates"
COLUMNS = ("KEY", "FREQ", "CURRENCY", "CURRENCY_DENOM", "EXR_TYPE", "EXR_SUFFIX", "TIME_PERIOD", "OBS_VALUE")
QUOTED_FROM_HOUR = 15
# Units per euro, around which a currency moves.
AROUND = {
    "AUD": 1.66,
    "BRL": 6.1,
    "CAD": 1.55,
    "CHF": 0.94,
    "CNY": 8.1,
    "CZK": 24.6,
    "DKK": 7.46,
    "GBP": 0.86,
    "HKD": 8.9,
    "HUF": 395.0,
    "IDR": 18_900.0,
    "ILS": 4.0,
    "INR": 98.0,
    "ISK": 143.0,
    "JPY": 172.0,
    "KRW": 1_610.0,
    "MXN": 21.7,
    "MYR": 4.9,
    "NOK": 11.7,
    "NZD": 1.95,
    "PHP": 66.0,
    "PLN": 4.25,
    "RON": 5.06,
    "SEK": 11.1,
    "SGD": 1.5,
    "THB": 37.6,
    "TRY": 48.0,
    "ZAR": 20.6,
}
CURRENCIES = sorted((*AROUND, "USD"))


def is_working_day(day: date) -> bool:
    """False for weekends, New Year, Labour Day and Christmas. Mondays are always working days: the company changes its
    rates then.
    """
    holidays = {(1, 1), (5, 1), (12, 25), (12, 26)}
    return day.weekday() < 5 and ((day.month, day.day) not in holidays or day.weekday() == 0)


def rate(world: World, currency: str, day: date) -> str | None:
    """The ECB's rate of a currency on a day; None if it publishes none."""
    if not is_working_day(day):
        return None
    if currency == "USD":
        known = world.scenario.dollars_per_euro
        place = bisect_right([since for since, _ in known], day)
        return known[place - 1][1] if place else None
    swing = ((day.toordinal() * 7_919 + sum(map(ord, currency))) % 200 - 100) / 10_000
    return f"{AROUND[currency] * (1 + swing):.5g}"


def _quotations(world: World, call: Call, currencies: list[str], first: date, last: date) -> Iterator[dict[str, str]]:
    for currency in currencies:
        day = first
        while day <= last and day_start(day) + QUOTED_FROM_HOUR * HOUR <= call.now:
            value = rate(world, currency, day)
            if value is not None:
                key = ("D", currency, "EUR", "SP00", "A")
                cells = (f"EXR.{'.'.join(key)}", *key, day.isoformat(), value)
                yield dict(zip(COLUMNS, cells, strict=True))
            day += timedelta(days=1)


def _write(table: Any) -> bytes:
    rows = table["rows"]
    out = io.StringIO()
    names = list(dict.fromkeys((name for row in rows for name in row) if rows else COLUMNS))
    writer = csv.DictWriter(out, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def error(status: int, text: str) -> Answer:
    return Answer(status=status, text=text, content_type="text/plain;charset=UTF-8")


def _asked(call: Call, parts: dict[str, str]) -> list[str]:
    named = parts["currencies"].split("+") if parts["currencies"] else CURRENCIES
    return [each for each in CURRENCIES if each in named]


def series(world: World, call: Call, parts: dict[str, str]) -> Answer:
    if call.query.get("format") != "csvdata":
        return error(406, "The sandbox writes csvdata only.")
    try:
        first = date.fromisoformat(call.query.get("startPeriod", "1999-01-04"))
        last = date.fromisoformat(call.query.get("endPeriod", "2099-12-31"))
    except ValueError as problem:
        raise Refusal(error(400, "Invalid period")) from problem
    rows = list(_quotations(world, call, _asked(call, parts), first, last))
    if not rows:
        return error(404, "No results found.")
    return Answer({"rows": rows}, content_type="text/csv", encode=_write)


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", r"/service/data/EXR/D\.(?P<currencies>[A-Z+]*)\.EUR\.SP00\.A", series),
)


def stream_of(world: World, call: Call) -> str | None:
    return "rates" if call.path.startswith("/service/data/EXR/") else None


def is_later_page(call: Call) -> bool:
    """Lists have no pages; a request without the first currency counts as a later page."""
    return f"D.{CURRENCIES[0]}" not in call.path


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("rows") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """A table with only its header."""
    return {"rows": []}
