"""Metrics and the formulas of dashboards equal the marts."""

from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import Any

import contents
import pytest
import yaml

from funnel import settings
from funnel.build import metrics
from tests.end_to_end.company.conftest import ANCHOR
from tests.end_to_end.pipeline import Pipeline, rows


def test_metrics_say_what_the_marts_say(company: Pipeline) -> None:
    """MetricFlow's statements, run as readers run them, compared with the columns of the marts."""
    asked = metrics.Metrics()
    assert asked.validate(with_warehouse=True).answered == len(asked.names()) > 50
    measures = (
        *("spend", "impressions", "clicks", "platform_conversions", "sessions", "leads", "mqls", "sals", "sqls"),
        *("opportunities", "pipeline_amount", "won", "won_amount", "lost", "orders", "order_amount", "retail_amount"),
    )
    by_channel = asked.ask([*measures, "revenue", "overclaim_ratio"], ["metric_time__month", "funnel_cell__channel"])
    assert {
        (row["metric_time__month"].date(), row["funnel_cell__channel"]): [row[name] for name in measures]
        for row in by_channel
    } == {
        (row["month_start"], row["channel"]): [row[name] for name in measures]
        for row in rows(
            f"select month_start, channel, {', '.join(f'sum({name}) as {name}' for name in measures)} "
            "from bi.fct_funnel_monthly group by 1, 2"
        )
    }
    assert all(row["revenue"] == (row["won_amount"] or 0) + (row["order_amount"] or 0) for row in by_channel)
    assert any(row["overclaim_ratio"] for row in by_channel)

    cell = ["metric_time__month", "selling_cell__region", "selling_cell__channel"]
    figures = ("open_opportunities", "win_rate", "average_won_amount", "cycle_days", "velocity")
    of_selling = {tuple(row[name] for name in cell): row for row in asked.ask(figures, cell)}
    shown = rows("select * from bi.rpt_sales_velocity")
    assert len(of_selling) == len(shown) > 50
    for row in shown:
        month = datetime.combine(row["month_start"], time(), UTC)
        found = of_selling[month, row["region"], row["channel"]]
        for name in figures:
            if name != "velocity" or row["velocity"] is not None:
                assert found[name] == (None if row[name] is None else pytest.approx(float(row[name]), rel=1e-9)), name

    returns = asked.ask(["attributed_revenue", "attributed_spend", "roas"], ["return_cell__channel"])
    assert {row["return_cell__channel"]: (row["attributed_revenue"], row["attributed_spend"]) for row in returns} == {
        row["channel"]: (row["revenue"], row["spend"])
        for row in rows(
            "select channel, sum(revenue) as revenue, sum(spend) as spend from bi.rpt_channel_return "
            "where model = 'linear' group by 1"
        )
    }
    [planned] = asked.ask(
        ["attainment", "coverage", "open_pipeline", "weighted_pipeline", "still_to_win", "covered_rate"]
    )
    [of_targets] = rows(
        "select sum(actual) / sum(target) as rate from bi.fct_targets "
        "where metric = 'won_amount' and period_grain = 'quarter' and actual is not null"
    )
    assert planned["attainment"] == pytest.approx(float(of_targets["rate"]))
    [of_coverage] = rows(
        "select open_amount, weighted_amount, nullif(greatest(target - booked_amount, 0), 0) as missing, coverage "
        f"from bi.rpt_pipeline_coverage where region = '(all)' and date_day = '{ANCHOR - timedelta(days=1)}' "
        "and period_start <= date_day"
    )
    assert [planned[name] for name in ("open_pipeline", "weighted_pipeline", "still_to_win")] == [
        of_coverage[name] for name in ("open_amount", "weighted_amount", "missing")
    ]
    assert planned["coverage"] == (
        None if of_coverage["coverage"] is None else pytest.approx(float(of_coverage["coverage"]))
    )
    # Its days are the last year, which is longer than the company sells.
    [of_selling_ever] = asked.ask(["win_rate"])
    rates = rows(
        "select distinct win_rate from bi.rpt_pipeline_coverage "
        f"where region = '(all)' and date_day = '{ANCHOR - timedelta(days=1)}'"
    )
    assert [float(row["win_rate"]) for row in rates] == [pytest.approx(of_selling_ever["win_rate"])]
    [given] = asked.ask(["discount_rate", "leakage_rate", "leakage"])
    [of_leakage] = rows(
        "select sum(discount_amount) / sum(list_amount) as discount_rate, sum(leakage_amount) as leakage, "
        "sum(leakage_amount) / sum(list_amount) filter (where leakage_amount is not null) as leakage_rate "
        "from bi.rpt_price_leakage"
    )
    assert given["leakage"] == of_leakage["leakage"]
    assert given["discount_rate"] == pytest.approx(float(of_leakage["discount_rate"]))
    assert given["leakage_rate"] == pytest.approx(float(of_leakage["leakage_rate"]))
    [of_gap] = rows(
        "select sum(own_ecommerce_amount) / sum(own_ecommerce_amount + sell_through_amount) as rate "
        "from bi.rpt_retail_gap"
    )
    assert planned["covered_rate"] == pytest.approx(float(of_gap["rate"]))
    [mature] = rows(
        "select sum(reached) / sum(leads) as rate from bi.fct_funnel_cohorts "
        "where is_mature and stage = 'mql' and age_days = 30"
    )
    [told] = asked.ask(["cohort_mql_rate", "lead_response_minutes", "sla_breach_rate"])
    assert told["cohort_mql_rate"] == pytest.approx(float(mature["rate"]))
    [responses] = rows(
        "select avg(response_business_minutes) as minutes, avg(is_sla_breached::integer) as rate from bi.fct_leads "
        "where mql_at is not null"
    )
    assert told["lead_response_minutes"] == pytest.approx(float(responses["minutes"]))
    assert told["sla_breach_rate"] == pytest.approx(float(responses["rate"]))
    [held] = asked.ask(["handoff_count", "handoff_hold_minutes", "handoff_bounce_rate"])
    [shown_of_holders] = rows(
        "select count(*) as n, avg(business_minutes) as minutes, avg((bounce_no > 0)::integer) as bounced "
        "from bi.rpt_handoff"
    )
    assert held["handoff_count"] == shown_of_holders["n"] > 1_000
    assert held["handoff_hold_minutes"] == pytest.approx(float(shown_of_holders["minutes"]))
    assert held["handoff_bounce_rate"] == pytest.approx(float(shown_of_holders["bounced"]))
    # Salaries, tools and agencies add to the cost of a customer.
    [cost] = asked.ask(["cac", "media_cac"])
    assert cost["cac"] > cost["media_cac"] > 0


# There is one value per period and region, and the numbers of steps only sort: neither sums anything.
SHOWN_AS_IT_IS = {"scorecard_friction", "step_order"}
# The number of a step, visits included, is compared with the funnel below; a change is one of two compared numbers.
OF_THE_PAGE = {"number", "target", "change"}
# A dataset without the rows that did not change: a sum of no rows is empty.
CHANGED_ROWS_ALONE = {"restatements"}
# What a filter of the page always chooses.
CHOSEN = {"funnel_steps": "compared_with = '30 days earlier'"}
# The metric of velocity takes the stock of the last of several months; a chart shows it month by month.
BY_MONTH = {"velocity_of_month": "velocity"}
# The lowest and the highest of all models: checked below.
RANGE_OVER_MODELS = {"roas_lowest": min, "roas_highest": max}


def test_what_dashboards_compute_is_what_the_semantic_layer_defines(company: Pipeline) -> None:
    layer = metrics.Metrics()
    known = set(layer.names())
    compared = 0
    for path in sorted((settings.REPOSITORY / "dashboards/assets/datasets").glob("*.yaml")):
        dataset = contents.with_formulas(yaml.safe_load(path.read_text()), "USD")
        place = f"({dataset['sql']}) as shown" if dataset["sql"] else f"{dataset['schema']}.{dataset['table_name']}"
        formulas = {each["metric_name"]: each.get("formula_of") for each in yaml.safe_load(path.read_text())["metrics"]}
        chosen = CHOSEN.get(path.stem, "true")
        for metric in dataset["metrics"]:
            shown_as = metric["metric_name"]
            name = formulas[shown_as] or shown_as
            if name not in known or shown_as in OF_THE_PAGE:
                # The ledger holds no business figures.
                assert "ops." in place or shown_as in {*SHOWN_AS_IT_IS, *OF_THE_PAGE, *BY_MONTH, *RANGE_OVER_MODELS}, (
                    f"{path.stem}: {shown_as}"
                )
                continue
            # The browser tests compare the days before; months are compared below.
            if shown_as.endswith("_before") or shown_as in BY_MONTH:
                continue
            (shown,) = rows(f"select {metric['expression']} as value from {place} where {chosen}")
            (defined,) = layer.ask([name])
            if path.stem in CHANGED_ROWS_ALONE:
                shown["value"] = shown["value"] or 0
            message = f"{path.stem}: {shown_as} is {shown['value']}, not {defined[name]}"
            assert same(shown["value"], defined[name]), message
            compared += 1
    assert compared > 60


def test_the_steps_on_dashboards_are_those_of_the_funnel(company: Pipeline) -> None:
    path = settings.REPOSITORY / "dashboards/assets/datasets/funnel_steps.yaml"
    dataset = contents.with_formulas(yaml.safe_load(path.read_text()), "USD")
    (number,) = (each["expression"] for each in dataset["metrics"] if each["metric_name"] == "number")
    shown = rows(
        f"select date_day, step, {number} as value from ({dataset['sql']}) as shown "
        f"where {CHOSEN['funnel_steps']} group by 1, 2 having {number} > 0"
    )
    measures = ("sessions", "leads", "mqls", "sals", "sqls", "opportunities", "won")
    sums = ", ".join(f"sum({name}) as {name}" for name in measures)
    funnel = rows(f"select date_day, {sums} from bi.fct_funnel_daily group by 1")
    assert {(row["date_day"], int(row["step"][0])): row["value"] for row in shown} == {
        (row["date_day"], place): row[name]
        for row in funnel
        for place, name in enumerate(measures, start=1)
        if row[name]
    }


def test_the_range_of_return_on_dashboards_is_that_over_all_models(company: Pipeline) -> None:
    path = settings.REPOSITORY / "dashboards/assets/datasets/returns.yaml"
    dataset = contents.with_formulas(yaml.safe_load(path.read_text()), "USD")
    formulas = {each["metric_name"]: each["expression"] for each in dataset["metrics"]}
    by_model: dict[str, list[Any]] = defaultdict(list)
    for row in metrics.Metrics().ask(["roas_of_model"], ["return_cell__channel", "return_cell__model"]):
        if row["roas_of_model"] is not None:
            by_model[row["return_cell__channel"]].append(row["roas_of_model"])
    assert max(map(len, by_model.values())) == 11
    for name, choose in RANGE_OVER_MODELS.items():
        shown = rows(f"select channel, {formulas[name]} as value from ({dataset['sql']}) as shown group by channel")
        found = {row["channel"]: row["value"] for row in shown if row["value"] is not None}
        assert set(found) == set(by_model)
        assert all(same(found[channel], choose(values)) for channel, values in by_model.items()), name


def test_the_velocity_of_a_month_on_dashboards_is_that_of_the_semantic_layer(company: Pipeline) -> None:
    path = settings.REPOSITORY / "dashboards/assets/datasets/velocity.yaml"
    dataset = contents.with_formulas(yaml.safe_load(path.read_text()), "USD")
    formulas = {each["metric_name"]: each["expression"] for each in dataset["metrics"]}
    for name, defined in BY_MONTH.items():
        shown = rows(f"select month_start, {formulas[name]} as value from bi.rpt_sales_velocity group by month_start")
        asked = metrics.Metrics().ask([defined], ["selling_cell__month_start__month"])
        layer = {row["selling_cell__month_start__month"].date(): row[defined] for row in asked}
        assert any(layer.values())
        assert set(layer) == {row["month_start"] for row in shown}
        assert all(same(row["value"], layer[row["month_start"]]) for row in shown)


def same(one: Any, other: Any) -> bool:
    """Equal, except for the digits in which floating-point and numeric division differ."""
    if one is None or other is None:
        return one is other
    return abs(float(one) - float(other)) <= 1e-9 * max(1.0, abs(float(other)))
