"""The rules of the truth one by one, on scenarios of a few lines."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sandbox import truth
from sandbox.clock import moment
from sandbox.decisions import Deal, Happening, Person
from sandbox.scenario import Scenario

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)


def at(day):
    return moment(f"2026-{day}T12:00:00Z")


def person(name, *happenings, **more):
    told = [Happening(at(day), kind, *rest) for day, kind, *rest in happenings]
    return Person(name, told, [(told[0].at, "hubspot", name)], **more)


def deal(number, created, person_id=None, closed=None, won=None, close_date=None, kind="new_business", **more):
    return Deal(
        f"O{number}",
        "salesforce",
        kind,
        at(created),
        [(at(created), 100)],
        "USD",
        None,
        "EMEA",
        person_id,
        entered_at=at(closed) if closed else None,
        close_date=close_date,
        is_won=won,
        **more,
    )


def world(*people, deals=()):
    scenario = Scenario("made", 1)
    scenario.people = {one.person_id: one for one in people}
    scenario.deals = list(deals)
    return scenario


def spans(scenario, **options):
    return [(one.cycle_no, f"{one.created_at:%m-%d}") for one in truth.lead_cycles(scenario, AS_OF, **options)]


@pytest.mark.parametrize("end", ["disqualified", "recycled"])
def test_an_end_closes_the_cycle_and_the_next_response_opens_another(end):
    scenario = world(person("a", ("01-01", "touch", "Direct"), ("01-05", end), ("02-01", "touch", "Email")))
    assert spans(scenario) == [(1, "01-01"), (2, "02-01")]
    first, second = truth.lead_cycles(scenario, AS_OF)
    assert getattr(first, f"{end}_at").day == 5
    assert (first.channel, second.channel) == ("Direct", "Email")


def test_an_end_without_an_open_cycle_is_nothing():
    scenario = world(person("a", ("01-01", "touch"), ("01-05", "recycled"), ("01-06", "disqualified")))
    (cycle,) = truth.lead_cycles(scenario, AS_OF)
    assert cycle.disqualified_at is None


def test_stages_open_a_cycle_too_and_the_earliest_time_counts():
    scenario = world(person("a", ("01-02", "mql"), ("01-03", "sal"), ("01-04", "mql"), ("01-05", "sql")))
    (cycle,) = truth.lead_cycles(scenario, AS_OF)
    assert (cycle.created_at.day, cycle.mql_at.day, cycle.sal_at.day, cycle.sql_at.day) == (2, 2, 3, 5)


def test_a_won_deal_closes_the_cycle_and_a_renewal_does_not():
    won = deal(1, "01-02", "a", "01-10", True)
    scenario = world(person("a", ("01-01", "touch"), ("02-01", "touch")), deals=[won])
    assert spans(scenario) == [(1, "01-01"), (2, "02-01")]
    renewal = deal(1, "01-02", "a", "01-10", True, kind="renewal")
    scenario = world(person("a", ("01-01", "touch"), ("02-01", "touch")), deals=[renewal])
    assert spans(scenario) == [(1, "01-01")]
    (cycle,) = truth.lead_cycles(scenario, AS_OF)
    assert cycle.won_at is None
    assert cycle.opportunity_at is None


def test_a_deal_belongs_to_the_latest_cycle_before_it():
    deals = [deal(1, "01-02", "a", "01-10", False), deal(2, "02-02", "a"), deal(3, "01-15", "a", kind="expansion")]
    scenario = world(person("a", ("01-01", "touch"), ("02-01", "touch")), deals=deals)
    leads = {one.opportunity_id: one.lead for one in truth.opportunities(scenario, AS_OF)}
    assert leads == {"O1": ("a", 1), "O2": ("a", 2), "O3": ("a", 1)}
    first, second = truth.lead_cycles(scenario, AS_OF)
    assert (first.opportunity_at.day, first.lost_at.day, second.opportunity_at.day) == (2, 10, 2)


def test_a_deal_before_the_first_cycle_or_without_a_person_has_no_lead():
    deals = [
        deal(1, "01-01", "a"),
        deal(2, "01-03", lead_source="Partner"),
        deal(3, "01-03", lead_source="Carrier pigeon"),
    ]
    scenario = world(person("a", ("01-02", "touch")), deals=deals)
    told = [(one.lead, one.channel) for one in truth.opportunities(scenario, AS_OF)]
    assert told == [(None, "Unknown"), (None, "Partner"), (None, "Unknown")]


def test_without_a_primary_contact_another_one_lends_the_lead():
    scenario = world(person("a", ("01-01", "touch", "Direct")), deals=[deal(1, "01-02", other_person_id="a")])
    (opportunity,) = truth.opportunities(scenario, AS_OF)
    assert (opportunity.lead, opportunity.channel) == (("a", 1), "Direct")


def test_a_merge_joins_what_happened_from_its_moment_on():
    double = person("b", ("01-10", "mql"), merged_into="a", merged_at=at("02-01"))
    scenario = world(person("a", ("01-01", "touch")), double, deals=[deal(1, "01-12", "b", "01-20", True)])
    before = truth.lead_cycles(scenario, datetime(2026, 1, 15, tzinfo=UTC))
    assert [(one.person_id, one.mql_at is not None) for one in before] == [("a", False), ("b", True)]
    (after,) = truth.lead_cycles(scenario, AS_OF)
    assert (after.person_id, after.mql_at.day, after.won_at.day) == ("a", 10, 20)
    assert [one.records_merged for one in truth.people(scenario, AS_OF)] == [2]


def test_removed_people_and_deals_are_gone_from_their_removal_on():
    scenario = world(
        person("a", ("01-01", "touch"), removed_at=at("03-01")), deals=[deal(1, "01-02", "a", removed_at=at("03-01"))]
    )
    february = datetime(2026, 2, 1, tzinfo=UTC)
    assert len(truth.lead_cycles(scenario, february)) == len(truth.opportunities(scenario, february)) == 1
    assert truth.lead_cycles(scenario, AS_OF) == truth.opportunities(scenario, AS_OF) == []
    assert len(truth.lead_cycles(scenario, february, known_at=AS_OF)) == 0


def test_a_deal_closes_at_its_moment_or_at_the_midnight_of_another_close_date():
    same = deal(1, "01-02", "a", "01-10", True, date(2026, 1, 10))
    backdated = deal(2, "01-02", "a", "01-10", True, date(2026, 1, 8))
    closed = [one.closed_at for one in truth.opportunities(world(deals=[same, backdated]), AS_OF)]
    assert closed == [datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC)]
    zoned = truth.opportunities(world(deals=[backdated]), AS_OF, zone="America/New_York")
    assert zoned[0].closed_at == datetime(2026, 1, 8, 5, tzinfo=UTC)


def test_a_close_that_is_not_entered_yet_is_not_known():
    late = deal(1, "01-02", "a", "01-10", True, date(2026, 1, 8))
    ninth = datetime(2026, 1, 9, tzinfo=UTC)
    assert [one.status for one in truth.opportunities(world(deals=[late]), ninth)] == ["open"]
    assert [one.status for one in truth.opportunities(world(deals=[late]), ninth, known_at=AS_OF)] == ["won"]


def test_amounts_are_those_known():
    changing = deal(1, "01-02")
    changing.amounts.append((at("02-02"), 80))
    (early,) = truth.opportunities(world(deals=[changing]), datetime(2026, 2, 1, tzinfo=UTC))
    (later,) = truth.opportunities(world(deals=[changing]), AS_OF)
    assert (early.amount, later.amount) == (Decimal(100), Decimal(80))


def test_months_hold_money_at_the_day_whose_rate_applies():
    deals = [
        deal(1, "01-31", "a", "02-02", True, date(2026, 2, 2)),
        deal(2, "02-10"),
        deal(3, "02-11", kind="renewal"),
        deal(4, "02-12", None, "02-20", False, date(2026, 2, 20)),
    ]
    months = truth.monthly_counts(world(person("a", ("01-01", "touch")), deals=deals), AS_OF)
    january, february = months[date(2026, 1, 1)], months[date(2026, 2, 1)]
    assert [one.rate_day for one in january.pipeline] == [date(2026, 2, 2)]
    assert [one.rate_day for one in february.pipeline] == [date(2026, 2, 10), date(2026, 2, 20)]
    assert [(one.rate_day, one.amount) for one in february.won_amounts] == [(date(2026, 2, 2), Decimal(100))]
    assert (february.opportunities, february.won, february.lost) == (2, 1, 1)


def test_what_happens_at_the_cut_does_not_count():
    scenario = world(person("a", ("01-01", "touch"), ("01-05", "mql")))
    cut = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert truth.lead_cycles(scenario, cut)[0].mql_at is None
    assert truth.lead_cycles(scenario, cut.replace(second=1))[0].mql_at == cut


def test_a_naive_moment_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        truth.lead_cycles(world(), datetime(2026, 1, 1))  # noqa: DTZ001 what it must refuse
