"""Silently deleted records: found by a listing of ids, marked and kept, and valid again when they return."""

import argparse
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from funnel import cli, ledger, settings, warehouse
from funnel.contract import Connection, Stream, Window
from funnel.ingest import landing, load, plan, reconcile
from funnel.ingest.errors import ListingRefused, LoadError
from funnel.ingest.landing import LandedRead
from funnel.rest.listing import ids_body
from funnel.sources import SOURCES

WINDOW = Window(date(2026, 11, 20), date(2026, 11, 21), until_now=True)
ENVELOPES: dict[str, Callable[[list[Any]], Any]] = {
    "shopify": lambda records: {"data": {"orders": {"nodes": records}}},
    "hubspot": lambda records: {"results": records},
    "salesforce": lambda records: {"records": records},
}
ORDERS = "select order_id, _removed_at is not null from raw.shopify__orders order by 1"


def at(day: int, hour: int = 3) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def order(order_id: str, changed: int = 18, created: str = "2026-11-10T10:00:00Z") -> dict[str, Any]:
    return {
        "legacyResourceId": order_id,
        "createdAt": created,
        "updatedAt": f"2026-11-{changed}T10:00:00Z",
        "currencyCode": "EUR",
        "lineItems": {"nodes": []},
    }


def deal(deal_id: str, changed: int = 18, merged: str | None = None) -> dict[str, Any]:
    properties = {"hs_merged_object_ids": merged}
    return {"id": deal_id, "updatedAt": f"2026-11-{changed}T10:00:00Z", "archived": False, "properties": properties}


def read(source: str, stream: str, records: list[Any], moment: datetime) -> LandedRead:
    """A vendor's response at a moment."""

    def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
        yield json.dumps(ENVELOPES[source](records)).encode()

    made = replace(SOURCES[source], fetch=fetch)
    return landing.land(made, Connection(source, "http://x.invalid"), made.stream(stream), WINDOW, "run", moment)


def listing(
    source: str, stream: str, ids: list[str], moment: datetime, since: datetime | None = None, **extra: Any
) -> LandedRead:
    """The vendor's ids at a moment."""

    def list_ids(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
        yield ids_body(ids[:1], since)
        yield ids_body(ids[1:], since)

    made, listed = reconcile.as_read(replace(SOURCES[source], list_ids=list_ids), SOURCES[source].stream(stream))
    return landing.land(made, Connection(source, "http://x.invalid", extra=extra), listed, WINDOW, "run", moment)


@contextmanager
def loading() -> Iterator[Callable[[LandedRead], None]]:
    """Yields what loads one read after the other, each in a transaction of its own, in one session of the loader."""
    with warehouse.connect("loader") as connection:

        def load_one(landed: LandedRead) -> None:
            with connection.transaction():
                load.load_into(connection, landed)

        yield load_one


def query(sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.dsn("admin")) as connection:
        return connection.execute(sql.encode()).fetchall()


def empty(table: str) -> None:
    with psycopg.connect(settings.dsn("admin")) as connection:
        connection.execute(f"delete from {table}; delete from ops.listings; delete from ops.loads".encode())


def test_a_deleted_order_is_marked_and_kept(warehouse: str) -> None:
    load.load(read("shopify", "orders", [order("11"), order("12")], at(19)))
    landed = listing("shopify", "orders", ["11"], at(20))
    first = load.load(landed)
    assert (first.stream, first.rows_read, first.rows_retracted, first.is_new) == ("orders.ids", 1, 1, True)
    assert query(ORDERS) == [("11", False), ("12", True)]
    assert query(f"select order_id, _removed_at from raw.shopify__orders where _load_id = {first.load_id}") == [
        ("12", at(20))
    ]
    assert query("select stream, ids_listed, rows_compared, rows_removed, rows_returned from ops.listings") == [
        ("orders", 1, 2, 1, 0)
    ]
    assert ledger.has_unpublished_loads()
    again = load.load(landed)
    assert (again.load_id, again.rows_retracted, again.is_new) == (first.load_id, 1, False)
    assert query("select count(*) from ops.listings") == [(1,)]


@pytest.mark.parametrize(
    "returns",
    [
        lambda: read("shopify", "orders", [order("12")], at(21)),
        lambda: read("shopify", "orders", [order("12", changed=21)], at(21, 11)),
        lambda: listing("shopify", "orders", ["11", "12"], at(21)),
    ],
    ids=["read again as it was", "read again changed", "listed again"],
)
def test_a_record_that_comes_back_is_alive(warehouse: str, returns: Callable[[], LandedRead]) -> None:
    load.load(read("shopify", "orders", [order("11"), order("12")], at(19)))
    load.load(listing("shopify", "orders", ["11"], at(20)))
    back = load.load(returns())
    assert query(ORDERS) == [("11", False), ("12", False)]
    assert query(f"select order_id from raw.shopify__orders where _load_id = {back.load_id}") == [("12",)]
    # It is compared like any other from then on.
    load.load(listing("shopify", "orders", ["11"], at(22)))
    assert query(ORDERS) == [("11", False), ("12", True)]


def test_what_lies_beyond_the_listing_is_not_compared(warehouse: str) -> None:
    """Without read_all_orders a shop shows 60 days: an older order is hidden, not deleted."""
    old = order("1", created="2026-09-22T23:59:59Z")
    load.load(read("shopify", "orders", [old, order("11"), order("12")], at(19)))
    load.load(listing("shopify", "orders", ["11"], at(20), since=datetime(2026, 9, 23, tzinfo=UTC)))
    assert query(ORDERS) == [("1", False), ("11", False), ("12", True)]
    assert query("select since, rows_compared from ops.listings") == [(datetime(2026, 9, 23, tzinfo=UTC), 2)]


def test_what_was_read_after_the_listing_is_not_compared(warehouse: str) -> None:
    load.load(read("shopify", "orders", [order("11")], at(19)))
    load.load(read("shopify", "orders", [order("13")], at(20, 4)))
    load.load(listing("shopify", "orders", ["11"], at(20)))
    assert query(ORDERS) == [("11", False), ("13", False)]


# Of all 120 orders every seventh: among them each read is the first one, and each comes before each other one.
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.soak)], ids=["some orders", "all orders"])
def test_the_rows_depend_on_what_was_loaded_and_not_on_its_order(warehouse: str, step: int) -> None:
    """12 is gone, listed again, and gone; 13 changes after a listing lacked it; 14 is gone for good."""
    reads = [
        read("shopify", "orders", [order("11"), order("12"), order("13"), order("14")], at(15)),
        listing("shopify", "orders", ["11", "12", "99"], at(16)),
        read("shopify", "orders", [order("13", changed=17)], at(17, 11)),
        listing("shopify", "orders", ["11", "12", "13"], at(18)),
        listing("shopify", "orders", ["11", "13"], at(19), since=datetime(2026, 11, 1, tzinfo=UTC)),
    ]
    content = "select order_id, updated_at, _fetched_at, _removed_at from raw.shopify__orders order by 1"
    found = set()
    with loading() as load_one:
        for permuted in itertools.islice(itertools.permutations(reads), 0, None, step):
            for landed in (*permuted, permuted[0]):
                load_one(landed)
            found.add(tuple(query(content)))
            empty("raw.shopify__orders")
    (rows,) = found
    assert [(key, removed) for key, _, _, removed in rows] == [
        ("11", None),
        ("12", at(19)),
        ("13", None),
        ("14", at(16)),
    ]


def test_a_listing_that_lacks_too_much_is_refused(warehouse: str) -> None:
    load.load(read("shopify", "orders", [order(str(number)) for number in range(11, 21)], at(19)))
    with pytest.raises(LoadError, match=r"holds 4 of 10 stored records, less than 50%.*reconcile_at_least"):
        load.load(listing("shopify", "orders", ["11", "12", "13", "14"], at(20)))
    assert query("select count(*) from raw.shopify__orders where _removed_at is not null") == [(0,)]
    assert query("select count(*) from ops.listings") == [(0,)]
    with pytest.raises(LoadError, match="holds 0 of 10"):
        load.load(listing("shopify", "orders", [], at(20)))
    # The operator confirms it.
    load.load(listing("shopify", "orders", ["11"], at(20), reconcile_at_least=0.1))
    assert query("select count(*) from raw.shopify__orders where _removed_at is not null") == [(9,)]


def test_a_replay_leaves_out_what_was_refused(warehouse: str, capsys: pytest.CaptureFixture[str]) -> None:
    load.load(read("shopify", "orders", [order(str(number)) for number in range(11, 21)], at(19)))
    with pytest.raises(ListingRefused):
        load.load(listing("shopify", "orders", ["11"], at(20)))
    load.load(listing("shopify", "orders", [str(number) for number in range(11, 20)], at(21)))
    empty("raw.shopify__orders")
    cli._replay(argparse.Namespace())
    assert "left out. The listing of shopify.orders" in capsys.readouterr().out
    assert query("select count(*), count(_removed_at) from raw.shopify__orders") == [(10, 1)]


def test_a_load_that_is_killed_marks_nothing(warehouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load.load(read("shopify", "orders", [order("11"), order("12")], at(19)))
    landed = listing("shopify", "orders", ["11"], at(20))

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reconcile, "apply_newer", die)
        with pytest.raises(KeyboardInterrupt):
            load.load(landed)
    assert query(ORDERS) == [("11", False), ("12", False)]
    load.load(landed)
    assert query(ORDERS) == [("11", False), ("12", True)]


def test_what_was_merged_is_not_marked(warehouse: str) -> None:
    """A merged record vanishes from the vendor's ids, and counts as its survivor, whichever is loaded first."""
    before = read("hubspot", "deals", [deal("1"), deal("2"), deal("3"), deal("4")], at(18))
    merge = read("hubspot", "deals", [deal("9", 19, "1; 2")], at(19, 11))
    listed = listing("hubspot", "deals", ["9", "3"], at(20), reconcile_at_least=0.2)
    early = listing("hubspot", "deals", ["9", "3"], at(19), reconcile_at_least=0.2)
    found = set()
    with loading() as load_one:
        for permuted in itertools.permutations((before, merge, listed, early)):
            for landed in permuted:
                load_one(landed)
            found.add(tuple(query("select deal_id, _removed_at from raw.hubspot__deals order by 1")))
            empty("raw.hubspot__deals")
    assert found == {(("1", None), ("2", None), ("3", None), ("4", at(19)), ("9", None))}


def test_another_connection_is_not_compared(warehouse: str) -> None:
    load.load(read("shopify", "orders", [order("11"), order("12")], at(19)))
    landed = listing("shopify", "orders", ["11"], at(20))
    load.load(replace(landed, connection_id="shopify__emea"))
    assert query(ORDERS) == [("11", False), ("12", False)]


def test_ids_are_listed_a_week_after_the_first_load_and_weekly_then(warehouse: str) -> None:
    source, connection = SOURCES["shopify"], Connection("shopify", "http://x.invalid")

    def due(moment: datetime, **extra: Any) -> list[str]:
        planned = plan.reads(source, replace(connection, extra=extra), WINDOW, moment)
        assert [stream.name for _, stream, _ in planned][-2:] == ["orders", "shops"]
        return [stream.name for _, stream, _ in planned[:-2]]

    assert due(at(1)) == []
    load.load(read("shopify", "orders", [order("11"), order("12")], at(1)))
    assert due(at(7)) == []
    assert due(at(8)) == ["orders.ids"]
    assert due(at(2), reconcile_days=1) == ["orders.ids"]
    assert due(at(2), reconcile_days={"orders": 1}) == ["orders.ids"]
    assert due(at(8), reconcile_days={"orders": 0}) == due(at(8), reconcile_days=0) == []
    load.load(listing("shopify", "orders", ["11", "12"], at(8)))
    assert due(at(14)) == []
    assert due(at(15)) == ["orders.ids"]
    past = replace(WINDOW, until_now=False)
    assert [stream.name for _, stream, _ in plan.reads(source, connection, past, at(15))] == ["orders", "shops"]
