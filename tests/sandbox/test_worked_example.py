"""The worked example in its vendors' answers, at the moments that matter."""

from datetime import UTC, datetime

import pytest

from sandbox import truth
from sandbox.worlds import build

JANUARY = "BETWEEN '2026-01-01' AND '2026-01-31'"
STATISTICS = (
    "SELECT campaign.id, campaign.name, segments.date, metrics.cost_micros, metrics.impressions, metrics.clicks "
    f"FROM campaign WHERE segments.date {JANUARY}"
)


def google_days(ask):
    (batch,) = ask.google("1000000001", STATISTICS).json()
    return {row["segments"]["date"]: row for row in batch.get("results", [])}


def meta_days(ask):
    rows = ask.meta(
        "act_2000000001/insights",
        level="campaign",
        time_increment=1,
        time_range='{"since":"2026-01-01","until":"2026-01-31"}',
        fields="campaign_id,spend,impressions,clicks",
    ).json()["data"]
    return {(row["campaign_id"], row["date_start"]): row for row in rows}


def contacts(ask, **extra):
    found = ask.hubspot_search(
        "contacts", properties=["email", "hs_merged_object_ids", "lifecyclestage"], **extra
    ).json()
    return {one["id"]: one for one in found["results"]}


@pytest.mark.parametrize(
    ("now", "euros"),
    [("2026-01-06T03:00:00Z", 90), ("2026-01-09T03:00:00Z", 90), ("2026-01-10T03:00:00Z", 100)],
)
def test_google_restates_the_fifth_of_january_on_the_tenth(worked, ask, now, euros):
    worked.set_now(now)
    day = google_days(ask)["2026-01-05"]
    assert day["metrics"] == {"costMicros": str(euros * 1_000_000), "impressions": "1000", "clicks": "50"}


def test_google_shows_no_day_that_has_not_begun(worked, ask):
    worked.set_now("2026-01-11T12:00:00Z")
    assert set(google_days(ask)) == {"2026-01-05"}


def test_the_campaign_is_renamed_during_the_twelfth_of_january(worked, ask):
    names = []
    for now in ("2026-01-12T03:00:00Z", "2026-01-13T03:00:00Z"):
        worked.set_now(now)
        (batch,) = ask.google("1000000001", "SELECT campaign.id, campaign.name FROM campaign").json()
        names.append([row["campaign"]["name"] for row in batch["results"]])
    assert names == [["Brand"], ["Brand EU"]]


def test_meta_shows_the_misplaced_row_for_two_days_only(worked, ask):
    shown = {}
    for day in ("06", "07", "08"):
        worked.set_now(f"2026-01-{day}T03:00:00Z")
        shown[day] = {key: row["spend"] for key, row in meta_days(ask).items()}
    misplaced = {("22", "2026-01-05"): "80", ("23", "2026-01-05"): "85"}
    assert shown == {"06": misplaced, "07": misplaced, "08": {("22", "2026-01-05"): "80"}}


def test_ana_is_one_address_in_two_spellings(ask):
    ana = contacts(ask)["101"]["properties"]
    leads = ask.query_all("SELECT Email, LeadSource, ConvertedOpportunityId FROM Lead WHERE FirstName = 'Ana'")
    assert leads[0]["Email"] != ana["email"]
    assert leads[0]["Email"].lower() == ana["email"]
    assert leads[0]["LeadSource"] == "Web"
    assert leads[0]["ConvertedOpportunityId"] == "006Kx0000000001IAA"


def test_histories_hold_the_stages_with_their_moments(worked, ask):
    body = {"inputs": [{"id": "102"}], "properties": [], "propertiesWithHistory": ["lifecyclestage", "hs_lead_status"]}
    batch = ask.hubspot("POST", "/crm/objects/2026-09/contacts/batch/read", json=body).json()
    history = batch["results"][0]["propertiesWithHistory"]
    assert [(one["value"], one["timestamp"]) for one in history["lifecyclestage"]] == [
        ("marketingqualifiedlead", "2026-01-26T09:00:00.000Z"),
        ("lead", "2026-01-09T10:00:00.000Z"),
        ("marketingqualifiedlead", "2026-01-07T08:00:00.000Z"),
        ("lead", "2026-01-05T11:00:00.000Z"),
    ]
    assert [(one["value"], one["timestamp"]) for one in history["hs_lead_status"]] == [
        ("BAD_TIMING", "2026-01-09T10:00:00.000Z")
    ]
    statuses = ask.query_all(
        "SELECT LeadId, NewValue, CreatedDate FROM LeadHistory WHERE Field = 'Status' ORDER BY CreatedDate"
    )
    assert [(row["NewValue"], row["CreatedDate"]) for row in statuses] == [
        ("Working - Contacted", "2026-01-06T11:00:00.000+0000"),
        ("Closed - Converted", "2026-01-08T14:00:00.000+0000"),
        ("Working - Contacted", "2026-01-10T09:30:00.000+0000"),
        ("Closed - Converted", "2026-01-12T10:00:00.000+0000"),
    ]


def test_carl_is_two_contacts_until_the_merge_and_one_after_it(worked, ask):
    worked.set_now("2026-01-14T23:59:59Z")
    assert {"103", "104"} <= set(contacts(ask))
    assert contacts(ask)["103"]["properties"]["hs_merged_object_ids"] is None
    worked.set_now("2026-01-15T00:00:00Z")
    after = contacts(ask)
    assert "104" not in after
    assert after["103"]["properties"]["hs_merged_object_ids"] == "104"
    assert after["103"]["updatedAt"] == "2026-01-15T00:00:00.000Z"
    by_loser = ask.hubspot("GET", "/crm/objects/2026-09/contacts/104").json()
    assert by_loser["id"] == "103"


def test_deals_carry_amounts_types_and_dates(ask):
    rows = ask.query_all(
        "SELECT Id, Type, StageName, Amount, CurrencyIsoCode, List_Amount__c, CloseDate, CreatedDate, ContactId, "
        "LeadSource FROM Opportunity ORDER BY Id"
    )
    told = [
        (
            row["Type"],
            row["StageName"],
            row["Amount"],
            row["CurrencyIsoCode"],
            row["List_Amount__c"],
            row["CreatedDate"][:16],
            row["CloseDate"],
            row["ContactId"] is not None,
            row["LeadSource"],
        )
        for row in rows
    ]
    assert told == [
        ("New Business", "Closed Won", 1000, "EUR", 1250, "2026-01-08T14:00", "2026-01-20", True, "Web"),
        ("New Business", "Closed Lost", 500, "USD", 500, "2026-01-12T10:00", "2026-02-10", True, "Outbound"),
        ("Renewal", "Closed Won", 2000, "USD", 2000, "2026-02-01T00:00", "2026-02-10", True, None),
        ("New Business", "Closed Won", 300, "USD", 300, "2026-01-22T00:00", "2026-01-20", False, "Partner"),
    ]


def test_a_deal_is_open_before_its_close(worked, ask):
    worked.set_now("2026-01-19T23:59:59Z")
    (before,) = ask.query_all(
        "SELECT StageName, IsClosed, SystemModstamp FROM Opportunity WHERE CurrencyIsoCode = 'EUR'"
    )
    worked.set_now("2026-01-20T00:00:00Z")
    (after,) = ask.query_all(
        "SELECT StageName, IsClosed, SystemModstamp FROM Opportunity WHERE CurrencyIsoCode = 'EUR'"
    )
    assert (before["StageName"], before["IsClosed"], before["SystemModstamp"][:16]) == (
        "Qualification",
        False,
        "2026-01-08T14:00",
    )
    assert (after["StageName"], after["IsClosed"], after["SystemModstamp"][:16]) == (
        "Closed Won",
        True,
        "2026-01-20T00:00",
    )


def test_truth_says_what_the_worked_example_says():
    scenario = build("worked_example")
    as_of = datetime(2026, 2, 28, tzinfo=UTC)
    cycles = {(one.person_id, one.cycle_no): one for one in truth.lead_cycles(scenario, as_of)}
    assert {key: (one.channel, one.campaign_id, one.region) for key, one in cycles.items()} == {
        ("ana", 1): ("Paid Search", "11", "EMEA"),
        ("ben", 1): ("Paid Social", "22", "Americas"),
        ("ben", 2): ("Email", None, "Americas"),
        ("carl", 1): ("Organic Search", None, "Unknown"),
        ("dora", 1): ("Outbound", None, "EMEA"),
    }
    ana, dora = cycles["ana", 1], cycles["dora", 1]
    assert ana.won_at == datetime(2026, 1, 20, tzinfo=UTC)
    assert dora.mql_at is None
    assert dora.lost_at == datetime(2026, 2, 10, tzinfo=UTC)
    months = {month.isoformat(): counts.counts() for month, counts in truth.monthly_counts(scenario, as_of).items()}
    nothing = dict.fromkeys(("leads", "mqls", "sals", "sqls", "opportunities", "won", "lost"), 0)
    assert months == {
        "2026-01-01": {**nothing, "leads": 5, "mqls": 3, "sals": 2, "sqls": 2, "opportunities": 3, "won": 2},
        "2026-02-01": {**nothing, "lost": 1},
    }
    assert {one.person_id: one.records_merged for one in truth.people(scenario, as_of)} == {
        "ana": 2,
        "ben": 1,
        "carl": 2,
        "dora": 1,
    }


def test_truth_counts_carl_twice_before_the_merge():
    scenario = build("worked_example")
    before = truth.lead_cycles(scenario, datetime(2026, 1, 14, tzinfo=UTC))
    assert sum(one.person_id.startswith("carl") for one in before) == 2
