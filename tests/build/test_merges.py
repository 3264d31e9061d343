"""Merged records count once: the merged record leaves every count, and references to it point to the survivor."""

from collections.abc import Callable
from typing import Any

from funnel.build import dbt_run
from funnel.ingest import completeness, load
from funnel.sources import SOURCES
from tests.ingest.conftest import Land, land  # noqa: F401 - a fixture

from .builds import assert_as_of_a_full_build, publish_build
from .conftest import rows

MORNINGS = ("2026-01-06T03:00:00+00:00", "2026-01-07T03:00:00+00:00", "2026-01-08T03:00:00+00:00")


def record(record_id: str, day: int, properties: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """One record of HubSpot, changed on this day of January."""
    return {"id": record_id, "updatedAt": f"2026-01-{day:02}T10:00:00Z", "archived": False} | {
        "properties": {"createdate": "2026-01-05T09:00:00Z"} | (properties or {}),
        **parts,
    }


def deal(deal_id: str, amount: str, day: int = 5, **properties: Any) -> dict[str, Any]:
    """A deal that is won."""
    won = {"amount": amount, "deal_currency_code": "USD", "hs_is_closed": "true", "hs_is_closed_won": "true"}
    won |= {"closedate": "2026-01-05T18:00:00Z", "dealstage": "closedwon"} | properties
    history = [{"value": "closedwon", "timestamp": "2026-01-05T18:00:00Z"}]
    associations = {"contacts": [{"toObjectId": "71"}], "companies": []}
    return record(deal_id, day, won, propertiesWithHistory={"dealstage": history}, associations=associations)


def line(line_id: str, deal_id: str, amount: str) -> dict[str, Any]:
    return record(line_id, 5, {"hs_sku": "SEAT", "amount": amount}, associated={"deals": deal_id})


def lead(lead_id: str, day: int = 5, **fields: Any) -> dict[str, Any]:
    return {
        "Id": lead_id,
        "SystemModstamp": f"2026-01-{day:02}T10:00:00Z",
        "CreatedDate": f"2026-01-{day:02}T09:00:00Z",
        "IsDeleted": False,
    } | fields


def account(account_id: str, day: int = 5, **fields: Any) -> dict[str, Any]:
    return lead(account_id, day, Name=account_id, **fields)


def counts() -> dict[str, Any]:
    """The published numbers of deals, lines, stage events, accounts and persons."""
    return {
        "won": rows("select opportunity_id, amount from marts.fct_opportunities where is_won order by 1"),
        "lines": rows("select line_no, amount from marts.fct_opportunity_lines order by 1"),
        "stages": rows(
            "select count(*) from marts.fct_stage_events where _subject_key in "
            "(select opportunity_key from marts.fct_opportunities)"
        ),
        "all stages": rows("select count(*) from marts.fct_stage_events where opportunity_key is not null"),
        "accounts": rows("select account_id from marts.dim_accounts order by 1"),
        "accounts of deals": rows(
            "select opportunity_id, account_id from marts.fct_opportunities left join marts.dim_accounts "
            "using (account_key) order by 1"
        ),
        "people": rows("select n_records_merged from marts.dim_people order by 1"),
    }


def test_merged_records_count_once(
    land: Land,  # noqa: F811
    outcome: Callable[[str, str, str], None],
) -> None:
    """Three mornings: three deals; two become a third with a new id; that one and the last become another.

    Companies, contacts, leads and accounts go the same way. Each build is incremental and equals a full one.
    """

    def read(source: str, stream: str, *records: dict[str, Any], morning: int = 0) -> None:
        load.load(land(source, stream, [list(records)], fetched_at=MORNINGS[morning]))

    def build() -> None:
        for name in ("hubspot", "salesforce"):
            completeness.complete(SOURCES[name], "test")
        publish_build(dbt_run.build().build_id)

    contacts = [record(f"7{number}", 5, {"associatedcompanyid": "31"}) for number in (1, 2)]
    read("hubspot", "contacts", *contacts)
    read("hubspot", "companies", *(record(f"3{number}", 5, {"name": f"Company {number}"}) for number in (1, 2, 3)))
    deals = [deal("1", "1000"), deal("2", "1000"), deal("3", "700", hs_primary_associated_company="31")]
    read("hubspot", "deals", *deals)
    read("hubspot", "line_items", line("501", "1", "1000"), line("503", "3", "700"))
    read("salesforce", "leads", lead("L1", Email="a@x.example"), lead("L2"), lead("L3"))
    read("salesforce", "accounts", account("A1"), account("A2"), account("A3"))
    opportunity = lead("O1", AccountId="A1", StageName="Demo", CurrencyIsoCode="USD", Amount=10)
    read("salesforce", "opportunities", opportunity)
    build()
    before = counts()
    assert before["won"] == [("1", 1000), ("2", 1000), ("3", 700)]
    assert before["people"] == [(1,)] * 5
    assert len(before["accounts"]) == 6

    # A search finds the survivor, with an id of its own; the merged records are in no answer any more.
    read("hubspot", "deals", deal("9", "1000", 6, hs_merged_object_ids="1;2"), morning=1)
    read("hubspot", "companies", record("39", 6, {"name": "One", "hs_merged_object_ids": "31;32"}), morning=1)
    read("hubspot", "contacts", record("71", 6, {"hs_merged_object_ids": "72"}), morning=1)
    read("salesforce", "leads", lead("L1", 6, IsDeleted=True, MasterRecordId="L2", Email="a@x.example"), morning=1)
    read("salesforce", "accounts", account("A1", 6, IsDeleted=True, MasterRecordId="A2"), morning=1)
    build()
    after = counts()
    assert after["won"] == [("3", 700), ("9", 1000)]
    assert after["lines"] == [("501", 1000), ("503", 700)]
    assert after["stages"] == after["all stages"] == [(2,)]
    assert after["accounts"] == [("33",), ("39",), ("A2",), ("A3",)]
    assert after["accounts of deals"] == [("3", "39"), ("9", "39"), ("O1", "A2")]
    assert after["people"] == [(1,), (2,), (2,)]
    total = sum(amount for _, amount in after["won"])
    outcome("04 merged deals", "hubspot", f"{len(after['won'])} won deals, {total}")
    outcome("04 merged leads and accounts", "salesforce", "survivors only")

    # A morning without news of the merged records.
    read("hubspot", "contacts", record("73", 7), morning=2)
    build()
    assert counts() == {**after, "people": [(1,), (1,), (2,), (2,)]}

    # The survivor is merged again. In reverse (Salesforce never writes this), two leads name each other.
    read("hubspot", "deals", deal("12", "1700", 7, hs_merged_object_ids="9;3"), morning=2)
    read("hubspot", "companies", record("41", 7, {"name": "All", "hs_merged_object_ids": "39;33"}), morning=2)
    read("salesforce", "accounts", account("A2", 7, IsDeleted=True, MasterRecordId="A3"), morning=2)
    read("salesforce", "leads", lead("L2", 7, IsDeleted=True, MasterRecordId="L1"), morning=2)
    # Out of order: an older read of a merged record is loaded later.
    read("hubspot", "deals", *deals, morning=0)
    build()
    chained = counts()
    assert chained["won"] == [("12", 1700)]
    assert chained["lines"] == [("501", 1000), ("503", 700)]
    assert chained["all stages"] == [(1,)]
    assert chained["accounts"] == [("41",), ("A3",)]
    assert chained["accounts of deals"] == [("12", "41"), ("O1", "A3")]
    assert rows("select is_full from ops.builds order by build_id desc limit 1") == [(False,)]
    assert_as_of_a_full_build()

    # The last survivor is deleted, and all merged records with it.
    read("hubspot", "deals", record("12", 8, {"hs_merged_object_ids": "9;3"}) | {"archived": True}, morning=2)
    read("hubspot", "companies", record("41", 8, {"hs_merged_object_ids": "39;33"}) | {"archived": True}, morning=2)
    read("hubspot", "contacts", record("71", 8, {"hs_merged_object_ids": "72"}) | {"archived": True}, morning=2)
    read("salesforce", "accounts", account("A3", 8, IsDeleted=True), morning=2)
    build()
    gone = counts()
    assert (gone["won"], gone["lines"], gone["all stages"], gone["accounts"]) == ([], [], [(0,)], [])
    assert gone["people"] == [(1,), (1,), (2,)]
    assert_as_of_a_full_build()
