"""Leads with their stages, owners and responses equal the truth."""

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

from sandbox import truth
from sandbox.scenario import Scenario
from tests.end_to_end.office_hours import business_seconds, sla_minutes
from tests.end_to_end.pipeline import Pipeline, rows


def test_channels_and_regions_of_leads(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for cycle in truth.lead_cycles(scenario, now):
        expected[cycle.channel, cycle.region] += 1
    found = rows("select channel, region, count(*)::int as leads from bi.fct_leads group by 1, 2")
    assert {(row["channel"], row["region"]): row["leads"] for row in found} == dict(expected)


def test_the_first_response_of_every_lead(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = Counter((one.created_at, one.sal_at, one.first_response_at) for one in truth.lead_cycles(scenario, now))
    found = Counter(
        (row["created_at"], row["sal_at"], row["first_response_at"]) for row in rows("select * from bi.fct_leads")
    )
    assert sum(count for (_, taken_up, answered), count in expected.items() if answered != taken_up) > 100
    assert found == expected


def test_every_stage_event(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = truth.stage_events(scenario, now)
    leads = Counter(
        (one.from_stage, one.to_stage, one.entered_at, one.exited_at, one.is_inferred, one.holder_team)
        for one in expected
        if " " in one.subject
    )
    columns = "from_stage, to_stage, entered_at, exited_at, is_inferred, holder_team, reason"
    found = rows(
        f"select {columns}, opportunity_id "
        "from bi.fct_stage_events left join bi.fct_opportunities using (opportunity_key)"
    )
    assert sum(leads.values()) > 5_000
    assert leads == Counter(tuple(row.values())[:6] for row in found if row["opportunity_id"] is None)
    assert sum(one.is_inferred for one in expected) > 10
    deals = Counter(
        (one.subject, one.from_stage, one.to_stage, one.entered_at, one.exited_at, one.holder_team, one.reason)
        for one in expected
        if " " not in one.subject
    )
    assert len(deals) > 900
    assert sum(one.reason is not None for one in expected) > 2
    assert deals == Counter(
        (row["opportunity_id"], *(row[name] for name in columns.split(", ") if name != "is_inferred"))
        for row in found
        if row["opportunity_id"] is not None
    )


def test_who_held_every_lead(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = Counter(
        (
            one.held_from,
            one.held_to,
            one.region,
            one.holder_team,
            one.outcome,
            one.bounce_no,
            int(business_seconds(one.region, one.held_from, one.held_to) // 60) if one.held_to else None,
        )
        for one in truth.holdings(scenario, now)
    )
    found = rows(
        "select held_from, held_to, region, holder_team, outcome, bounce_no, business_minutes from bi.rpt_handoff"
    )
    assert Counter(tuple(row.values()) for row in found) == expected
    outcomes = Counter(key[4] for key in expected.elements())
    assert min(outcomes[one] for one in ("rejected", "recycled", "reassigned", "accepted", "opportunity")) > 20
    assert sum(key[5] > 0 for key in expected) > 100
    breaches = rows("select count(*) filter (where is_sla_breached) as n from bi.rpt_handoff")
    assert breaches == rows("select count(*) filter (where is_sla_breached) as n from bi.fct_leads")


def test_business_time_is_counted_on_the_clocks_of_the_region(company: Pipeline) -> None:
    """Five hundred pairs of moments per region, across clock changes, holidays and weekends."""
    chance = random.Random(4)
    begins = datetime(2024, 1, 1, tzinfo=UTC)
    pairs = []
    for region in ("EMEA", "Americas", "APAC", "(default)"):
        for _ in range(500):
            since = begins + timedelta(seconds=chance.randrange(3 * 365 * 86_400))
            pairs.append((region, since, since + timedelta(seconds=chance.randrange(40 * 86_400))))
    asked = ", ".join(f"({no}, '{region}', '{since}', '{until}')" for no, (region, since, until) in enumerate(pairs))
    found = rows(
        f"""
        select asked.no, asked.until - asked.since > interval '0',
            last_days.seconds_before
            + greatest(least(extract(epoch from until - last_days.opens_at), last_days.seconds_open), 0)
            - first_days.seconds_before
            - greatest(least(extract(epoch from since - first_days.opens_at), first_days.seconds_open), 0) as seconds
        from (select no, region, since::timestamptz, until::timestamptz from (values {asked})
            as given (no, region, since, until)) as asked
        inner join (select distinct region, time_zone from intermediate.int_business_days) as zones
            on zones.region = asked.region
        inner join intermediate.int_business_days as first_days
            on first_days.region = asked.region
            and first_days.date_day = (asked.since at time zone zones.time_zone)::date
        inner join intermediate.int_business_days as last_days
            on last_days.region = asked.region
            and last_days.date_day = (asked.until at time zone zones.time_zone)::date
        """,
        "builder",
    )
    assert {row["no"]: float(row["seconds"]) for row in found} == {
        no: business_seconds(region, since, until) for no, (region, since, until) in enumerate(pairs)
    }


def test_response_and_service_level_of_every_lead(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = Counter()
    for one in truth.lead_cycles(scenario, now):
        minutes, is_breached, is_pending = None, None, False
        if one.mql_at is not None:
            stops = one.first_response_at or one.ended_at
            seconds = business_seconds(one.region, one.mql_at, stops or now)
            promised = sla_minutes(one.region, "sales")
            assert promised is not None
            if one.first_response_at is not None:
                minutes = int(seconds // 60)
            is_pending = stops is None and seconds <= promised * 60
            is_breached = None if is_pending else seconds > promised * 60
        expected[one.created_at, one.mql_at, minutes, is_breached, is_pending] += 1
    found = Counter(
        (
            row["created_at"],
            row["mql_at"],
            row["response_business_minutes"],
            row["is_sla_breached"],
            row["is_sla_pending"],
        )
        for row in rows("select * from bi.fct_leads")
    )
    assert sum(count for (*_, is_breached, _), count in expected.items() if is_breached) > 100
    assert sum(count for (*_, is_pending), count in expected.items() if is_pending) > 3
    assert found == expected
