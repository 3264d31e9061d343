"""Checks that the amounts of a file can be converted, for each source of an inbox, before its rows reach `raw`.

Without a rate an amount has no value in the reporting currency, and an audit would stop the publication of all sources.
The relevant days are those on which the marts convert; the origins of rates are in `int_currency_rates_unioned`.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from funnel import settings, warehouse
from funnel.gate.report import Check

SUITE = "rates"
SEED = settings.REPOSITORY / "dbt_project" / "seeds" / "currency_rates.csv"
CURE = (
    "Give the rates: a file of the entity exchange_rates (rate_date, base_currency, rate) with its manifest in the "
    "inbox, or lines of dbt_project/seeds/currency_rates.csv; or state the currency in which the amounts really are."
)
# All rates are quoted in this currency; its own rate is 1 from the first day of the calendar.
DOLLAR = "USD"
DOLLAR_SINCE = date(2000, 1, 1)


@dataclass(frozen=True)
class Missing:
    """Rows of one stream that cannot be converted: the currency without a rate, and the first day on which it is
    needed.
    """

    currency: str
    needed_from: date
    known_from: date | None
    rows: int

    def __str__(self) -> str:
        known = f"the first known rate is from {self.known_from}" if self.known_from else "no rate is known"
        return f"{self.currency} is needed from {self.needed_from} on, and {known}"


# Money in the rows of files, by stream: (condition that there is an amount, the day on which it is converted).
_TODAY = "current_date"
_MONEY = {
    "ad_stats": ("spend <> 0 or revenue <> 0", "date_day"),
    "costs": ("amount <> 0", "month"),
    "opportunities": (
        "amount is not null or list_amount is not null or cost_amount is not null",
        f"coalesce(closed_on, closed_at::date, created_on, created_at::date, {_TODAY})",
    ),
    "orders": ("true", "coalesce(ordered_on, ordered_at::date)"),
    "sell_through": ("sales_amount <> 0", "coalesce(week_start, date_day)"),
    "targets": ("target <> 0", f"least(period_start, {_TODAY})"),
}


def checks(connection: psycopg.Connection[Any], source: str, stream: str, load_id: int) -> list[Check]:
    """A critical check that each amount of a load has an exchange rate; no check if the stream holds no money."""
    if stream not in _MONEY:
        return []
    lacking = missing(connection, stream, load_id)
    return [
        Check(
            suite=SUITE,
            table=f"raw.{source}__{stream}",
            column="currency_code",
            expectation="every amount has a rate into the reporting currency",
            severity="critical",
            passed=not lacking,
            observed={"currencies": [each.currency for each in lacking]},
            unexpected_count=sum(each.rows for each in lacking) if lacking else None,
            notes=f"{'; '.join(map(str, lacking))}. {CURE}" if lacking else None,
        )
    ]


def missing(connection: psycopg.Connection[Any], stream: str, load_id: int) -> list[Missing]:
    """The rows changed by a load that have no rate, by currency."""
    if stream not in _MONEY:
        return []
    has_money, day = _MONEY[stream]
    needed = connection.execute(
        sql.SQL(
            "select upper(currency_code), {day} as day, count(*) from {table} "
            "where _load_id = {load_id} and currency_code is not null and ({has_money}) group by 1, 2"
        ).format(
            day=sql.SQL(day),
            table=sql.Identifier("raw", f"files__{stream}"),
            load_id=load_id,
            has_money=sql.SQL(has_money),
        )
    ).fetchall()
    return _missing(needed, first_days(connection), settings.read().reporting_currency)


def _missing(
    needed: Iterable[tuple[str, date, int]], known: Mapping[str, date], reporting_currency: str
) -> list[Missing]:
    found: dict[str, Missing] = {}
    for stated, day, rows in needed:
        if stated == reporting_currency:
            continue
        # Both are converted through the dollar.
        for currency in (stated, reporting_currency):
            since = known.get(currency)
            if since is None or since > day:
                before = found.get(currency)
                found[currency] = Missing(
                    currency,
                    min(day, before.needed_from) if before else day,
                    since,
                    rows + (before.rows if before else 0),
                )
    return sorted(found.values(), key=lambda each: each.currency)


def first_days(connection: psycopg.Connection[Any]) -> dict[str, date]:
    """The first day with a rate of each currency, over all origins of rates. Later days without a rate use the last one
    before.
    """
    known = {DOLLAR: DOLLAR_SINCE}
    with SEED.open(newline="") as lines:
        quoted = [(row["currency_code"], date.fromisoformat(row["rate_date"])) for row in csv.DictReader(lines)]
    for table, query in _QUOTATIONS.items():
        if warehouse.has_table(connection, "raw", table):
            quoted += connection.execute(query).fetchall()
    for currency, day in quoted:
        known[currency] = min(day, known.get(currency, day))
    return known


_QUOTATIONS = {
    "files__exchange_rates": b"""
        select upper(currency), min(rate_date)
        from raw.files__exchange_rates
        cross join lateral (values (base_currency), (coalesce(quote_currency, 'USD'))) as sides (currency)
        where rate > 0
        group by 1
    """,
    "exchange_rates__rates": b"""
        select currency, min(rate_date)
        from raw.exchange_rates__rates
        cross join lateral (values (currency_code), ('EUR')) as sides (currency)
        group by 1
    """,
    # A CRM's own rates are valid from the creation of its organisation.
    "salesforce__currency_types": b"""
        select distinct currency_code, '2000-01-01'::date
        from raw.salesforce__currency_types
        where currency_code is not null
    """,
}
