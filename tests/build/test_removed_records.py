"""A record that a vendor deleted silently leaves every count, stays in `raw`, and counts again when it returns."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from funnel.build import dbt_run
from funnel.ingest import completeness, load
from funnel.sources import SOURCES
from tests.ingest.test_reconcile import listing, order, read

from .builds import assert_as_of_a_full_build, publish_build
from .conftest import rows
from .test_merges import deal, lead, line, record


def morning(day: int) -> datetime:
    return datetime(2026, 11, day, 3, tzinfo=UTC)


def counts() -> dict[str, Any]:
    """The published numbers."""
    return {
        "orders": rows("select order_id, net_amount from marts.fct_orders order by 1"),
        "orders of persons": rows("select count(*) from marts.fct_orders where person_key is not null"),
        "order amount": rows("select sum(order_amount) from marts.fct_funnel_daily"),
        "won": rows("select opportunity_id from marts.fct_opportunities where is_won order by 1"),
        "lines": rows("select line_no from marts.fct_opportunity_lines order by 1"),
        "responses": rows("select count(*) from marts.fct_touchpoints where touch_type = 'campaign_response'"),
        "people": rows("select count(*) from marts.dim_people"),
    }


def sold(order_id: str, amount: str) -> dict[str, Any]:
    entry = {"id": f"gid://shopify/LineItem/{order_id}", "sku": "KIT", "title": "Kit"}
    lines = [entry | {"originalTotalSet": {"shopMoney": {"amount": amount}}}]
    return order(order_id) | {"currencyCode": "USD", "displayFinancialStatus": "PAID", "lineItems": {"nodes": lines}}


def test_deleted_records_leave_the_counts(warehouse: str, outcome: Callable[[str, str, str], None]) -> None:
    """One record of each kind is deleted, and the listing of ids a week later lacks it. One order comes back."""

    def build() -> dict[str, Any]:
        for name in ("hubspot", "salesforce", "shopify"):
            completeness.complete(SOURCES[name], "run")
        built = dbt_run.build()
        publish_build(built.build_id)
        return counts() | {"is_full": built.is_full}

    load.create_tables()
    first = morning(10)
    # Only the customer's other order shows whose the order without an address is.
    customer = {"customer": {"legacyResourceId": "7"}}
    known = sold("12", "30.0") | customer | {"email": "ana@x.example"}
    load.load(read("shopify", "orders", [sold("11", "20.0") | customer, known], first))
    contacts = [record("71", 5, {"email": "ana@x.example"}), record("72", 5)]
    load.load(read("hubspot", "contacts", contacts, first))
    load.load(read("hubspot", "deals", [deal("1", "10"), deal("2", "20"), deal("3", "30")], first))
    load.load(read("hubspot", "line_items", [line("501", "1", "5"), line("502", "1", "5")], first))
    load.load(read("salesforce", "leads", [lead("L1"), lead("L2")], first))
    load.load(read("salesforce", "campaigns", [lead("K1", Type="Webinar")], first))
    members = [lead(f"M{number}", CampaignId="K1", LeadId="L1", HasResponded=True) for number in (1, 2)]
    load.load(read("salesforce", "campaign_members", members, first))
    load.load(read("salesforce", "opportunities", [lead("O1", StageName="Demo")], first))
    lines = [lead(f"P{number}", OpportunityId="O1", TotalPrice=5) for number in (1, 2)]
    load.load(read("salesforce", "opportunity_line_items", lines, first))
    assert build() == {
        "orders": [("11", 20), ("12", 30)],
        "orders of persons": [(2,)],
        "order amount": [(50,)],
        "won": [("1",), ("2",), ("3",)],
        "lines": [("501",), ("502",), ("P1",), ("P2",)],
        "responses": [(2,)],
        "people": [(4,)],
        "is_full": True,
    }

    later = morning(17)
    for source, stream, ids in (
        ("shopify", "orders", ["11"]),
        ("hubspot", "contacts", ["71"]),
        ("hubspot", "deals", ["1", "2"]),
        ("hubspot", "line_items", ["501"]),
        ("salesforce", "leads", ["L1"]),
        ("salesforce", "campaign_members", ["M1"]),
        ("salesforce", "opportunity_line_items", ["P1"]),
    ):
        load.load(listing(source, stream, ids, later))
    gone = build()
    assert gone == {
        "orders": [("11", 20)],
        "orders of persons": [(0,)],
        "order amount": [(20,)],
        "won": [("1",), ("2",)],
        "lines": [("501",), ("P1",)],
        "responses": [(1,)],
        "people": [(2,)],
        "is_full": False,
    }
    kept = rows("select order_id, _removed_at from raw.shopify__orders order by 1")
    assert kept == [("11", None), ("12", later)]
    outcome("09 deleted order", "shopify", "gone from counts, kept as removed")
    outcome("09 deleted for good", "hubspot", "contact, deal, line item gone from counts, kept as removed")
    outcome("09 deleted for good", "salesforce", "lead, member, line gone from counts, kept as removed")
    assert_as_of_a_full_build()
    publish_build(rows("select max(build_id) from ops.builds")[0][0])

    load.load(read("shopify", "orders", [known], morning(18)))
    load.load(listing("hubspot", "deals", ["1", "2", "3"], morning(18)))
    back = build()
    assert back["orders of persons"] == [(2,)]
    assert (back["orders"], back["won"]) == ([("11", 20), ("12", 30)], [("1",), ("2",), ("3",)])
    assert not back["is_full"]
