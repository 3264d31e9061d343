"""The currency of amounts that name none: what the vendor says of its portal, else the connection's setting `currency`.

It is stored with the rows when they are loaded, so that nothing later has to guess. Where neither says it the column
stays empty, and the gate stops the delivery (`funnel.gate.currencies`); the reporting currency is never taken instead.
"""

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from funnel import rest
from funnel.contract import Connection, Money, Stream
from funnel.inbox.currencies import CODES

if TYPE_CHECKING:
    from funnel.landing import LandedRead


def stated(source: str, connection: Connection) -> str | None:
    """The setting `currency` of a connection. Raises Refused unless it is an ISO 4217 code."""
    setting = connection.extra.get("currency")
    if setting in (None, ""):
        return None
    code = str(setting).strip().upper()
    if code not in CODES:
        advice = 'Write an ISO 4217 code into currency in the connection\'s extra, for example {"currency": "EUR"}.'
        raise rest.refuse(source, connection, f"currency is {setting!r}, which is not an ISO 4217 code", advice)
    return code


def settled(source: str, connection: Connection, found: str | None) -> str | None:
    """The one of both that is known. Raises Refused where the vendor and the setting contradict."""
    setting = stated(source, connection)
    if found and setting and found != setting:
        advice = f"Take currency out of the connection's extra, or write {found} there."
        message = f"the setting currency is {setting}, but the vendor says that the currency is {found}"
        raise rest.refuse(source, connection, message, advice)
    return found or setting


def lacks_currency(money: Money) -> sql.Composed:
    """The condition of a row that holds an amount, be it 0, and names no currency."""
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


def fill_older(
    connection: psycopg.Connection[Any], stream: Stream, table: sql.Identifier, landed: "LandedRead", load_id: int
) -> None:
    """And into rows that were loaded before it was known: all of a connection, of a dated stream those of its days."""
    if not (stream.money and landed.currency):
        return
    days: sql.Composable = sql.SQL("true")
    if stream.day:
        days = sql.SQL("{day} >= {first} and {day} < {end}").format(
            day=sql.Identifier(stream.day),
            first=sql.Literal(landed.window.from_day),
            end=sql.Literal(landed.window.to_day),
        )
    connection.execute(
        sql.SQL(
            "update {} set {} = {}, _load_id = {} where _connection_id = {} and nullif(btrim({}), '') is null and {}"
        ).format(
            table,
            sql.Identifier(stream.money.currency),
            sql.Literal(landed.currency),
            sql.Literal(load_id),
            sql.Literal(landed.connection_id),
            sql.Identifier(stream.money.currency),
            days,
        )
    )
