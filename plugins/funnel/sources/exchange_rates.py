"""Exchange rates: the euro reference rates of the European Central Bank, over its data portal.

A rate is the price of one euro in a currency. Quoted on working days about 16:00 Central European Time; weekends and
holidays have no rate and are not filled here: the conversion uses the last rate.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from funnel.contract import Column, Connection, Source, Stream, Window
from funnel.rest import bodies, errors, messages, pages
from funnel.rest.client import Dialect, connect
from funnel.rest.errors import UnreadableBody

# What the ECB quotes in November 2026. HRK and BGN joined the euro; RUB is suspended.
CURRENCIES = (
    *("AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JPY"),
    *("KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "SEK", "SGD", "THB", "TRY", "USD", "ZAR"),
)
# Rates are compared in dollars, so the dollar is always requested.
ANCHOR = "USD"
DEFAULT_PAGE_SIZE = 50
# No series of holidays is this long: an answer without a row for so many days is an error.
LONGEST_SILENCE_DAYS = 10

STREAMS = (
    Stream(
        name="rates",
        kind="dated",
        key=("currency_code", "rate_date"),
        day="rate_date",
        columns=(
            Column("rate_date", "date", "TIME_PERIOD", required=True),
            Column("currency_code", "text", "CURRENCY", required=True),
            Column("units_per_euro", "numeric", "OBS_VALUE", required=True),
        ),
        ignored=("KEY", "FREQ", "CURRENCY_DENOM", "EXR_TYPE", "EXR_SUFFIX"),
    ),
)


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
    """The rates of the connection's currencies, in groups, as tables cut to the window."""
    currencies = sorted({*_currencies(connection), ANCHOR})
    with connect(DIALECT, connection) as client:
        for some in pages.in_chunks(currencies, int(connection.extra.get("page_size", DEFAULT_PAGE_SIZE))):
            # The portal answers 404 both without a quotation and for a wrong key: some more days are requested.
            request = messages.Request(
                "GET",
                f"/service/data/EXR/D.{'+'.join(some)}.EUR.SP00.A",
                params={
                    "startPeriod": str(window.from_day - timedelta(days=LONGEST_SILENCE_DAYS)),
                    "endPeriod": str(window.days[-1]),
                    "detail": "dataonly",
                    "format": "csvdata",
                },
                reads=_read,
            )
            for page in pages.read_pages(client, request, pages.one_page):
                yield _cut(page.body, window)


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The quotations of one table. A holiday without a value is not a quotation."""
    for record in bodies.read_csv(body):
        if not isinstance(record, dict) or record.get("OBS_VALUE", "?") not in ("", "NaN"):
            yield record


def _currencies(connection: Connection) -> list[str]:
    named = connection.extra.get("currencies") or CURRENCIES
    listed = named.split(",") if isinstance(named, str) else named
    currencies = [str(each).strip().upper() for each in listed]
    strange = [each for each in currencies if len(each) != 3 or not each.isalpha()]
    if strange:
        advice = 'Write ISO 4217 codes into the connection\'s extra: {"currencies": ["USD", "GBP"]}.'
        raise errors.refuse("exchange_rates", connection, f"{strange[0]!r} is not a currency", advice)
    return [each for each in currencies if each != "EUR"]


def _read(headers: Mapping[str, str], body: bytes) -> list[Any] | None:
    """The table, or None if it is incomplete: all currencies are quoted on the same days, so the last row must be of
    the newest day. Currencies that are no longer quoted, and single irregular days, do not matter.
    """
    try:
        rows = list(bodies.read_csv(body))
    except UnreadableBody:
        return None
    quoted = [(row["CURRENCY"], day) for row in rows if isinstance(row, dict) and (day := _day(row))]
    if not quoted or not isinstance(rows[-1], dict):
        return None
    currencies = {currency for currency, _ in quoted}
    last_currency, last_day = quoted[-1]
    later = {currency for currency, day in quoted if day > last_day} - {last_currency}
    return rows if len(later) <= (1 if len(currencies) > 2 else 0) else None


def _day(row: dict[str, Any]) -> str | None:
    day = str(row.get("TIME_PERIOD", ""))
    return day if "CURRENCY" in row and _ISO_DAY.fullmatch(day) else None


_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _cut(body: bytes, window: Window) -> bytes:
    """The table without days that were not requested. A row without a readable day is left to the load."""
    header, *rows = csv.reader(io.StringIO(bodies.read_text(body), newline=""))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for number, row in enumerate(rows, start=2):
        record = bodies.record(header, row, number)
        day = _day(record) if isinstance(record, dict) else None
        if row and (day is None or str(window.from_day) <= day < str(window.to_day)):
            writer.writerow(row)
    return out.getvalue().encode("utf-8", "surrogateescape")


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    """The portal needs no login."""
    return replace(request, headers={**request.headers, "Accept": "text/csv"})


def _diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    if answer.status == 404:
        return messages.Diagnosis(
            errors.Refused,
            "nothing is quoted for these currencies and days",
            advice="Check `currencies` in the connection's extra, and its host; there are rates since 1999.",
        )
    if answer.status == 400:
        return messages.Diagnosis(
            errors.Refused, "the question is not understood", advice="Check the connection's host."
        )
    return None


DIALECT = Dialect("exchange_rates", sign=_sign, diagnose=_diagnose)

SOURCE = Source(
    name="exchange_rates",
    streams=STREAMS,
    # The ECB corrects a rate on the same day, if ever; one more day, since the afternoon's rate may come late.
    restatement_days=1,
    fetch=fetch,
    records=records,
    owner="finance",
)
