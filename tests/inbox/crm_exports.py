"""Made-up exports of CRMs, with the expected rows and totals of each."""

import csv
import random
from datetime import date, datetime, timedelta
from pathlib import Path

from tests.inbox.cells import Expected, american, money, text_of


def hubspot(folder: Path) -> Expected:
    """Contacts and deals of HubSpot: labels, times to the minute, several files of ids."""
    chance = random.Random(1)
    stages = ["Appointment Scheduled", "Qualified To Buy", "Contract Sent", "Closed Won", "Closed Lost"]
    deals, contacts = [], []
    for number in range(60):
        created = datetime(2026, 6, 1, 9, 30) + timedelta(days=number, minutes=number)
        deals.append(
            (
                9_000_000 + number,
                f"Deal {number}",
                chance.choice(stages),
                f"{created + timedelta(days=40):%Y-%m-%d %H:%M}",
                chance.choice(["Ada Okafor", "Bo Lindqvist"]),
                money(chance),
                "Sales Pipeline",
                f"{created:%Y-%m-%d %H:%M}",
                f"Company {number % 7}",
                f"Person {number} (p{number}@example.com)",
                chance.choice(["New Business", "Existing Business"]),
            )
        )
        contacts.append(
            (
                5_000_000 + number,
                f"First {number}",
                f"Last {number}",
                f"p{number}@example.com",
                "" if number % 3 else f"+49 30 {number:06}",
                "Ada Okafor",
                f"{created + timedelta(days=50):%Y-%m-%d %H:%M}",
                chance.choice(["New", "Open", "In Progress", "Unqualified", ""]),
                chance.choice(["Lead", "Marketing Qualified Lead", "Sales Qualified Lead", "Customer"]),
                f"{created - timedelta(days=3):%Y-%m-%d %H:%M}",
                chance.choice(["Organic Search", "Paid Search", "Direct Traffic"]),
                f"{created:%Y-%m-%d %H:%M}" if number % 2 else "",
            )
        )
    header = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Pipeline,Create Date,Associated Company"
    (folder / "hubspot-crm-exports-all-deals-2026-11-20.csv").write_text(
        text_of([*header.split(","), "Associated Contact", "Deal Type"], deals, quoting=csv.QUOTE_ALL)
    )
    header = (
        "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Last Activity Date,Lead Status,Lifecycle Stage"
    )
    (folder / "hubspot-crm-exports-all-contacts-2026-11-20.csv").write_text(
        text_of(
            [
                *(*header.split(","), "Create Date", "Original Source"),
                "Became a Marketing Qualified Lead Date",
            ],
            contacts,
            quoting=csv.QUOTE_ALL,
        )
    )
    return {
        "opportunities": {
            "rows": 60,
            "amount": sum(row[5] for row in deals),
            "won": sum(row[2] == "Closed Won" for row in deals),
            "needs": {"rep_name", "created_at", "closed_at", "account_id", "opportunity_type"},
        },
        "leads": {"rows": 60, "needs": {"email", "created_at", "status", "lead_source", "mql_at"}},
    }


def salesforce(folder: Path) -> Expected:
    """Two reports of Salesforce: American dates, thousands with commas, percentages."""
    chance = random.Random(2)
    stages = ["Prospecting", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost"]
    deals, leads = [], []
    for number in range(80):
        created = date(2026, 3, 1) + timedelta(days=2 * number)
        amount = money(chance, 9_000_000)
        deals.append(
            (
                f"006Qy00000{number:04}AAA",
                "Ada Okafor",
                f"Account {number % 9}",
                f"Opportunity {number}",
                chance.choice(stages),
                "Q4-2026",
                amount,
                chance.choice([10, 50, 90]),
                number,
                f"{created + timedelta(days=60):%-m/%-d/%Y}",
                f"{created:%-m/%-d/%Y}",
                chance.choice(["Web", "Partner Referral", ""]),
                chance.choice(["New Business", "Existing Business"]),
            )
        )
        leads.append(
            (
                f"00QQy00000{number:04}BBB",
                "Cem Aydin",
                f"First {number}",
                f"Last {number}",
                f"Account {number % 9}",
                f"l{number}@example.org",
                chance.choice(["Web", "Phone Inquiry"]),
                chance.choice(
                    ["Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted"]
                ),
                f"{created:%-m/%-d/%Y}",
            )
        )
    (folder / "report1763650000000.csv").write_text(
        text_of(
            [
                *("Opportunity ID", "Opportunity Owner", "Account Name", "Opportunity Name", "Stage", "Fiscal Period"),
                *("Amount", "Probability (%)", "Age", "Close Date", "Created Date", "Lead Source", "Type"),
            ],
            [(*row[:6], american(row[6]), *row[7:]) for row in deals],
            quoting=csv.QUOTE_ALL,
        ),
        encoding="cp1252",
    )
    (folder / "report1763650000001.csv").write_text(
        text_of(
            [
                *("Lead ID", "Lead Owner", "First Name", "Last Name", "Company / Account", "Email", "Lead Source"),
                *("Lead Status", "Created Date"),
            ],
            leads,
            quoting=csv.QUOTE_ALL,
        )
    )
    return {
        "opportunities": {
            "rows": 80,
            "amount": sum(row[6] for row in deals),
            "won": sum(row[4] == "Closed Won" for row in deals),
            "needs": {"rep_name", "created_at", "closed_at", "account_id", "probability", "lead_source"},
        },
        "leads": {"rows": 80, "needs": {"email", "created_at", "status", "lead_source", "account_id"}},
    }


def pipedrive(folder: Path) -> Expected:
    """Deals of Pipedrive: the status states what was won, the stage does not."""
    chance = random.Random(3)
    deals = []
    for number in range(50):
        created = datetime(2026, 5, 2, 8, 0) + timedelta(days=3 * number, seconds=number)
        status = chance.choice(["Open", "Won", "Lost"])
        ended = f"{created + timedelta(days=20):%Y-%m-%d %H:%M:%S}"
        deals.append(
            (
                number + 1,
                f"{status} deal {number}",
                f"Org {number % 5}",
                f"Person {number}",
                money(chance),
                "EUR",
                chance.choice(["Contact Made", "Proposal Made", "Negotiations Started"]),
                status,
                "Dee Moreau",
                f"{created:%Y-%m-%d %H:%M:%S}",
                ended if status == "Won" else "",
                ended if status == "Lost" else "",
                ended if status != "Open" else "",
                f"{created + timedelta(days=30):%Y-%m-%d}",
            )
        )
    header = [
        *("ID", "Title", "Organization", "Contact person", "Value", "Currency of Value", "Stage", "Status", "Owner"),
        *("Deal created", "Won time", "Lost time", "Deal closed on", "Expected close date"),
    ]
    (folder / "deals-14283-77.csv").write_text(text_of([f"Deal - {name}" for name in header], deals))
    return {
        "opportunities": {
            "rows": 50,
            "amount": sum(row[4] for row in deals),
            "won": sum(row[7] == "Won" for row in deals),
            "currency": {"EUR"},
            "needs": {"rep_name", "created_at", "closed_at", "account_id", "expected_close_date"},
        }
    }
