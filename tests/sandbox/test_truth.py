"""The truth of the company follows from its vendors' records, and the company is coherent and repeatable."""

import functools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox import truth
from sandbox.clock import DAY, day_start, instant, moment
from sandbox.worlds import build
from tests.sandbox import reconstruction

ANCHOR = date(2026, 11, 23)
AS_OF = datetime(2026, 11, 23, tzinfo=UTC)
NOTHING = dict.fromkeys(("leads", "mqls", "sals", "sqls", "opportunities", "won", "lost"), 0)


@functools.cache
def company(seed):
    """One company per seed: it can be read as of any moment."""
    return build("company", seed, ANCHOR)


@pytest.fixture(scope="module")
def scenario():
    return company(7)


@pytest.mark.parametrize("seed", [7, 8, 23])
@pytest.mark.parametrize("day", ["2026-09-15", "2026-10-20", "2026-11-23", "2027-01-10"])
def test_truth_follows_from_the_vendors_records(seed, day):
    scenario = company(seed)
    now = moment(day)
    counted = truth.monthly_counts(scenario, instant(now))
    rebuilt = reconstruction.monthly_counts(scenario, now)
    assert {month: counts.counts() for month, counts in counted.items()} == {
        month: {**NOTHING, **counts} for month, counts in rebuilt.items()
    }


def test_truth_of_a_day_does_not_depend_on_the_days_after_it(scenario):
    early = datetime(2026, 10, 1, tzinfo=UTC)
    before = truth.lead_cycles(scenario, early)
    truth.monthly_counts(scenario, AS_OF + timedelta(days=60))
    assert truth.lead_cycles(scenario, early) == before


def test_every_crm_record_before_the_anchor_was_created_within_the_first_load(scenario):
    first = day_start(ANCHOR) - 89 * DAY
    tables = {**scenario.hubspot, **scenario.salesforce}
    for name, table in tables.items():
        states = table.snapshot(day_start(ANCHOR))
        assert states, name
        assert all(state.created > first for state in states), name


def test_nothing_happens_between_midnight_and_six(scenario):
    for table in (*scenario.hubspot.values(), *scenario.salesforce.values()):
        for record in table.records:
            assert all(at % DAY >= 6 * 3_600_000 for at in record.moments())
    assert all(event.at % DAY >= 6 * 3_600_000 for event in scenario.events)


def test_the_company_has_everything_that_makes_life_hard(scenario):
    now = day_start(ANCHOR)
    contacts = scenario.hubspot["contacts"].snapshot(now)
    leads = scenario.salesforce["Lead"].snapshot(now)
    opportunities = scenario.salesforce["Opportunity"].snapshot(now)
    deals = scenario.hubspot["deals"].snapshot(now)
    cycles = truth.lead_cycles(scenario, AS_OF)
    known = truth.opportunities(scenario, AS_OF)
    hubspot_addresses = {one.fields["email"] for one in contacts}
    counts = {
        "merged contacts": sum(one.merged for one in contacts),
        "archived contacts": sum(one.removed for one in contacts),
        "contacts without an address": sum(one.fields["email"] is None for one in contacts),
        "merged leads": sum(one.fields.get("MasterRecordId") is not None for one in leads),
        "deleted leads": sum(one.removed and not one.fields.get("MasterRecordId") for one in leads),
        "addresses in other capitals": sum((one.fields["Email"] or "").lower() != one.fields["Email"] for one in leads),
        "leads under another address": sum(
            one.fields["Email"].lower() not in hubspot_addresses and one.fields["LeadSource"] == "Web" for one in leads
        ),
        "deleted opportunities": sum(one.removed for one in opportunities),
        "deals without a contact": sum(one.fields["ContactId"] is None for one in opportunities),
        "discounted deals": sum((one.fields["List_Amount__c"] or 0) > one.fields["Amount"] for one in opportunities),
        "copies in HubSpot": sum(one.fields["hs_salesforceopportunityid"] is not None for one in deals),
        "deals merged into a new id": sum(one.merged for one in deals),
        "companies merged": sum(one.merged for one in scenario.hubspot["companies"].snapshot(now)),
        "orders deleted at the shop": sum(one.purged is not None for one in scenario.shop.orders.records),
        "members taken off a list": sum(
            one.purged is not None for one in scenario.salesforce["CampaignMember"].records
        ),
        "lines replaced by a quote": sum(
            one.purged is not None for one in scenario.salesforce["OpportunityLineItem"].records
        ),
        "contacts deleted for good": sum(one.purged is not None for one in scenario.hubspot["contacts"].records),
        "leads deleted for good": sum(one.purged is not None for one in scenario.salesforce["Lead"].records),
        "calls associated later": sum(bool(one.quiet) for one in scenario.hubspot["calls"].records),
        "deals in HubSpot alone": sum(one.fields["hs_salesforceopportunityid"] is None for one in deals),
        "HubSpot's own deals with a labelled contact": sum(bool(one.fields.get("_labels")) for one in deals),
        "labels that a smaller id would belie": sum(
            one.fields["_contacts"][0] not in one.fields["_labels"] for one in deals if one.fields.get("_labels")
        ),
        "members who responded": sum(
            one.fields["HasResponded"] for one in scenario.salesforce["CampaignMember"].snapshot(now)
        ),
        "members who did not": sum(
            not one.fields["HasResponded"] for one in scenario.salesforce["CampaignMember"].snapshot(now)
        ),
        "members who became contacts": sum(
            "ContactId" in one.fields for one in scenario.salesforce["CampaignMember"].snapshot(now)
        ),
        "line items taken away": sum(one.removed for one in scenario.hubspot["line_items"].snapshot(now)),
        **{
            f"{name} of no seller": sum(is_idle(one.fields) for one in scenario.hubspot[name].snapshot(now))
            for name, is_idle in (
                ("calls", lambda fields: fields["hs_call_status"] == "FAILED"),
                ("emails", lambda fields: fields["hs_email_direction"] == "INCOMING_EMAIL"),
                ("meetings", lambda fields: fields["hs_meeting_outcome"] == "CANCELED"),
            )
        },
        "second cycles": sum(one.cycle_no == 2 for one in cycles),
        "third cycles": sum(one.cycle_no == 3 for one in cycles),
        "cycles without an MQL but an SAL": sum(one.mql_at is None and one.sal_at is not None for one in cycles),
        "won cycles": sum(one.won_at is not None for one in cycles),
        "recycled cycles": sum(one.recycled_at is not None for one in cycles),
        "disqualified cycles": sum(one.disqualified_at is not None for one in cycles),
        "closed before they were created": sum(
            one.closed_at is not None and one.closed_at < one.created_at for one in known
        ),
        "renewals": sum(one.is_renewal for one in known),
        "expansions": sum(one.opportunity_type == "expansion" for one in known),
    }
    assert {name for name, count in counts.items() if not count} == set()
    assert {one.currency for one in known} == {"EUR", "USD", "GBP", "BRL"}
    assert {one.region for one in cycles} == {"EMEA", "Americas", "APAC", "Unknown"}
    assert 30 * 88 < len(cycles) < 50 * 88
    assert 200 <= sum(not one.is_renewal for one in known) <= 400


def test_spend_comes_in_three_currencies_and_some_of_it_never_converts(scenario):
    rows = truth.spend(scenario, AS_OF, date(2026, 8, 25), date(2026, 11, 22))
    assert {row.currency for row in rows} == {"EUR", "GBP", "USD"}
    spent = Counter()
    for row in rows:
        spent[row.platform, row.campaign_id] += row.amount
    assert len(spent) == 46
    attracted = {one.campaign_id for one in truth.lead_cycles(scenario, AS_OF)}
    barren = {campaign: amount for (_, campaign), amount in spent.items() if campaign not in attracted}
    assert barren
    assert min(barren.values()) > Decimal(1_000)


def test_clicks_are_never_fewer_than_the_leads_they_brought(scenario):
    rows = truth.spend(scenario, AS_OF, date(2026, 8, 25), date(2026, 11, 22))
    clicks = Counter()
    for row in rows:
        clicks[row.campaign_id] += row.clicks
    leads = Counter(one.campaign_id for one in truth.lead_cycles(scenario, AS_OF) if one.campaign_id)
    assert all(leads[campaign] < clicks[campaign] for campaign in leads)


def test_renamed_campaigns_show_their_new_name_from_its_day_on(scenario):
    google = scenario.accounts("google_ads")[0]
    renamed = next(one for one in google.campaigns if len(one.names) == 2)
    at = renamed.names[1][0]
    assert renamed.name_at(at - 1) == "Generic DE"
    assert renamed.name_at(at) == "Generic DACH"


def test_people_count_their_records(scenario):
    people = truth.people(scenario, AS_OF)
    assert {human.records_merged for human in people} >= {1, 2, 3}
    assert len({human.person_id for human in people}) == len(people)


def test_first_day_leaves_out_what_is_dated_earlier(scenario):
    whole = truth.monthly_counts(scenario, AS_OF)
    part = truth.monthly_counts(scenario, AS_OF, first_day=date(2026, 10, 1))
    assert set(part) == {month for month in whole if month >= date(2026, 10, 1)}
    assert part[date(2026, 11, 1)].counts() == whole[date(2026, 11, 1)].counts()


def test_months_follow_the_zone(scenario):
    utc = truth.monthly_counts(scenario, AS_OF)
    tokyo = truth.monthly_counts(scenario, AS_OF, zone="Asia/Tokyo")
    assert utc[date(2026, 9, 1)].leads != tokyo[date(2026, 9, 1)].leads
    assert sum(one.leads for one in utc.values()) == sum(one.leads for one in tokyo.values())


def test_paid_sessions_are_a_share_of_the_clicks_that_were_paid_for(scenario):
    clicks, sessions = Counter(), Counter()
    first, last = date(2026, 9, 1), date(2026, 11, 20)
    for row in truth.spend(scenario, AS_OF, first, last):
        clicks[row.campaign_id] += row.clicks
    for row in truth.visits(scenario, AS_OF, first, last):
        if row.campaign_id:
            sessions[row.campaign_id] += row.sessions
    assert len(sessions) >= 20
    assert all(0.5 < sessions[campaign] / clicks[campaign] < 0.95 for campaign in sessions)


def test_sessions_settle_and_never_shrink(scenario):
    day = date(2026, 11, 10)
    seen = []
    for days in range(1, 16):
        rows = truth.visits(scenario, instant(day_start(day) + days * DAY), day, day)
        seen.append((sum(row.sessions for row in rows), sum(row.key_events for row in rows)))
    assert seen == sorted(seen)
    assert seen[0][0] < seen[2][0] == seen[-1][0]
    assert seen[0][1] < seen[5][1] < seen[-3][1] == seen[-1][1]
