"""Deals, the daily pipeline, targets, commissions and discounts equal the truth."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal

from sandbox import planning, truth
from sandbox.scenario import Scenario
from tests.end_to_end.company.conftest import ANCHOR
from tests.end_to_end.company.rates import Rates
from tests.end_to_end.pipeline import Pipeline, rows
from tests.rounding import half_up


def test_every_change_of_owner(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = {
        (cycle.created_at, at, rep_id) for cycle in truth.lead_cycles(scenario, now) for at, rep_id in cycle.owners
    }
    found = rows(
        """
        select lead.created_at, move.moved_at, rep.record_id
        from intermediate.int_lead_moves as move
        inner join marts.fct_leads as lead using (lead_key)
        inner join intermediate.int_sales_rep_records as rep
            on rep.rep_key = move.rep_key and rep.source_system = 'salesforce'
        where move.move_kind = 'owner'
        """,
        "builder",
    )
    assert len(expected) > 50
    assert {tuple(row.values()) for row in found} == expected
    assert len(found) == len(expected)


def test_every_opportunity(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = {
        one.opportunity_id: (
            one.status,
            one.opportunity_type,
            one.created_at,
            one.closed_at,
            one.amount,
            one.currency,
            one.channel,
        )
        for one in truth.opportunities(scenario, now)
    }
    found = {
        row["opportunity_id"]: (
            "won" if row["is_won"] else "lost" if row["is_lost"] else "open",
            row["opportunity_type"], row["created_at"], row["closed_at"], row["amount_local"], row["currency_code"],
            row["channel"],
        )
        for row in rows("select * from bi.fct_opportunities")
    }  # fmt: skip
    assert found == expected


def test_the_pipeline_of_every_day(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """The days before the first publication come from the history, including changed amounts and late closes."""
    rates = Rates()
    expected = {
        key: (money.amount, money.currency, rates.convert(money.amount, money.currency, money.rate_day))
        for key, money in truth.pipeline(scenario, now).items()
    }
    found = {
        (row["date_day"], row["opportunity_id"]): (row["amount_local"], row["currency_code"], row["amount"])
        for row in rows(
            "select daily.*, opportunity_id from bi.fct_opportunities_daily as daily "
            "inner join bi.fct_opportunities using (opportunity_key)"
        )
    }
    assert len({day for day, _ in expected}) > 80
    assert len(expected) > 1_000
    assert found == expected
    assert rows("select distinct date_day from bi.fct_opportunities_daily where not is_reconstructed") == [
        {"date_day": ANCHOR - timedelta(days=1)}
    ]
    assert rows(
        "select count(*)::int as n from bi.fct_opportunities_daily "
        "where weighted_amount > amount or weighted_amount is null or expected_close_date is null and stage is null"
    ) == [{"n": 0}]


def test_coverage_of_every_quarter_and_region(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    rates = Rates()

    def worth(of: list[truth.Money]) -> Decimal:
        return sum((rates.convert(one.amount, one.currency, one.rate_day) for one in of), Decimal())

    last = ANCHOR - timedelta(days=1)
    quotas: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for one in planning.targets(ANCHOR):
        if one.metric == "won_amount":
            day = min(one.period_start, last)
            quotas[one.period_start, one.region] += rates.convert(Decimal(one.target), one.currency_code, day)
    expected = {
        key: (worth(quarter.open), worth(quarter.won), quotas.get(key), worth(quarter.overdue))
        for key, quarter in truth.quarters(scenario, now).items()
    }
    found = {
        (row["period_start"], row["region"]): row
        for row in rows(f"select * from bi.rpt_pipeline_coverage where date_day = '{last}'")
    }
    for start in {start for start, _ in expected}:
        total = [sum((one[place] or Decimal() for key, one in expected.items() if key[0] == start), Decimal())
                 for place in range(4)]  # fmt: skip
        expected[start, "(all)"] = (total[0], total[1], total[2], total[3])
    assert len(expected) == 10
    assert sum(overdue > 0 for *_, overdue in expected.values()) >= 3
    names = ("open_amount", "booked_amount", "target", "overdue_amount")
    assert {key: tuple(row[name] for name in names) for key, row in found.items()} == expected
    for key, (is_open, booked, target, _) in expected.items():
        if target is not None and target > booked:
            assert found[key]["coverage"] == half_up(is_open / (target - booked), 12)
    new_business = [one for one in truth.opportunities(scenario, now) if one.opportunity_type == "new_business"]
    closed = [one for one in new_business if one.closed_at is not None and one.region == "EMEA"]
    won = sum(one.status == "won" for one in closed)
    for start in {start for start, _ in expected}:
        assert found[start, "EMEA"]["required_coverage"] == half_up(Decimal(len(closed)) / won, 12)
    assert {row["required_coverage"] for key, row in found.items() if key[1] == "APAC"} == {None}, "20 are too few"
    assert sum(row["coverage"] is not None for row in found.values()) >= 4


def test_targets_and_what_they_ask_of_the_stage_before(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    found = {
        (row["period_start"], row["team"], row["metric"], row["region"]): row
        for row in rows("select * from bi.fct_targets")
    }
    plan = planning.targets(ANCHOR)
    assert len(found) == len(plan) > 30
    rates = Rates()
    for one in plan:
        row = found[one.period_start, one.team, one.metric, one.region]
        day = min(one.period_start, ANCHOR - timedelta(days=1))
        assert row["target"] == rates.convert(Decimal(one.target), one.currency_code or "USD", day)
    months = truth.monthly_counts(scenario, now)
    quarter = planning.quarter_of(ANCHOR)
    # Customers from marketing's channels, and everything that was won.
    assert found[quarter, "(all)", "won", "(all)"]["actual"] == sum(month.won for month in months.values())
    by_channel = Counter(
        (cycle.mql_at.date().replace(day=1), cycle.region)
        for cycle in truth.lead_cycles(scenario, now)
        if cycle.mql_at is not None and cycle.channel not in ("Outbound", "Partner", "Unknown")
    )
    for start in (planning.next_months(quarter, number) for number in range(3)):
        assert found[start, "marketing", "mqls", "EMEA"]["actual"] == by_channel[start, "EMEA"]
    # April's targets, from rates measured until the end of March.
    rate = {
        stage: (Decimal(reached) / entered, entered, days)
        for stage, (entered, reached, days) in truth.conversions(scenario, now, 60).items()
    }
    coming = planning.next_months(quarter, 3)
    for team, metric, stage in (
        ("(all)", "won", "opportunity"),
        ("marketing", "sals", "mql"),
        ("sales", "sqls", "sal"),
    ):
        row = found[coming, team, metric, "(all)"]
        share, entered, days = rate[stage]
        assert (row["upstream_yield"], row["upstream_entered"]) == (half_up(share, 12), entered)
        assert row["required_from_upstream"] == half_up(row["target"] / share, 6)
        assert row["upstream_from"] == coming - timedelta(days)
    won = found[coming, "(all)", "won", "(all)"]
    chain = [rate[stage] for stage in ("mql", "sal", "sql", "opportunity")]
    assert won["mqls_from"] == coming - timedelta(sum(days for *_, days in chain))
    asked = won["target"]
    for share, *_ in chain:
        asked /= share
    assert abs(won["required_mqls"] - asked) < Decimal("0.00001")
    # A target from before any measurement requires nothing, and states the reason.
    assert found[quarter, "(all)", "won", "(all)"]["required_from_upstream"] is None
    assert "fewer than 30" in found[quarter, "(all)", "won", "(all)"]["upstream_reason"]


def test_commissions_by_the_steps_of_the_plan(company: Pipeline) -> None:
    """Deal by deal in the order in which they were won, as an accountant would compute it."""
    rates = Rates()
    last = ANCHOR - timedelta(days=1)
    quotas = {
        (one.period_start, one.team, one.region): rates.convert(
            Decimal(one.target), one.currency_code, min(one.period_start, last)
        )
        for one in planning.targets(ANCHOR)
        if one.metric == "won_amount"
    }
    plans: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for step in planning.steps(ANCHOR):
        plans[step.team].append((step.step_from, step.commission_rate))
    sold: dict[tuple[date, str, str], Decimal] = defaultdict(Decimal)
    paid: dict[str, Decimal | None] = {}
    deals = rows(
        "select opportunity_key, deals.amount, closed_date, team, reps.region from bi.fct_opportunities as deals "
        "inner join bi.dim_sales_reps as reps using (rep_key) "
        "where is_won and opportunity_type <> 'renewal' order by closed_at, opportunity_key"
    )
    for deal in deals:
        place = (planning.quarter_of(deal["closed_date"]), deal["team"], deal["region"])
        before, quota = sold[place], quotas.get(place)
        sold[place] = after = before + deal["amount"]
        steps = plans.get(deal["team"]) or plans["(all)"]
        if quota is None and len(steps) > 1:
            paid[deal["opportunity_key"]] = None
            continue
        starts = [start * (quota or 0) for start, _ in steps] + [Decimal("Infinity")]
        paid[deal["opportunity_key"]] = sum(
            (
                rate * max(Decimal(), min(after, starts[number + 1]) - max(before, starts[number]))
                for number, (_, rate) in enumerate(steps)
            ),
            Decimal(),
        )
    found = {
        row["opportunity_key"]: row
        for row in rows(
            "select opportunity_key, commission_amount, commission_step_before, commission_step_after "
            "from bi.rpt_price_leakage where opportunity_type <> 'renewal'"
        )
    }
    assert {key: row["commission_amount"] for key, row in found.items()} == {
        key: None if amount is None else half_up(amount, 12) for key, amount in paid.items()
    }
    assert sum(amount is not None for amount in paid.values()) > 60
    assert any(row["commission_step_after"] > (row["commission_step_before"] or 0) for row in found.values()
               if row["commission_step_after"] is not None)  # fmt: skip
    assert rows("select sum(commission_amount) as paid from bi.fct_opportunities") == [
        {"paid": sum(row["commission_amount"] or Decimal() for row in found.values())}
    ]


def test_leakage_is_what_goes_beyond_what_peers_give(company: Pipeline) -> None:
    """Each won deal compared with all that other reps won before it, one by one."""
    won = rows("select * from bi.fct_opportunities where is_won")
    found = {row["opportunity_key"]: row for row in rows("select * from bi.rpt_price_leakage")}
    assert set(found) == {deal["opportunity_key"] for deal in won}
    alike = (
        lambda deal: (deal["opportunity_type"], deal["region"], len(str(int(deal["list_amount"])))),
        lambda deal: (deal["opportunity_type"], len(str(int(deal["list_amount"])))),
        lambda deal: deal["opportunity_type"],
    )
    priced = [deal for deal in won if deal["list_amount"] and 0 <= deal["discount_rate"] <= 1]
    leaked = Decimal()
    for deal in (one for one in won if one["list_amount"]):
        others = [
            one
            for one in priced
            if one["rep_key"] != deal["rep_key"]
            and timedelta(0) < deal["closed_date"] - one["closed_date"] <= timedelta(365)
        ]
        levels = ([one["discount_rate"] for one in others if key(one) == key(deal)] for key in alike)
        peers = next((level for level in levels if len(level) >= 10), None)
        row = found[deal["opportunity_key"]]
        if peers is None:
            assert (row["leakage_amount"], row["reason"]) == (None, "fewer than 10 peers")
            continue
        expected = sum(peers, Decimal()) / len(peers)
        assert row["n_peers"] == len(peers)
        assert abs(row["expected_discount_rate"] - expected) < Decimal("1e-11")
        amount = max(Decimal(), deal["discount_rate"] - expected) * deal["list_amount"]
        assert abs(row["leakage_amount"] - amount) < Decimal("1e-6")
        leaked += amount
    assert leaked > 10_000
