"""The statements of the analyst's guide return the truth."""

import re
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from funnel import settings
from sandbox import planning, retailing, truth
from sandbox.scenario import Scenario
from tests.end_to_end.company.conftest import ANCHOR, DAYS
from tests.end_to_end.company.rates import Rates
from tests.end_to_end.pipeline import Pipeline, rows

GUIDE_QUESTIONS = set(range(1, 12))
GUIDE = settings.REPOSITORY / "docs/analyst_guide.md"


def guide() -> dict[int, str]:
    """The number of every question of the guide with its statement."""
    parts = re.split(r"^## (\d+)\. ", GUIDE.read_text(), flags=re.M)[1:]
    found = {
        int(number): re.findall(r"```sql\n(.*?)```", text, re.S)
        for number, text in zip(parts[::2], parts[1::2], strict=True)
    }
    assert all(len(blocks) == 1 for blocks in found.values()), "a question has one answer"
    return {number: blocks[0] for number, blocks in found.items()}


def test_the_guide_answers_with_the_truth(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    answers = {number: rows(statement) for number, statement in guide().items()}
    assert set(answers) == GUIDE_QUESTIONS
    assert all(answers.values())
    rates = Rates()

    # 1: reach and revenue, per month.
    counts = truth.monthly_counts(scenario, now)
    reach: dict[date, int] = defaultdict(int)
    for row in truth.spend(scenario, now, ANCHOR - timedelta(days=DAYS), ANCHOR - timedelta(days=1)):
        reach[row.day.replace(day=1)] += row.impressions
    for row in answers[1]:
        month = counts.get(row["month_start"], truth.MonthCounts())
        amount = sum((rates.convert(one.amount, one.currency, one.rate_day) for one in month.won_amounts), Decimal())
        assert (row["impressions"], row["leads"], row["mqls"], row["won"], row["won_amount"]) == (
            reach[row["month_start"]], month.leads, month.mqls, month.won, amount,
        )  # fmt: skip

    # 2: lengths of journeys, per channel.
    cycles = truth.lead_cycles(scenario, now)
    lengths: dict[str, list[int]] = defaultdict(list)
    for cycle in cycles:
        if cycle.won_at:
            lengths[cycle.channel].append((cycle.won_at.date() - cycle.created_at.date()).days)
    assert {row["channel"]: (row["won"], row["median_days"]) for row in answers[2]} == {
        channel: (len(days), sorted(days)[(len(days) + 1) // 2 - 1]) for channel, days in lengths.items()
    }

    # 3: every won deal, renewals too; leakage at a step or a deadline is a part of all leakage.
    won_by_region = Counter(one.region for one in truth.opportunities(scenario, now) if one.status == "won")
    assert {row["region"]: row["won"] for row in answers[3]} == won_by_region
    for row in answers[3]:
        assert 0 <= (row["leakage_amount"] or 0) <= row["list_amount"]
        assert max(row["leakage_at_quarter_end"] or 0, row["leakage_at_a_step"] or 0) <= (row["leakage_amount"] or 0)
    assert sum(row["leakage_amount"] or 0 for row in answers[3]) > 10_000

    # 4: retailers' reports, next to the own shop.
    retail = sum((Decimal(sale.sales_cents) / 100 for sale in retailing.sales(ANCHOR)), Decimal())
    assert sum(row["sell_through_amount"] for row in answers[4]) == retail
    own = sum(
        rates.convert(order.paid, order.currency, order.ordered_at.date())
        - sum(rates.convert(back.amount, back.currency, back.rate_day) for back in order.back)
        for order in truth.orders(scenario, now)
        if order.is_revenue
    )
    assert sum(row["own_ecommerce_amount"] for row in answers[4]) == own
    assert all(0 < row["covered_rate"] <= 1 for row in answers[4] if row["covered_rate"])

    # 5: both clocks, per month and stage.
    both: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for (month_start, _, stage), cell in truth.bridge(scenario, now).items():
        figures = (cell.activity, cell.from_earlier, cell.in_later, cell.cohort)
        both[month_start, stage] = [one + other for one, other in zip(both[month_start, stage], figures, strict=True)]
    assert {
        (row["month_start"], row["stage"]): [
            row["activity_count"], row["from_earlier_cohorts"], row["in_later_months"], row["cohort_count"],
        ]
        for row in answers[5]
    } == both  # fmt: skip

    # 6: every model distributes exactly what was earned.
    revenue = own + sum(
        rates.convert(one.amount, one.currency, one.rate_day) for month in counts.values() for one in month.won_amounts
    )
    assert sum(row["revenue_low"] for row in answers[6]) <= revenue <= sum(row["revenue_high"] for row in answers[6])
    assert any(row["revenue_low"] < row["revenue_high"] for row in answers[6])

    # 7: MQLs and those that sales has answered, per region.
    waiting: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for cycle in cycles:
        if cycle.mql_at:
            waiting[cycle.region][0] += 1
            waiting[cycle.region][1] += cycle.first_response_at is not None
    assert {row["region"]: [row["mqls"], row["answered"]] for row in answers[7]} == waiting

    # 8: the current quarter and the next, region by region, as of the last day.
    quotas: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for one in planning.targets(ANCHOR):
        if one.metric == "won_amount":
            day = min(one.period_start, ANCHOR - timedelta(days=1))
            quotas[one.period_start, one.region] += rates.convert(Decimal(one.target), one.currency_code, day)
    quarters = truth.quarters(scenario, now)
    regional = [row for row in answers[8] if row["region"] != "(all)"]
    assert len(regional) == len(quarters)
    for row in regional:
        quarter = quarters[row["period_start"], row["region"]]
        worth = [
            sum((rates.convert(one.amount, one.currency, one.rate_day) for one in of), Decimal())
            for of in (quarter.open, quarter.won)
        ]
        assert [row["open_amount"], row["booked_amount"]] == worth
        assert row["target"] == quotas.get((row["period_start"], row["region"]))

    # 9: read at one moment, nothing has changed since it was first reported.
    assert {row["days_changed"] for row in answers[9]} == {0}
    assert {row["as_known"] - row["as_first_reported"] for row in answers[9]} == {0}

    # 10: all marts, complete up to the day before the read.
    last = ANCHOR - timedelta(days=1)
    assert {(row["data_complete_through"], row["last_audit_passed"]) for row in answers[10]} == {(last, True)}
    assert {row["mart"] for row in answers[10]} >= {"fct_funnel_daily", "fct_funnel_bridge", "rpt_retail_gap"}

    # 11: the effects are the change of the amount won, whatever the two periods.
    newest = rows("select max(period_start) as month from bi.rpt_drivers where period_grain = 'month'")[0]["month"]
    before = (newest - timedelta(days=1)).replace(day=1)
    won = [
        sum((rates.convert(one.amount, one.currency, one.rate_day) for one in counts[month].won_amounts), Decimal())
        for month in (before, newest)
    ]
    assert sum(row["effect"] for row in answers[11]) == won[1] - won[0] != 0


def test_any_two_periods_are_explained_by_the_formula_of_the_mart(company: Pipeline) -> None:
    newest = rows("select max(period_start) as month from bi.rpt_drivers where period_grain = 'month'")[0]["month"]
    last_day = (newest + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    before = (newest - timedelta(days=1)).replace(day=1)
    days = ", ".join(f"'{day}'" for day in (newest, last_day, before, newest - timedelta(days=1)))
    asked = rows(f"select * from bi.won_amount_drivers({days})")
    of_mart = rows(
        f"select {', '.join(asked[0])} from bi.rpt_drivers where period_start = '{newest}' and period_grain = 'month' "
        "and compared_with = 'period before'"
    )
    assert sorted(asked, key=str) == sorted(of_mart, key=str)

    odd = rows("select sum(volume_effect + rate_effect + value_effect) as change "
               "from bi.won_amount_drivers('2026-02-03', '2026-03-11', '2026-01-17', '2026-01-29')")  # fmt: skip
    won = rows(
        "select sum(won_amount) filter (where date_day between '2026-02-03' and '2026-03-11') "
        "- sum(won_amount) filter (where date_day between '2026-01-17' and '2026-01-29') as change "
        "from bi.fct_funnel_daily"
    )
    assert odd == won
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="2026-02-03 to 2026-02-01"):
        rows("select * from bi.won_amount_drivers('2026-02-03', '2026-02-01', '2026-01-17', '2026-01-29')")
