"""Compares the published marts with the truth of the simulated company, row by row, at any moment of its life."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox import truth
from sandbox.scenario import Scenario
from tests.end_to_end.pipeline import rows

Lines = Iterable[tuple[Any, ...]]


def differences(scenario: Scenario, now: datetime, first_day: date) -> dict[str, dict[str, list[Any]]]:
    """Missing and additional rows of the marts, by subject; empty if they equal the truth.

    `first_day` is the first day of which ad statistics and sessions were read; all records were read.
    """
    last_day = now.date() - timedelta(days=1)
    # Between midnight and the morning's read, only the platforms' reports of earlier days change.
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    found = {}
    for subject, compare in SUBJECTS.items():
        as_of = now if subject in REPORTED else midnight
        expected, shown = map(Counter, compare(scenario, as_of, first_day, last_day))
        assert expected, f"the truth has no {subject}"
        if expected != shown:
            found[subject] = {
                "lacking": sorted(expected - shown, key=str)[:4],
                "surplus": sorted(shown - expected, key=str)[:4],
            }
    return found


def _shown(query: str) -> Lines:
    return [tuple(row.values()) for row in rows(query)]


def _ad_stats(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected = [
        (
            one.day,
            one.platform,
            one.ad_account_id,
            one.campaign_id,
            one.amount,
            one.currency,
            one.impressions,
            one.clicks,
        )
        for one in truth.spend(scenario, now, first, last)
    ]
    return expected, _shown(
        "select date_day, platform, ad_account_id, campaign_id, spend_local, currency_code, impressions, clicks "
        "from bi.fct_ad_stats_daily"
    )


def _sessions(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected: Counter[tuple[Any, ...]] = Counter()
    for one in truth.visits(scenario, now, first, last):
        expected[one.day, one.property_id, one.channel, one.campaign_id or "(no campaign)", one.country] += one.sessions
    shown = _shown(
        "select date_day, property_id, visits.channel, campaign_id, country_id, sum(sessions)::bigint as sessions "
        "from bi.fct_web_sessions_daily as visits inner join bi.dim_campaigns using (campaign_key) "
        "group by 1, 2, 3, 4, 5"
    )
    return [(*key, sessions) for key, sessions in expected.items()], shown


def _leads(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected = [
        (
            *(one.created_at, one.channel, one.campaign_id or "(no campaign)", one.region, one.first_response_at),
            *(one.mql_at, one.sal_at, one.sql_at, one.opportunity_at, one.won_at),
        )
        for one in truth.lead_cycles(scenario, now)
    ]
    return expected, _shown(
        """
        select
            leads.created_at, leads.channel, campaign_id, leads.region, leads.first_response_at,
            leads.mql_at, leads.sal_at, leads.sql_at, leads.opportunity_at, leads.won_at
        from bi.fct_leads as leads
        inner join bi.dim_campaigns using (campaign_key)
        """
    )


def _people(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected = [(one.records_merged, one.region) for one in truth.people(scenario, now)]
    return expected, _shown("select n_records_merged, region from bi.dim_people")


def _opportunities(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected = [
        (one.opportunity_id, one.status, one.opportunity_type, one.created_at, one.closed_at, one.amount, one.region)
        for one in truth.opportunities(scenario, now)
    ]
    return expected, _shown(
        """
        select
            opportunity_id, case when is_won then 'won' when is_lost then 'lost' else 'open' end as status,
            opportunity_type, created_at, closed_at, amount_local, region
        from bi.fct_opportunities
        """
    )


def _orders(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected = [(one.order_id, one.is_counted, one.net, one.channel) for one in truth.orders(scenario, now)]
    return expected, _shown(
        "select order_id, bool_and(is_counted) as is_counted, sum(amount_local) as net, min(channel) as channel "
        "from bi.fct_orders group by order_id"
    )


def _stage_events(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected = [
        (one.from_stage, one.to_stage, one.entered_at, one.exited_at, one.holder_team)
        for one in truth.stage_events(scenario, now)
    ]
    return expected, _shown("select from_stage, to_stage, entered_at, exited_at, holder_team from bi.fct_stage_events")


def _funnel(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected = [(month, *one.counts().values()) for month, one in truth.monthly_counts(scenario, now).items()]
    names = ("leads", "mqls", "sals", "sqls", "opportunities", "won", "lost")
    sums = ", ".join(f"sum({name})::int as {name}" for name in names)
    return expected, _shown(
        f"select date_trunc('month', date_day)::date as month, {sums} from bi.fct_funnel_daily "
        f"group by 1 having sum({' + '.join(names)}) > 0"
    )


def _cohorts(scenario: Scenario, now: datetime, first: date, last: date) -> tuple[Lines, Lines]:
    expected = [
        (*key, one.leads, one.watched, one.reached)
        for key, one in truth.cohorts(scenario, now, (7, 14, 30, 60, 90, 180)).items()
    ]
    return expected, _shown(
        "select cohort_month, channel, region, stage, age_days, leads, n_observed, reached from bi.fct_funnel_cohorts"
    )


REPORTED = ("ad statistics", "sessions")
SUBJECTS: dict[str, Callable[[Scenario, datetime, date, date], tuple[Lines, Lines]]] = {
    "ad statistics": _ad_stats,
    "sessions": _sessions,
    "leads": _leads,
    "people": _people,
    "opportunities": _opportunities,
    "orders": _orders,
    "stage events": _stage_events,
    "months of the funnel": _funnel,
    "cohorts": _cohorts,
}
