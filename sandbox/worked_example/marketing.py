"""The advertising, orders and contacts of the worked example."""

from __future__ import annotations

from datetime import date
from typing import Any

from sandbox.ad_accounts import AdAccount, Campaign, Figures, Stated
from sandbox.clock import moment
from sandbox.purchases import Back, Line, Purchase
from sandbox.records import Record, Table
from sandbox.scenario import ContactEvent, Scenario, Shop
from sandbox.worked_example.sales import DEALS

ANA, BEN, CARL, CARL_AGAIN = "101", "102", "103", "104"
COMPANY_Y = "201"
OWNER = "301"
LONG_AGO = moment("2025-06-01T08:00:00Z")


def trade(scenario: Scenario) -> None:
    """Ana orders, and gets a refund a week later; the shop also billed deal O1."""
    shop = scenario.shop = Shop("61000000009", "example.myshopify.example", "Example Shop", "USD", "UTC", Table())
    back = Back("5090", moment("2026-01-28T10:00:00Z"), total_cents=30_00)
    s1 = [Line("5091", 1, "Kit", "KIT-1", 2, 30_00, 6_00), Line("5092", 2, "Guide", "BOK-1", 1, 40_00, 4_00)]
    s2 = [Line("5093", 99, "Invoice", "INVOICE", 1, 1_200_00)]
    facts: dict[str, Any] = {
        "email": "ana@account-x.example",
        "customer": "7001",
        "country": "DE",
        "codes": [],
        "utm": None,
        "source": "web",
        "deal": None,
        "test": False,
        "status": "PAID",
        "cancelled": None,
        "refunds": (),
    }
    code = ("WELCOME10", 10, {"5091": 6_00, "5092": 4_00})
    ordered, billed = moment("2026-01-21T09:00:00Z"), moment("2026-01-20T09:00:00Z")
    first = shop.orders.add(Record("5001", ordered, {**facts, "name": "S1", "lines": s1, "codes": [code]}))
    first.change(back.at, refunds=(back,), status="PARTIALLY_REFUNDED")
    shop.orders.add(Record("5002", billed, {**facts, "name": "S2", "lines": s2, "deal": DEALS["O1"]}))
    scenario.purchases += [
        Purchase("5001", ordered, s1, "ana", "7001", True, None, "Germany", None, None, refunds=[back]),
        Purchase("5002", billed, s2, "ana", "7001", True, DEALS["O1"], "Germany", None, None),
    ]


def _campaign(
    number: str,
    names: list[tuple[int, str]],
    days: dict[date, Stated],
    kind: str,
    visible_until: int | None = None,
) -> Campaign:
    return Campaign(
        id=number,
        names=names,
        statuses=[(names[0][0], "ENABLED" if kind == "SEARCH" else "ACTIVE")],
        kind=kind,
        first_day=date(2026, 1, 1),
        figures=days.get,
        visible_until=visible_until,
    )


def advertise(scenario: Scenario) -> None:
    fifth, twelfth = date(2026, 1, 5), date(2026, 1, 12)
    brand = {
        fifth: Stated(
            (
                (moment("2026-01-05"), Figures(90_00, 1_000, 50)),
                (moment("2026-01-10"), Figures(100_00, 1_000, 50)),
            )
        ),
        twelfth: Stated(((moment("2026-01-12"), Figures(50_00, 400, 20)),)),
    }
    google = AdAccount("google_ads", "1000000001", "Example GmbH", "EUR", "UTC")
    google.campaigns.append(
        _campaign("11", [(LONG_AGO, "Brand"), (moment("2026-01-12T06:00:00Z"), "Brand EU")], brand, "SEARCH")
    )
    meta = AdAccount("meta_ads", "2000000001", "Example Inc.", "USD", "UTC")
    lookalike = {fifth: Stated(((moment("2026-01-05"), Figures(80_00, 5_000, 40)),))}
    misplaced = {
        fifth: Stated(((moment("2026-01-06"), Figures(85_00, 0, 0)), (moment("2026-01-08"), None))),
    }
    meta.campaigns.append(_campaign("22", [(LONG_AGO, "Lookalike")], lookalike, "OUTCOME_LEADS"))
    meta.campaigns.append(
        _campaign(
            "23",
            [(moment("2026-01-05"), "Lookalike (misplaced)")],
            misplaced,
            "OUTCOME_LEADS",
            visible_until=moment("2026-01-08"),
        )
    )
    # Accounts without advertising: connected, with nothing to report.
    idle = [
        AdAccount("linkedin_ads", "300000001", "Example Inc.", "USD", "UTC"),
        AdAccount("microsoft_ads", "400000001", "Example Inc.", "USD", "UTC"),
    ]
    scenario.ad_accounts += [google, meta, *idle]
    scenario.conversion_actions.append(
        {"id": "501", "name": "Lead form", "type": "WEBPAGE", "status": "ENABLED", "click": 30, "view": 1}
    )


def meet_people_in_hubspot(scenario: Scenario) -> None:
    contacts = scenario.hubspot["contacts"]
    _meet_ana(contacts)
    _meet_ben(contacts)
    _meet_carl_twice(contacts)
    scenario.hubspot["companies"].add(
        Record(
            COMPANY_Y,
            moment("2026-01-05T11:00:00Z"),
            {
                "name": "Account Y",
                "domain": "account-y.example",
                "country": "United States",
                "industry": "COMPUTER_SOFTWARE",
                "numberofemployees": "120",
            },
        )
    )
    scenario.hubspot["owners"].add(
        Record(
            OWNER,
            moment("2026-01-05"),
            {
                "email": "sam.seller@company.example",
                "firstName": "Sam",
                "lastName": "Seller",
                "userId": 9301,
                "teams": [("401", "Account Executives", True)],
            },
        )
    )
    scenario.events += [
        ContactEvent("evt-1", moment("2026-01-07T12:00:00Z"), "e_clicked_link_in_email_v2", ANA),
        ContactEvent("evt-2", moment("2026-01-09T15:00:00Z"), "pe4242_webinar_attended", ANA),
        ContactEvent("evt-3", moment("2026-01-25T09:00:00Z"), "e_replied_email_v2", BEN),
    ]


def _meet_ana(contacts: Table) -> None:
    ana = contacts.add(
        Record(
            ANA,
            moment("2026-01-05T10:00:00Z"),
            {
                "email": "ana@account-x.example",
                "firstname": "Ana",
                "lastname": "Example",
                "phone": "+49 30 5550101",
                "lifecyclestage": "lead",
                "hs_analytics_source": "PAID_SEARCH",
                "hs_analytics_first_timestamp": moment("2026-01-05T10:00:00Z"),
                "utm_source": "google",
                "utm_medium": "cpc",
                "utm_campaign": "brand",
                "utm_id": "11",
                "hubspot_owner_id": OWNER,
            },
        )
    )
    ana.change(moment("2026-01-06T09:00:00Z"), lifecyclestage="marketingqualifiedlead")


def _meet_ben(contacts: Table) -> None:
    ben = contacts.add(
        Record(
            BEN,
            moment("2026-01-05T11:00:00Z"),
            {
                "email": "ben@account-y.example",
                "firstname": "Ben",
                "lastname": "Example",
                "phone": "+1 212 5550102",
                "lifecyclestage": "lead",
                "hs_analytics_source": "PAID_SOCIAL",
                "hs_analytics_first_timestamp": moment("2026-01-05T11:00:00Z"),
                "utm_source": "facebook",
                "utm_medium": "paid_social",
                "utm_campaign": "lookalike",
                "utm_id": "22",
                "associatedcompanyid": COMPANY_Y,
                "hubspot_owner_id": OWNER,
            },
        )
    )
    ben.change(moment("2026-01-07T08:00:00Z"), lifecyclestage="marketingqualifiedlead")
    ben.change(moment("2026-01-09T10:00:00Z"), lifecyclestage="lead", hs_lead_status="BAD_TIMING")
    ben.change(moment("2026-01-26T09:00:00Z"), lifecyclestage="marketingqualifiedlead")


def _meet_carl_twice(contacts: Table) -> None:
    carl_fields = {
        "firstname": "Carl",
        "lastname": "Example",
        "lifecyclestage": "lead",
        "hs_analytics_source": "ORGANIC_SEARCH",
    }
    merged_at = moment("2026-01-15")
    first, second = moment("2026-01-06"), moment("2026-01-10")
    carl = contacts.add(
        Record(
            CARL,
            first,
            {"email": "carl@mail.example", "hs_analytics_first_timestamp": first, **carl_fields},
        )
    )
    carl.change(merged_at, hs_merged_object_ids=CARL_AGAIN)
    contacts.add(
        Record(
            CARL_AGAIN,
            second,
            {
                "email": "carl.second@mail.example",
                "hs_analytics_first_timestamp": second,
                "_survivor": CARL,
                **carl_fields,
            },
            merged=merged_at,
        )
    )
