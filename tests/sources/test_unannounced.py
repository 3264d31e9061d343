"""Changes that a vendor does not report: deletions, associations made later, computed fields."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.contract import Connection, Window
from funnel.ingest import landing, load
from funnel.rest import errors
from funnel.sources import SOURCES
from tests.sources.test_streams import TABLES, in_small_pages, read
from tests.vendors import Asked, Reply, Stub

WEEK = Window(date(2026, 11, 16), date(2026, 11, 23), until_now=True)
DAY = Window(date(2026, 11, 22), date(2026, 11, 23), until_now=True)
LISTED = [(source.name, stream.name) for source in SOURCES.values() for stream in source.streams if stream.reconcile]
WHOLE = [(source.name, stream.name) for source in SOURCES.values() for stream in source.streams if stream.whole_days]


def listed(source: str, stream: str, connection: Connection, window: Window = DAY) -> list[dict[str, Any]]:
    list_ids = SOURCES[source].list_ids
    assert list_ids is not None
    return [json.loads(body) for body in list_ids(connection, SOURCES[source].stream(stream), window)]


def ids_of(bodies: list[dict[str, Any]]) -> list[str]:
    return [record_id for body in bodies for record_id in body["ids"]]


def states(company: Any, source: str, stream: str) -> list[Any]:
    if source == "shopify":
        found = company.scenario.shop.orders.snapshot(company.now)
    elif source == "hubspot":
        found = company.scenario.hubspot[stream].snapshot(company.now)
    else:
        found = company.scenario.salesforce[TABLES[source, stream]].snapshot(company.now)
    return [state for state in found if not state.merged]


@pytest.mark.parametrize(("source", "stream"), LISTED)
def test_all_ids_are_listed_to_the_last_of_the_last_page(company: Any, source: str, stream: str) -> None:
    bodies = listed(source, stream, company.connection(source))
    # HubSpot lists archived records separately; Salesforce shows its recycle bin.
    wanted = {one.id for one in states(company, source, stream) if source == "salesforce" or not one.removed}
    assert sorted(ids_of(bodies)) == sorted(wanted)
    assert {body["since"] for body in bodies} == {None}
    paged = listed(source, stream, in_small_pages(company, source))
    assert sorted(ids_of(paged)) == sorted(wanted)


def test_many_ids_are_asked_of_bulk(company: Any, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    expected = ids_of(listed("salesforce", "leads", company.connection("salesforce")))
    monkeypatch.setattr("funnel.sources.salesforce.fetch.ALL_BY_REST", 100)
    company.handle.set(salesforce_bulk_page_size=50)
    bodies = listed("salesforce", "leads", company.connection("salesforce"))
    assert len(bodies) > 2
    assert sorted(ids_of(bodies)) == sorted(expected)


def test_a_shop_that_hides_old_orders_lists_what_it_shows(vendor: Stub) -> None:
    def answer(asked: Asked) -> Reply:
        if "token" in asked.path:
            return Reply({"access_token": "the-token", "expires_in": 86_400})
        if "accessScopes" in asked.json["query"]:
            return Reply({"data": {"currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}]}}})
        page = {"hasNextPage": False, "endCursor": None}
        return Reply({"data": {"orders": {"nodes": [{"legacyResourceId": "11"}], "pageInfo": page}}})

    vendor.answer = answer
    (body,) = listed("shopify", "orders", vendor.connection())
    # 60 days are shown; the listing may be taken on the day after its window, and must not reach further.
    assert body == {"since": "2026-09-26T00:00:00+00:00", "ids": ["11"]}
    assert vendor.asked[-1].json["variables"]["query"] == "created_at:>='2026-09-26T00:00:00Z'"


def test_the_documentation_says_of_every_stream_how_it_reaches_us() -> None:
    """Each stream once; each row names existing tests, or says why there is none."""
    text = (settings.REPOSITORY / "docs" / "connections.md").read_text()
    section = text.partition("## How deletions, merges and late changes are found")[2].partition("\n## ")[0]
    table = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    written = [
        (source.strip(" `"), stream) for source, streams, *_ in table for stream in re.findall(r"`(\w+)`", streams)
    ]
    assert Counter(written) == Counter(
        (source.name, each.name) for source in SOURCES.values() for each in source.streams
    )
    tests = {
        name
        for path in (settings.REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    for *_, shown_by in table:
        named = re.findall(r"`(\w+)`", shown_by)
        assert named or shown_by.strip().startswith("no test: "), shown_by
        assert set(named) <= tests, set(named) - tests


def test_the_documentation_says_how_long_it_takes() -> None:
    """The days in the table are those that the streams declare."""
    text = (settings.REPOSITORY / "docs" / "connections.md").read_text()
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not (line.startswith("| `") and cells[0].strip("`") in SOURCES):
            continue
        for name in re.findall(r"`(\w+)`", cells[1]):
            stream = SOURCES[cells[0].strip("`")].stream(name)
            assert (f"listing, {stream.reconcile.days} days" in cells[2]) if stream.reconcile else "listing" not in line
            assert bool(stream.linked_days) == (f"associations of {stream.linked_days} days: next run" in cells[4]), (
                name
            )
            assert bool(stream.whole_days) == (f": {stream.whole_days} days" in cells[4]), name


@pytest.mark.parametrize("unreadable", [{}, {"id": None}, {"id": ["1"]}, {"id": "x" * 9000}, "1", None, {"id": True}])
def test_a_list_with_an_unreadable_id_is_refused(vendor: Stub, slept: list[float], unreadable: Any) -> None:
    """Otherwise a stored record would count as deleted."""
    vendor.answer = lambda asked: (
        Reply({"access_token": "the-token"})
        if asked.path == "/token"
        else Reply({"results": [{"id": "1"}, unreadable]})
    )
    with pytest.raises(errors.Unavailable, match="holds 1 records of 2 without a readable id"):
        listed("hubspot", "deals", vendor.connection())


# Associations ---------------------------------------------------------------------------------------------------------


def call_of_hubspot(associations: list[str], modified: str = "2026-11-10T10:00:00Z") -> Callable[[Asked], Reply]:
    """A portal with two calls, unchanged since; the first is associated with these contacts."""

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            return Reply({"access_token": "the-token"})
        if "/associations/" in asked.path:
            to = [{"toObjectId": int(one), "associationTypes": []} for one in associations]
            return Reply({"results": [{"from": {"id": "501"}, "to": to}] if to else []})
        if asked.path.endswith("/batch/read"):
            found = [one["id"] for one in asked.json["inputs"]]
            return Reply({"results": [{"id": one, "updatedAt": modified, "properties": {}} for one in found]})
        if asked.path.endswith("/search"):
            after = datetime.fromtimestamp(int(asked.json["filterGroups"][0]["filters"][0]["value"]) / 1000, UTC)
            found = [
                {"id": one, "updatedAt": modified, "archived": False, "properties": {}}
                for one in ("501", "502")
                if datetime.fromisoformat(modified) >= after
            ]
            return Reply({"total": len(found), "results": found})
        return Reply({"results": []})

    return answer


@pytest.mark.parametrize("stream", ["calls", "emails", "meetings", "deals", "line_items"])
def test_an_association_made_later_is_seen(
    vendor: Stub, warehouse: str, stream: str, outcome: Callable[[str, str, str], None]
) -> None:
    """The record itself does not change. Only the record with other associations is a new row for the marts."""
    source = SOURCES["hubspot"]

    def take(associations: list[str], day: int, **extra: Any) -> load.LoadResult:
        vendor.answer = call_of_hubspot(associations)
        window = Window(date(2026, 11, day), date(2026, 11, day + 1), until_now=True)
        moment = datetime(2026, 11, day + 1, 3, tzinfo=UTC)
        connection = vendor.connection(**extra)
        return load.load(landing.land(source, connection, source.stream(stream), window, f"run {day}", moment))

    column = "deal_id" if stream == "line_items" else "contacts #>> '{0,toObjectId}'"

    def stored() -> list[tuple[Any, ...]]:
        with psycopg.connect(settings.dsn("admin")) as admin:
            query = f"select {column}, _load_id from raw.hubspot__{stream} order by {source.stream(stream).key[0]}"
            return admin.execute(query.encode()).fetchall()

    first = take([], 10)
    assert stored() == [(None, first.load_id)] * 2
    assert take(["77"], 11, linked_days=0).rows_loaded == 0
    assert stored() == [(None, first.load_id)] * 2
    linked = take(["77"], 12)
    assert stored() == [("77", linked.load_id), (None, first.load_id)]
    outcome("06 associated later", f"hubspot {stream}", "seen by the next run")
    assert take(["78"], 12, linked_days={stream: 1}).rows_loaded == 0


def test_days_of_the_past_are_read_as_they_were_asked_for(vendor: Stub) -> None:
    vendor.answer = call_of_hubspot(["77"])
    past = Window(date(2026, 11, 12), date(2026, 11, 13))
    assert sum(map(len, read("hubspot", "calls", vendor.connection(), past))) == 0
    assert sum(map(len, read("hubspot", "calls", vendor.connection(), replace(past, until_now=True)))) == 2


# Computed fields ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "stream"), WHOLE)
def test_a_whole_read_takes_every_record(
    company: Any, source: str, stream: str, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    whole = replace(DAY, whole=True)
    key = SOURCES[source].stream(stream).columns[0].path

    def found(window: Window = whole, **extra: Any) -> set[str]:
        pages = read(source, stream, company.connection(source, linked_days=0, **extra), window)
        return {record[key] for page in pages for record in page}

    assert found() == {one.id for one in states(company, source, stream)}
    # A table with too many records is read as on any other day.
    assert found(whole_at_most=1) == found(DAY)
    if source == "salesforce":
        monkeypatch.setattr("funnel.sources.salesforce.fetch.ALL_BY_REST", 1)
        assert found() == {one.id for one in states(company, source, stream)}


def test_a_computed_field_reaches_us_though_its_record_did_not_move(vendor: Stub, warehouse: str) -> None:
    """A stage of Salesforce is changed to a won one: no opportunity has changed, but all of them are won."""
    source = SOURCES["salesforce"]
    is_won = False

    def answer(asked: Asked) -> Reply:
        query = asked.params.get("q", "")
        if asked.path == "/token":
            return Reply({"access_token": "the-token", "instance_url": vendor.base_url})
        if "COUNT()" in query:
            return Reply({"totalSize": 1, "done": True, "records": []})
        row = {
            "Id": "O1",
            "SystemModstamp": "2026-11-01T10:00:00.000+0000",
            "IsDeleted": False,
            "IsWon": is_won,
        }
        found = [] if "SystemModstamp >=" in query and "2026-11-01" not in query else [row]
        return Reply({"totalSize": len(found), "done": True, "records": found})

    vendor.answer = answer

    def take(day: int, *, whole: bool = False) -> load.LoadResult:
        window = Window(date(2026, 11, day), date(2026, 11, day + 1), until_now=True, whole=whole)
        stream, moment = source.stream("opportunities"), datetime(2026, 11, day + 1, 3, tzinfo=UTC)
        return load.load(landing.land(source, vendor.connection(), stream, window, f"run {day}", moment))

    def stored() -> Any:
        with psycopg.connect(settings.dsn("admin")) as admin:
            return admin.execute("select is_won from raw.salesforce__opportunities").fetchall()

    take(1)
    is_won = True
    take(2)
    assert stored() == [(False,)]
    take(8, whole=True)
    assert stored() == [(True,)]
