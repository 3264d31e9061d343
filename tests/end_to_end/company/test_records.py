"""The lists behind the headlines have the rows that the headlines count, and a journey has every step."""

from typing import Any

import pytest
import yaml

from funnel import settings
from tests.end_to_end.pipeline import Pipeline, rows

ASSETS = settings.REPOSITORY / "dashboards/assets"


def read(path: str) -> Any:
    return yaml.safe_load((ASSETS / f"{path}.yaml").read_text())


def listed(chart: str) -> str:
    """The rows of a list, as the chart reads them for any period."""
    dataset = read(
        "datasets/"
        + {"leads": "lead", "mqls": "lead", "sqls": "lead", "orders": "order"}.get(chart, "deal")
        + "_records"
    )
    params = read(f"charts/records/{chart}")["params"]
    (day, *others) = params["adhoc_filters"]
    assert day["operator"] == "TEMPORAL_RANGE"
    fixed = "".join(f" and {each['subject']} = '{each['comparator']}'" for each in others)
    column = day["subject"]
    return f"select {column} as date_day, * from ({dataset['sql']}) as records where {column} is not null{fixed}"


@pytest.mark.parametrize("measure", ["leads", "mqls", "sqls", "opportunities", "won", "orders"])
def test_a_list_has_the_rows_that_the_headline_counts(company: Pipeline, measure: str) -> None:
    """Day by day, channel by channel and region by region, so for every choice of filters."""
    cell = "date_day, channel, region"
    expected = rows(
        f"select {cell}, sum({measure})::bigint as n from bi.fct_funnel_daily group by {cell} having sum({measure}) > 0"
    )
    found = rows(f"select {cell}, count(*) as n from ({listed(measure)}) as listed group by {cell}")
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert found


@pytest.mark.parametrize(
    ("measure", "column", "amount"), [("won", "amount", "won_amount"), ("orders", "net_amount", "order_amount")]
)
def test_the_amounts_of_a_list_are_those_of_the_headline(
    company: Pipeline, measure: str, column: str, amount: str
) -> None:
    (found,) = rows(f"select sum({column}) as amount from ({listed(measure)}) as listed")
    assert [found] == rows(f"select sum({amount}) as amount from bi.fct_funnel_daily")


def test_a_record_links_to_its_own_system(company: Pipeline) -> None:
    links = {row["link"] for measure in ("leads", "won", "orders") for row in rows(listed(measure))}
    assert None not in links
    addresses = {link.split('"')[1].rpartition("/")[0] for link in links}
    assert "https://login.salesforce.com" in addresses
    assert "https://admin.shopify.com/store/example/orders" in addresses
    (deal,) = rows(
        "select opportunity_id from bi.fct_opportunities where is_won and opportunity_type <> 'renewal' limit 1"
    )
    assert any(link.startswith("<a href=") and f'/{deal["opportunity_id"]}"' in link for link in links)


def test_a_journey_has_every_step_of_a_lead_once(company: Pipeline) -> None:
    journeys = read("datasets/journeys")["sql"]
    (lead,) = rows(
        "select lead_key, lead_id from bi.fct_leads where won_at is not null and sal_at is not null "
        "order by lead_key limit 1"
    )
    found = rows(
        f"select kind, count(*) as n from ({journeys}) as steps where lead_id = '{lead['lead_id']}' group by 1"
    )
    counted = {row["kind"]: row["n"] for row in found}
    for kind, query in {
        "Touch": "fct_touchpoints where lead_key = '{}'",
        "Stage of the lead": "fct_stage_events where opportunity_key is null and lead_key = '{}'",
        "Hand-off": "rpt_handoff where lead_key = '{}'",
        "Deal opened": "fct_opportunities where lead_key = '{}'",
        "Deal won": "fct_opportunities where is_won and lead_key = '{}'",
    }.items():
        (row,) = rows(f"select count(*) as n from bi.{query.format(lead['lead_key'])}")
        assert counted.get(kind, 0) == row["n"], kind
    assert counted["Deal won"]
    assert {row["kind"] for row in rows(f"select kind from ({journeys}) as steps")} >= {
        "Order",
        "Touch",
        "Stage of the deal",
    }
