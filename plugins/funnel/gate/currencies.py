"""Checks that every loaded amount has a currency, so that none counts in a guessed currency (MON-2).

The rule is the same for ads, deals and orders; the streams declare their columns with amounts (`contract.Money`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Money, Source, Stream, raw_table
from funnel.ingest.home_currency import lacks_currency

SUITE = "currencies"
EXPECTATION = "every amount has a currency"


@dataclass(frozen=True)
class Lacking:
    """Amounts without a currency in the loaded rows of one stream, counted by connection; empty if all have one."""

    source: str
    stream: str
    table: str
    column: str
    rows: dict[str, int]

    @property
    def cure(self) -> str:
        """The message for the check: how many rows, of which connections, and what to do."""
        found = ", ".join(f"{rows} rows of connection {name}" for name, rows in self.rows.items())
        return (
            f"Stream {self.stream}: {found} hold an amount and no currency. Write the currency of that account into "
            'the connection\'s extra, for example {"currency": "EUR"}, and run '
            f"ingest__{self.source} for the same days again; rows that were loaded earlier get it as well."
        )


def lacking(
    connection: psycopg.Connection[Any],
    source: Source,
    loads: Sequence[Mapping[str, Any]],
    suspects: Sequence[Mapping[str, Any]] = (),
) -> Iterator[Lacking]:
    """The amounts without a currency in these loads, for each of their streams that holds money.

    `suspects` are loads that failed before: a record that the vendor sends again unchanged keeps the load id of its
    first load.
    """
    for stream in source.streams:
        asked = loads if stream.day else (*loads, *suspects)
        mine = [load for load in asked if load["stream"] == stream.name]
        if stream.money and mine:
            table = raw_table(source, stream)
            rows = _rows(connection, stream, stream.money, table, mine)
            yield Lacking(source.name, stream.name, f"raw.{table}", stream.money.currency, rows)


def _rows(
    connection: psycopg.Connection[Any], stream: Stream, money: Money, table: str, loads: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    query = sql.SQL("select _connection_id, count(*) from {} where ({}) and {} group by 1 order by 1").format(
        sql.Identifier("raw", table),
        sql.SQL(" or ").join(_scope(stream, load) for load in loads),
        lacks_currency(money),
    )
    return dict(connection.execute(query).fetchall())


def _scope(stream: Stream, load: Mapping[str, Any]) -> sql.Composed:
    if stream.day is None:
        return sql.SQL("_load_id = {}").format(sql.Literal(load["load_id"]))
    return sql.SQL("(_connection_id = {} and {day} >= {} and {day} < {})").format(
        sql.Literal(load["connection_id"]),
        sql.Literal(load["window_from"]),
        sql.Literal(load["window_to"]),
        day=sql.Identifier(stream.day),
    )
