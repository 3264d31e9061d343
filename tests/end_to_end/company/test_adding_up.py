"""Naive sums of every table against the funnel: what the dictionary calls safe to add is, and nothing else is."""

from typing import Any

import pytest

from funnel.questions import dictionary
from tests.end_to_end.pipeline import Pipeline, rows

REVENUE = "won_amount + order_amount"
MEASURES = dictionary.adding_up()["fct_funnel_daily"]["adds"]
# Measures of other names that are a measure of the funnel, and the rows to choose where not all may be added.
SAME = {
    "fct_attribution": {"credited_amount": REVENUE},
    "fct_attribution_default": {"credited_amount": REVENUE},
    "fct_funnel_bridge": {"activity_count": "leads"},
    "fct_funnel_stages": {"entities": "leads"},
    "fct_orders": {"net_amount": "order_amount"},
    "fct_sell_through_weekly": {"sales_amount": "retail_amount"},
    "rpt_channel_return": {
        "revenue": REVENUE,
        "cohort_revenue": REVENUE,
        "platform_claimed_value": "platform_conversion_value",
    },
    "rpt_channel_return_default": {"revenue": REVENUE, "platform_claimed_value": "platform_conversion_value"},
    "rpt_retail_gap": {"own_ecommerce_amount": "order_amount", "sell_through_amount": "retail_amount"},
}
CHOSEN = {
    "fct_attribution": "model = 'linear' and conversion_type in ('won', 'order')",
    "fct_funnel_bridge": "stage = 'lead'",
    "fct_funnel_cohorts": "stage = 'mql' and age_days = 30",
    "fct_funnel_stages": "stage = 'lead'",
    "fct_orders": "is_revenue",
    "rpt_channel_return": "model = 'linear'",
}


def compared(table: dictionary.Table) -> dict[str, str]:
    """The columns of a table with the funnel's measure of the same meaning."""
    stated = dictionary.adding_up().get(table.name, {})
    if stated.get("only"):
        return {}
    named = {name: name for name in stated.get("adds", []) if name in MEASURES}
    return named | SAME.get(table.name, {})


def sums(table: str, expressions: list[str], chosen: str = "true") -> list[Any]:
    listed = ", ".join(
        "+".join(f"coalesce(sum({name}), 0)" for name in each.split(" + ")) + f" as c{number}"
        for number, each in enumerate(expressions)
    )
    [row] = rows(f"select {listed} from bi.{table} where {chosen}")
    return list(row.values())


TABLES = [table for table in dictionary.tables() if compared(table) and table.name != "fct_funnel_daily"]


def test_the_comparison_is_wide() -> None:
    assert len(TABLES) >= 13
    assert {name for name, one in dictionary.adding_up().items() if one.get("within")} >= CHOSEN.keys()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_sums_of_what_may_be_added_are_the_funnels(company: Pipeline, table: dictionary.Table) -> None:
    columns = compared(table)
    true = sums("fct_funnel_daily", list(columns.values()))
    naive = sums(table.name, list(columns))
    if table.name not in CHOSEN:
        assert "within" not in dictionary.adding_up()[table.name]
        assert dict(zip(columns, naive, strict=True)) == dict(zip(columns, true, strict=True))
        return
    # A table is on the list of those that must not be added because its sums are wrong.
    assert [name for name, one, other in zip(columns, naive, true, strict=True) if one == other and other] == []
    chosen = sums(table.name, list(columns), CHOSEN[table.name])
    assert dict(zip(columns, chosen, strict=True)) == dict(zip(columns, true, strict=True))


def test_the_other_default_views_are_one_total_of_their_tables(company: Pipeline) -> None:
    opened = ["open_opportunities", "open_amount", "weighted_amount", "booked_amount"]
    newest = "date_day = (select max(date_day) from bi.rpt_pipeline_coverage)"
    assert sums("rpt_pipeline_coverage_default", opened) == sums(
        "rpt_pipeline_coverage", opened, f"region = '(all)' and {newest}"
    )
    assert sums("fct_opportunities_daily_default", ["amount"]) == sums("fct_opportunities", ["amount"], "is_open")
    stages = {f"became_{stage}": stage for stage in ("mql", "sal", "sql", "opportunity", "won")}
    assert sums("fct_funnel_cohorts_default", list(stages)) == [
        row["reached"]
        for stage in stages.values()
        for row in rows(
            "select sum(reached) as reached from bi.fct_funnel_cohorts "
            f"where stage = '{stage}' and age_days = (select max(age_days) from bi.fct_funnel_cohorts)"
        )
    ]
