"""The alignment scorecard equals the truth."""

import warnings
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from funnel.build.computations import scorecard
from sandbox import truth
from sandbox.scenario import Scenario
from sandbox.truth import cycles
from tests.end_to_end.company.rates import Rates
from tests.end_to_end.office_hours import business_seconds, sla_minutes
from tests.end_to_end.pipeline import Pipeline, rows


def test_what_marketing_brought_and_met(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """M1: sourced and influenced for every won deal, and the shares of the quarter from them."""
    origins = truth.origins(scenario, now)
    found = rows(
        "select opportunity_id, is_sourced, is_influenced from intermediate.int_won_origins as origin "
        "inner join marts.fct_opportunities using (opportunity_key)",
        "builder",
    )
    assert {row["opportunity_id"]: (row["is_sourced"], row["is_influenced"]) for row in found} == {
        one.opportunity.opportunity_id: (one.is_sourced, one.is_influenced) for one in origins
    }
    assert len({(one.is_sourced, one.is_influenced) for one in origins}) == 3
    rates = Rates()
    revenue = [
        (one, rates.convert(one.opportunity.amount, one.opportunity.currency, one.opportunity.closed_at.date()))
        for one in origins
        if one.opportunity.closed_at is not None
    ]
    total = sum((amount for _, amount in revenue), Decimal())
    parts = {row["part"]: row for row in quarter("rpt_alignment_parts", "marketing_revenue_share")}
    for part, name in (("sourced_share", "is_sourced"), ("influenced_share", "is_influenced")):
        share = sum((amount for one, amount in revenue if getattr(one, name)), Decimal()) / total
        assert float(parts[part]["value"]) == pytest.approx(float(share), abs=1e-11)
        assert parts[part]["n"] == len(origins)
        assert parts[part]["value_low"] < parts[part]["value"] < parts[part]["value_high"]
    assert 0 < parts["attributed_share"]["value"] < 1
    assert parts["sourced_share"]["value"] < parts["influenced_share"]["value"]


def quarter(mart: str, measure: str) -> list[dict[str, Any]]:
    """The company's rows of one measure in the loaded quarter."""
    order = "part_no" if mart == "rpt_alignment_parts" else "measure"
    return rows(
        f"select * from bi.{mart} where measure = '{measure}' and region = '(all)' "
        f"and period_grain = 'quarter' and period_start = '2026-01-01' order by {order}"
    )


def test_close_rates_of_young_cohorts(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """M2 of the quarter, from the truth's cycles by lifelines, which moves ties apart at random."""
    from lifelines import AalenJohansenFitter

    sides: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    ages: dict[bool, list[int]] = {True: [], False: []}
    for one in truth.lead_cycles(scenario, now):
        losses = [at for at in (one.lost_at, one.disqualified_at, one.recycled_at) if at is not None]
        ended = one.won_at or min(losses, default=None)
        outcome = 0 if ended is None else 1 if one.won_at is not None else 2
        days = ((ended or now) - one.created_at) // timedelta(days=1)
        sides[one.channel not in cycles.NOT_MARKETING].append((days, outcome))
        ages[one.channel not in cycles.NOT_MARKETING].append((now - one.created_at) // timedelta(days=1))
    # The company is ninety days old.
    horizon = max(days for days in (30, 60, 90) if all(sum(age >= days for age in ages[side]) >= 30 for side in ages))
    parts = {row["part"]: row["value"] for row in quarter("rpt_alignment_parts", "close_rate_lift")}
    for part, side in (("marketing_close_rate", True), ("other_close_rate", False)):
        durations, outcomes = zip(*sides[side], strict=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = AalenJohansenFitter(seed=1, calculate_variance=False).fit(durations, outcomes, event_of_interest=1)
        reached = fitted.cumulative_density_.loc[: horizon - 0.5].iloc[-1, 0]
        assert float(parts[part]) == pytest.approx(float(reached), rel=0.03)
    [lift] = quarter("rpt_alignment_scorecard", "close_rate_lift")
    ratio = parts["marketing_close_rate"] / parts["other_close_rate"]
    assert float(lift["value"]) == pytest.approx(float(ratio) - 1, abs=1e-9)
    assert lift["value_low"] < lift["value"] < lift["value_high"]
    assert (lift["quoted_value"], lift["baseline_value"]) == (Decimal("0.67"), None)
    assert (lift["horizon_days"], horizon < 90) == (horizon, True)
    assert f"young: not every lead has been watched for {horizon} days" in lift["reason"]


def test_friction_of_the_quarter(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """M3 from the truth's own cycles; the index computed from its parts in Python."""
    above, below = [0.0] * 4, [0.0] * 4
    for one in truth.lead_cycles(scenario, now):
        if one.mql_at is None:
            continue
        stops = one.first_response_at or one.ended_at
        seconds, promised = business_seconds(one.region, one.mql_at, stops or now), sla_minutes(one.region, "sales")
        assert promised is not None
        accepted = one.sal_at or one.sql_at or one.opportunity_at
        back = bool(one.recycled_at or (one.disqualified_at and not accepted))
        if stops is not None or seconds > promised * 60:
            above[0] += seconds > promised * 60
            below[0] += 1
        if back or accepted or one.ended_at:
            above[1] += back
            below[1] += 1
        above[2] += len(one.owners)
        below[2] += 1
        if one.ended_at is not None:
            answered = min(one.first_response_at or one.ended_at, one.ended_at)
            above[3] += max(0.0, (answered - one.mql_at).total_seconds())
            below[3] += (one.ended_at - one.created_at).total_seconds()
    parts = quarter("rpt_alignment_parts", "friction_index")
    assert [float(row["value"]) for row in parts[:4]] == pytest.approx(
        [up / down for up, down in zip(above, below, strict=True)], abs=1e-6
    )
    [index] = quarter("rpt_alignment_scorecard", "friction_index")
    values, baselines, weights = (
        np.array([float(row[name]) for row in parts]) for name in ("value", "baseline_value", "weight")
    )
    expected = scorecard.friction_index(values, baselines, weights, np.full(5, 0.01))
    assert float(index["value"]) == pytest.approx(expected, abs=1e-6)
    assert float(index["change_on_baseline"]) == pytest.approx(scorecard.less_friction(expected) / 100, abs=1e-6)
    assert (index["is_sufficient"], index["quoted_value"]) == (True, Decimal("1.08"))
