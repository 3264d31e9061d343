"""The responses of the simulated vendors on one morning."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

# The seed of currency rates begins three years before it.
LAST_DAY = date(2026, 12, 31)


EPOCH = date(2020, 1, 1)


CUSTOMER = "1234567890"


RESTATED_DAYS = 30


@dataclass(frozen=True)
class Size:
    """The size of the company: `leads` new people a day; every n-th becomes an opportunity; each has `touches`."""

    days: int
    campaigns: int
    leads: int
    leads_per_opportunity: int = 20
    touches: float = 1.5


def number_of(day: date) -> int:
    """The number of a day since the epoch of the history."""
    return (day - EPOCH).days


Rows = list[dict[str, Any]]


def stamp(moment: datetime, hours: float) -> str:
    """A moment as vendors write it, some hours after another."""
    return (moment + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def campaign_stats(day: date, campaigns: int) -> Rows:
    """Google's figures of the day, and of the days before that it restates."""
    stats: Rows = []
    for back in range(RESTATED_DAYS, -1, -1):
        stat_day = day - timedelta(days=back)
        number = number_of(stat_day)
        for campaign in range(1, campaigns + 1):
            restated = (campaign + number_of(day)) % 33 == 0
            stats.append(
                {
                    "customer": {"resourceName": f"customers/{CUSTOMER}", "id": CUSTOMER, "currencyCode": "EUR"},
                    "campaign": {"resourceName": f"customers/{CUSTOMER}/campaigns/{campaign}", "id": str(campaign)},
                    "metrics": {
                        "impressions": str((campaign * 7 + number * 13) % 1000 + 1),
                        "clicks": str((campaign + number) % 50),
                        "costMicros": str(
                            ((campaign * 31 + number * 17) % 5000 + 1) * 10000 + restated * number_of(day) * 100
                        ),
                        "conversions": (campaign + number) % 7 * 0.5,
                        "conversionsValue": (campaign + number) % 7 * 12.5,
                    },
                    "segments": {"date": str(stat_day)},
                }
            )
    return stats


def contacts_of(moment: datetime, numbers: Iterable[int], campaigns: int) -> Rows:
    """HubSpot's new contacts."""
    return [
        {
            "id": str(number),
            "updatedAt": stamp(moment, 1),
            "archived": False,
            "properties": {
                "email": f"p{number}@d{number % 5000}.example",
                "createdate": stamp(moment, 0),
                "lastmodifieddate": stamp(moment, 1),
                "lifecyclestage": "lead",
                "hs_analytics_source": "PAID_SEARCH",
                "utm_source": "google",
                "utm_medium": "cpc",
                "utm_campaign": "c",
                "utm_id": str(number % campaigns + 1),
                "associatedcompanyid": str(number % 20000),
            },
            "propertiesWithHistory": {
                "lifecyclestage": [{"value": "lead", "timestamp": stamp(moment, 0), "sourceType": "FORM"}]
            },
        }
        for number in numbers
    ]


def events_of(day: date, moment: datetime, first: int, size: Size) -> Rows:
    """HubSpot's events of earlier contacts."""
    leads = size.leads
    return [
        {
            "id": f"e{number}.{nth} of {day}",
            "occurredAt": stamp(moment, 3),
            "eventType": "e_clicked_link_in_email_v2",
            "objectType": "CONTACT",
            "objectId": str(number),
        }
        # People who came some days ago answer as often as those of the history did.
        for nth in range(max(1, math.ceil(size.touches - 1)))
        for number in range(first - leads * 3 * nth, first - leads * 3 * nth + leads)
        if (number * 7 + nth) % 100 < 100 * (size.touches - 1) / max(1, math.ceil(size.touches - 1))
    ]


def leads_of(moment: datetime, numbers: Iterable[int]) -> Rows:
    """Salesforce's leads that were contacted."""
    return [
        {
            "Id": f"L{number}",
            "SystemModstamp": stamp(moment, 2),
            "IsDeleted": False,
            "CreatedDate": stamp(moment, 1),
            "Email": f"q{number}@d{number % 5000}.example",
            "Status": "Working - Contacted",
            "LeadSource": "Web",
            "OwnerId": f"U{number % 40}",
            "Country": "Germany",
            "IsConverted": False,
        }
        for number in numbers
    ]


def lead_history_of(moment: datetime, numbers: Iterable[int]) -> Rows:
    """The history of the status of Salesforce's leads."""
    return [
        {
            "Id": f"HX{number}",
            "CreatedDate": stamp(moment, 3),
            "IsDeleted": False,
            "LeadId": f"L{number}",
            "Field": "Status",
            "OldValue": "Open - Not Contacted",
            "NewValue": "Working - Contacted",
        }
        for number in numbers
    ]


def opportunities_of(day: date, moment: datetime, numbers: Iterable[int]) -> Rows:
    """Salesforce's opportunities that were won."""
    return [
        {
            "Id": f"O{number}",
            "SystemModstamp": stamp(moment, 4),
            "IsDeleted": False,
            "CreatedDate": stamp(moment, -24 * 16),
            "AccountId": f"A{number % 10000}",
            "Type": "New Business",
            "StageName": "Closed Won",
            "IsClosed": True,
            "IsWon": True,
            "CloseDate": str(day),
            "Amount": number % 900 + 100,
            "CurrencyIsoCode": "EUR",
            "List_Amount__c": number % 900 + 150,
            "Probability": 100,
            "OwnerId": f"U{number % 40}",
            "ContactId": f"C{number}",
        }
        for number in numbers
    ]


def bodies_of(day: date, size: Size) -> dict[tuple[str, str], list[bytes]]:
    """The vendors' responses on the morning after `day`, for the streams that have any."""
    moment = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    leads, every = size.leads, size.leads_per_opportunity
    first = number_of(day) * leads
    new = range(first, first + leads)
    qualified = [number for number in range(first - leads * 2, first - leads) if number % 5 < 2]
    closed = [number for number in range(first - leads * 19, first - leads * 18) if number % every == 0]
    stats = campaign_stats(day, size.campaigns)
    return {
        ("google_ads", "campaign_stats"): [
            orjson.dumps({"results": stats[start : start + 10_000]}) for start in range(0, len(stats), 10_000)
        ],
        ("hubspot", "contacts"): [orjson.dumps({"results": contacts_of(moment, new, size.campaigns)})],
        ("hubspot", "contact_events"): [orjson.dumps({"results": events_of(day, moment, first, size)})],
        ("salesforce", "leads"): [orjson.dumps({"records": leads_of(moment, qualified)})],
        ("salesforce", "lead_history"): [orjson.dumps({"records": lead_history_of(moment, qualified)})],
        ("salesforce", "opportunities"): [orjson.dumps({"records": opportunities_of(day, moment, closed)})],
    }
