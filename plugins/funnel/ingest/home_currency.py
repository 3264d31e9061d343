"""Stores the currency of amounts without one: that of the vendor's portal, otherwise the connection's setting
`currency`.

It is stored with the rows when they are loaded (MON-2). If neither states it, the column stays empty, and the gate
stops the delivery (`funnel.gate.currencies`); the reporting currency is never assumed.
"""

from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Money, Stream
from funnel.ingest.raw_tables import Loading


def lacks_currency(money: Money) -> sql.Composed:
    """The SQL condition of a row that holds an amount, even 0, and names no currency."""
    held = [sql.SQL("{} is not null").format(sql.Identifier(name)) for name in money.amounts]
    empty = sql.SQL("nullif(btrim({}), '') is null").format(sql.Identifier(money.currency))
    return sql.SQL("{} and ({})").format(empty, sql.SQL(" or ").join(held) if held else sql.SQL("true"))


def fill(connection: psycopg.Connection[Any], stream: Stream, table: sql.Identifier, currency: str | None) -> None:
    """Write the known currency into the rows of a load that name none."""
    if stream.money and currency:
        connection.execute(
            sql.SQL("update {} set {} = {} where nullif(btrim({}), '') is null").format(
                table,
                sql.Identifier(stream.money.currency),
                sql.Literal(currency),
                sql.Identifier(stream.money.currency),
            )
        )


def fill_older(loading: Loading) -> None:
    """Write the currency into rows loaded before it was known: all of a connection, or the read's days of a dated
    stream.
    """
    stream, landed = loading.stream, loading.landed
    if not (stream.money and landed.currency):
        return
    days: sql.Composable = sql.SQL("true")
    if stream.day:
        days = sql.SQL("{day} >= {first} and {day} < {end}").format(
            day=sql.Identifier(stream.day),
            first=sql.Literal(landed.window.from_day),
            end=sql.Literal(landed.window.to_day),
        )
    loading.connection.execute(
        sql.SQL(
            "update {} set {} = {}, _load_id = {} where _connection_id = {} and nullif(btrim({}), '') is null and {}"
        ).format(
            loading.target.table,
            sql.Identifier(stream.money.currency),
            sql.Literal(landed.currency),
            sql.Literal(loading.load_id),
            sql.Literal(landed.connection_id),
            sql.Identifier(stream.money.currency),
            days,
        )
    )
