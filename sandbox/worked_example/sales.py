"""The leads and deals of the worked example in Salesforce."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class ConvertedLead:
    name: str
    email: str
    source: str
    contact: str
    account: str
    deal: str
    created: str
    accepted: str
    converted: str


@dataclass(frozen=True)
class Facts:
    """What is agreed about a deal, and when it is created and closes."""

    kind: str
    account: str | None
    contact: str | None
    source: str | None
    created: str
    closes: str
    final: str
    amount: int
    currency: str
    listed: int


# fmt: off
LEADS = {
    LEAD_ANA: ConvertedLead(
        "Ana", "Ana@Account-X.EXAMPLE", "Web", CONTACT_ANA, ACCOUNT_X, "O1",
        "2026-01-06T09:05:00Z", "2026-01-06T11:00:00Z", "2026-01-08T14:00:00Z",
    ),
    LEAD_DORA: ConvertedLead(
        "Dora", "dora@account-w.example", "Outbound", CONTACT_DORA, ACCOUNT_W, "O2",
        "2026-01-10T09:00:00Z", "2026-01-10T09:30:00Z", "2026-01-12T10:00:00Z",
    ),
}
DEAL_FACTS = {
    "O1": Facts(
        "New Business", ACCOUNT_X, CONTACT_ANA, "Web",
        "2026-01-08T14:00:00Z", "2026-01-20", "Closed Won", 1000, "EUR", 1250,
    ),
    "O2": Facts(
        "New Business", ACCOUNT_W, CONTACT_DORA, "Outbound",
        "2026-01-12T10:00:00Z", "2026-02-10", "Closed Lost", 500, "USD", 500,
    ),
    "O3": Facts(
        "Renewal", ACCOUNT_X, CONTACT_ANA, None, "2026-02-01", "2026-02-10", "Closed Won", 2000, "USD", 2000,
    ),
    "O5": Facts(
        "New Business", None, None, "Partner", "2026-01-22", "2026-01-20", "Closed Won", 300, "USD", 300,
    ),
}
# fmt: on


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
    for lead_id, lead in LEADS.items():
        _convert(scenario, lead_id, lead)
    for name, facts in DEAL_FACTS.items():
        _open_deal(scenario, DEALS[name], f"Deal {name}", facts)


def _add(scenario: Scenario, kind: str, at: int, fields: dict[str, Any]) -> None:
    """A record with the next id of its kind."""
    table = scenario.salesforce[kind]
    table.add(Record(salesforce_id(kind, len(table.records) + 1), at, fields))


def _convert(scenario: Scenario, lead_id: str, facts: ConvertedLead) -> None:
    created, accepted, converted = (moment(text) for text in (facts.created, facts.accepted, facts.converted))
    person = {"FirstName": facts.name, "LastName": "Example", "Email": facts.email, "Phone": "+49 30 5550199"}
    firm = next(one for one in scenario.salesforce["Account"].records if one.id == facts.account)
    lead = Record(
        lead_id,
        created,
        {
            **person,
            "Status": "Open - Not Contacted",
            "LeadSource": facts.source,
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
        ConvertedContactId=facts.contact,
        ConvertedAccountId=facts.account,
        ConvertedOpportunityId=DEALS[facts.deal],
    )
    scenario.salesforce["Lead"].add(lead)
    owned = {"AccountId": facts.account, "LeadSource": facts.source, "OwnerId": SELLER}
    scenario.salesforce["Contact"].add(Record(facts.contact, converted, {**person, **owned}))
    steps: list[tuple[int, str, Any, Any]] = [
        (created, "created", None, None),
        (accepted, "Status", "Open - Not Contacted", "Working - Contacted"),
        (converted, "Status", "Working - Contacted", "Closed - Converted"),
        (converted, "leadConverted", None, None),
    ]
    for at, name, old, new in steps:
        fields = {"LeadId": lead_id, "Field": name, "OldValue": old, "NewValue": new, "CreatedById": SELLER}
        _add(scenario, "LeadHistory", at, fields)


def _open_deal(scenario: Scenario, deal_id: str, name: str, facts: Facts) -> None:
    created = moment(facts.created)
    entered = max(created, moment(facts.closes))
    at_once = entered == created
    is_won = facts.final == "Closed Won"
    closing = {"StageName": facts.final, "IsClosed": True, "IsWon": is_won, "Probability": 100 if is_won else 0}
    opening = {"StageName": "Qualification", "IsClosed": False, "IsWon": False, "Probability": 20}
    deal = Record(
        deal_id,
        created,
        {
            "Name": name,
            "AccountId": facts.account,
            "ContactId": facts.contact,
            "Type": facts.kind,
            "LeadSource": facts.source,
            "CloseDate": date.fromisoformat(facts.closes),
            "Amount": facts.amount,
            "CurrencyIsoCode": facts.currency,
            "List_Amount__c": facts.listed,
            "OwnerId": SELLER,
            **(closing if at_once else opening),
        },
    )
    if not at_once:
        deal.change(entered, **closing)
    scenario.salesforce["Opportunity"].add(deal)
    for at in (created,) if at_once else (created, entered):
        state = deal.known_at(at).fields
        kept = {name: state[name] for name in ("StageName", "Amount", "CloseDate", "Probability")}
        fields = {"OpportunityId": deal_id, **kept, "CreatedById": SELLER}
        _add(scenario, "OpportunityHistory", at, fields)
    if facts.contact is not None:
        role = {"OpportunityId": deal_id, "ContactId": facts.contact, "IsPrimary": True, "Role": "Decision Maker"}
        _add(scenario, "OpportunityContactRole", created, role)
