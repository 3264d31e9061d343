"""The leads and deals of the worked example in Salesforce."""

from __future__ import annotations

from datetime import date
from typing import Any

from sandbox.clock import day_of, moment
from sandbox.identifiers import salesforce_id
from sandbox.records import Record
from sandbox.scenario import Scenario

SELLER = salesforce_id("User", 1)
ACCOUNT_X, ACCOUNT_W = salesforce_id("Account", 1), salesforce_id("Account", 2)
LEAD_ANA, LEAD_DORA = salesforce_id("Lead", 1), salesforce_id("Lead", 2)
CONTACT_ANA, CONTACT_DORA = salesforce_id("Contact", 1), salesforce_id("Contact", 2)
DEALS = {name: salesforce_id("Opportunity", number) for name, number in (("O1", 1), ("O2", 2), ("O3", 3), ("O5", 5))}


def sell_in_salesforce(scenario: Scenario) -> None:
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
