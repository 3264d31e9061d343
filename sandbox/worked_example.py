"""The company small enough to check by hand: four people, four deals, four campaigns, in January 2026."""

from __future__ import annotations

from datetime import date
from typing import Any

from sandbox.ads import AdAccount, Campaign, Figures, Stated
from sandbox.clock import day_of, moment
from sandbox.decisions import Deal, Happening, Person
from sandbox.identifiers import salesforce_id
from sandbox.records import Record, Table
from sandbox.scenario import ContactEvent, Scenario, Shop
from sandbox.storefront import Back, Line, Purchase
from sandbox.visits import Property

ANA, BEN, CARL, CARL_AGAIN = "101", "102", "103", "104"
COMPANY_Y = "201"
OWNER = "301"
SELLER = salesforce_id("User", 1)
ACCOUNT_X, ACCOUNT_W = salesforce_id("Account", 1), salesforce_id("Account", 2)
LEAD_ANA, LEAD_DORA = salesforce_id("Lead", 1), salesforce_id("Lead", 2)
CONTACT_ANA, CONTACT_DORA = salesforce_id("Contact", 1), salesforce_id("Contact", 2)
DEALS = {name: salesforce_id("Opportunity", number) for name, number in (("O1", 1), ("O2", 2), ("O3", 3), ("O5", 5))}

LONG_AGO = moment("2025-06-01T08:00:00Z")


def make_worked_example() -> Scenario:
    scenario = Scenario("worked_example", portal_id=4242)
    scenario.dollars_per_euro = [
        (date(2026, 1, 5), "1.10"),
        (date(2026, 1, 20), "1.20"),
        (date(2026, 2, 10), "1.25"),
    ]
    # Nobody says anything about its visits: a source that answers and reports nothing.
    scenario.properties.append(Property("310000009", "example.example", "USD", "UTC"))
    _advertise(scenario)
    _meet_people_in_hubspot(scenario)
    _sell_in_salesforce(scenario)
    _trade(scenario)
    _decide(scenario)
    return scenario


def _trade(scenario: Scenario) -> None:
    """Ana orders, and gets something back a week later; the shop also billed deal O1."""
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


def _advertise(scenario: Scenario) -> None:
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
    # Accounts that never advertised: connected, and nothing to report.
    idle = [
        AdAccount("linkedin_ads", "300000001", "Example Inc.", "USD", "UTC"),
        AdAccount("microsoft_ads", "400000001", "Example Inc.", "USD", "UTC"),
    ]
    scenario.ad_accounts += [google, meta, *idle]
    scenario.conversion_actions.append(
        {"id": "501", "name": "Lead form", "type": "WEBPAGE", "status": "ENABLED", "click": 30, "view": 1}
    )


def _meet_people_in_hubspot(scenario: Scenario) -> None:
    contacts = scenario.hubspot["contacts"]
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


def _sell_in_salesforce(scenario: Scenario) -> None:
    tables = scenario.salesforce
    tables["User"].add(
        Record(
            SELLER,
            moment("2026-01-05"),
            {
                "Name": "Sam Seller",
                "Email": "sam.seller@company.example",
                "IsActive": True,
                "ManagerId": None,
                "Department": "Account Executives",
                "Division": "EMEA",
            },
        )
    )
    for account, name, country, since in (
        (ACCOUNT_X, "Account X", "Germany", "2026-01-08T14:00:00Z"),
        (ACCOUNT_W, "Account W", "France", "2026-01-12T10:00:00Z"),
    ):
        slug = name.lower().replace(" ", "-")
        tables["Account"].add(
            Record(
                account,
                moment(since),
                {
                    "Name": name,
                    "Industry": "Technology",
                    "NumberOfEmployees": 300,
                    "BillingCountry": country,
                    "Website": f"https://www.{slug}.example",
                    "OwnerId": SELLER,
                },
            )
        )
    _convert(scenario, LEAD_ANA, "Ana", "Ana@Account-X.EXAMPLE", "Web", CONTACT_ANA, ACCOUNT_X, "O1")
    _convert(scenario, LEAD_DORA, "Dora", "dora@account-w.example", "Outbound", CONTACT_DORA, ACCOUNT_W, "O2")
    _open_deal(scenario, "O1", "2026-01-08T14:00:00Z", "2026-01-20", "Closed Won", 1000, "EUR", 1250)
    _open_deal(scenario, "O2", "2026-01-12T10:00:00Z", "2026-02-10", "Closed Lost", 500, "USD", 500)
    _open_deal(scenario, "O3", "2026-02-01", "2026-02-10", "Closed Won", 2000, "USD", 2000)
    _open_deal(scenario, "O5", "2026-01-22", "2026-01-20", "Closed Won", 300, "USD", 300)


LEAD_STEPS = {
    LEAD_ANA: ("2026-01-06T09:05:00Z", "2026-01-06T11:00:00Z", "2026-01-08T14:00:00Z"),
    LEAD_DORA: ("2026-01-10T09:00:00Z", "2026-01-10T09:30:00Z", "2026-01-12T10:00:00Z"),
}


def _convert(
    scenario: Scenario, lead_id: str, name: str, email: str, source: str, contact: str, account: str, deal: str
) -> None:
    created, accepted, converted = (moment(text) for text in LEAD_STEPS[lead_id])
    person = {"FirstName": name, "LastName": "Example", "Email": email, "Phone": "+49 30 5550199"}
    firm = next(one for one in scenario.salesforce["Account"].records if one.id == account)
    lead = Record(
        lead_id,
        created,
        {
            **person,
            "Status": "Open - Not Contacted",
            "LeadSource": source,
            "OwnerId": SELLER,
            "Company": firm.fields["Name"],
            "Country": firm.fields["BillingCountry"],
            "IsConverted": False,
        },
    )
    lead.change(accepted, Status="Working - Contacted")
    lead.change(
        converted,
        Status="Closed - Converted",
        IsConverted=True,
        ConvertedDate=day_of(converted),
        ConvertedContactId=contact,
        ConvertedAccountId=account,
        ConvertedOpportunityId=DEALS[deal],
    )
    scenario.salesforce["Lead"].add(lead)
    scenario.salesforce["Contact"].add(
        Record(contact, converted, {**person, "AccountId": account, "LeadSource": source, "OwnerId": SELLER})
    )
    steps: list[tuple[int, str, Any, Any]] = [
        (created, "created", None, None),
        (accepted, "Status", "Open - Not Contacted", "Working - Contacted"),
        (converted, "Status", "Working - Contacted", "Closed - Converted"),
        (converted, "leadConverted", None, None),
    ]
    for at, field_name, old, new in steps:
        number = len(scenario.salesforce["LeadHistory"].records) + 1
        scenario.salesforce["LeadHistory"].add(
            Record(
                salesforce_id("LeadHistory", number),
                at,
                {"LeadId": lead_id, "Field": field_name, "OldValue": old, "NewValue": new, "CreatedById": SELLER},
            )
        )


DEAL_FACTS: dict[str, tuple[str, str | None, str | None, str | None]] = {
    "O1": ("New Business", ACCOUNT_X, CONTACT_ANA, "Web"),
    "O2": ("New Business", ACCOUNT_W, CONTACT_DORA, "Outbound"),
    "O3": ("Renewal", ACCOUNT_X, CONTACT_ANA, None),
    "O5": ("New Business", None, None, "Partner"),
}


def _open_deal(
    scenario: Scenario, name: str, created_on: str, close_on: str, final: str, amount: int, currency: str, listed: int
) -> None:
    kind, account, contact, source = DEAL_FACTS[name]
    created, close_date = moment(created_on), date.fromisoformat(close_on)
    entered = max(created, moment(close_on))
    deal_id = DEALS[name]
    is_won = final == "Closed Won"
    at_once = entered == created
    closing = {"StageName": final, "IsClosed": True, "IsWon": is_won, "Probability": 100 if is_won else 0}
    opening = {"StageName": "Qualification", "IsClosed": False, "IsWon": False, "Probability": 20}
    deal = Record(
        deal_id,
        created,
        {
            "Name": f"Deal {name}",
            "AccountId": account,
            "ContactId": contact,
            "Type": kind,
            "LeadSource": source,
            "CloseDate": close_date,
            "Amount": amount,
            "CurrencyIsoCode": currency,
            "List_Amount__c": listed,
            "OwnerId": SELLER,
            **(closing if at_once else opening),
        },
    )
    moments = [(created, final if at_once else "Qualification")]
    if not at_once:
        deal.change(entered, **closing)
        moments.append((entered, final))
    scenario.salesforce["Opportunity"].add(deal)
    for at, stage in moments:
        number = len(scenario.salesforce["OpportunityHistory"].records) + 1
        scenario.salesforce["OpportunityHistory"].add(
            Record(
                salesforce_id("OpportunityHistory", number),
                at,
                {
                    "OpportunityId": deal_id,
                    "StageName": stage,
                    "Amount": amount,
                    "CloseDate": close_date,
                    "Probability": {"Closed Won": 100, "Closed Lost": 0}.get(stage, 20),
                    "CreatedById": SELLER,
                },
            )
        )
    if contact is not None:
        number = len(scenario.salesforce["OpportunityContactRole"].records) + 1
        scenario.salesforce["OpportunityContactRole"].add(
            Record(
                salesforce_id("OpportunityContactRole", number),
                created,
                {"OpportunityId": deal_id, "ContactId": contact, "IsPrimary": True, "Role": "Decision Maker"},
            )
        )


def _decide(scenario: Scenario) -> None:
    def happened(text: str, kind: Any, channel: str | None = None, campaign: str | None = None) -> Happening:
        return Happening(moment(text), kind, channel, campaign)

    people = [
        Person(
            "ana",
            [
                happened("2026-01-05T10:00:00Z", "touch", "Paid Search", "11"),
                happened("2026-01-06T09:00:00Z", "mql"),
                happened("2026-01-06T11:00:00Z", "sal"),
                happened("2026-01-07T12:00:00Z", "touch", "Email"),
                happened("2026-01-08T14:00:00Z", "sql"),
                happened("2026-01-09T15:00:00Z", "touch", "Events"),
            ],
            [
                (moment("2026-01-05T10:00:00Z"), "hubspot", ANA),
                (moment("2026-01-06T09:05:00Z"), "salesforce", LEAD_ANA),
            ],
            [(moment("2026-01-08T14:00:00Z"), "EMEA")],
        ),
        Person(
            "ben",
            [
                happened("2026-01-05T11:00:00Z", "touch", "Paid Social", "22"),
                happened("2026-01-07T08:00:00Z", "mql"),
                happened("2026-01-09T10:00:00Z", "recycled"),
                happened("2026-01-25T09:00:00Z", "touch", "Email"),
                happened("2026-01-26T09:00:00Z", "mql"),
            ],
            [(moment("2026-01-05T11:00:00Z"), "hubspot", BEN)],
            [(moment("2026-01-05T11:00:00Z"), "Americas")],
        ),
        Person(
            "carl",
            [happened("2026-01-06", "touch", "Organic Search")],
            [(moment("2026-01-06"), "hubspot", CARL)],
        ),
        Person(
            "carl again",
            [happened("2026-01-10", "touch", "Organic Search")],
            [(moment("2026-01-10"), "hubspot", CARL_AGAIN)],
            merged_into="carl",
            merged_at=moment("2026-01-15"),
        ),
        Person(
            "dora",
            [
                happened("2026-01-10T09:00:00Z", "touch", "Outbound"),
                happened("2026-01-10T09:30:00Z", "sal"),
                happened("2026-01-12T10:00:00Z", "sql"),
            ],
            [(moment("2026-01-10T09:00:00Z"), "salesforce", LEAD_DORA)],
            [(moment("2026-01-12T10:00:00Z"), "EMEA")],
        ),
    ]
    scenario.people.update({person.person_id: person for person in people})
    scenario.deals += [
        Deal(
            DEALS["O1"], "salesforce", "new_business", moment("2026-01-08T14:00:00Z"),
            [(moment("2026-01-08T14:00:00Z"), 1000)], "EUR", 1250, "EMEA", "ana", lead_source="Web",
            entered_at=moment("2026-01-20"), close_date=date(2026, 1, 20), is_won=True,
        ),
        Deal(
            DEALS["O2"], "salesforce", "new_business", moment("2026-01-12T10:00:00Z"),
            [(moment("2026-01-12T10:00:00Z"), 500)], "USD", 500, "EMEA", "dora", lead_source="Outbound",
            entered_at=moment("2026-02-10"), close_date=date(2026, 2, 10), is_won=False,
        ),
        Deal(
            DEALS["O3"], "salesforce", "renewal", moment("2026-02-01"),
            [(moment("2026-02-01"), 2000)], "USD", 2000, "EMEA", "ana",
            entered_at=moment("2026-02-10"), close_date=date(2026, 2, 10), is_won=True,
        ),
        Deal(
            DEALS["O5"], "salesforce", "new_business", moment("2026-01-22"),
            [(moment("2026-01-22"), 300)], "USD", 300, "Unknown", lead_source="Partner",
            entered_at=moment("2026-01-22"), close_date=date(2026, 1, 20), is_won=True,
        ),
    ]  # fmt: skip
