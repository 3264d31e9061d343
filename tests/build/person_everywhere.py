"""One person in everything that the nine vendors and files send, with addresses in all forms in which they are written.

Advertising vendors know no persons; there the person is in names of campaigns and in undeclared fields.
"""

import base64
import csv
import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from funnel import settings
from funnel.contract import Connection, Window
from funnel.ingest import completeness, landing, load, privacy, reduced_bodies, tombstones
from funnel.sources import SOURCES, files

MORNING = datetime(2026, 1, 11, 3, tzinfo=UTC)
WINDOW = Window(date(2026, 1, 5), date(2026, 1, 11))
EMAIL, NAME, PHONE = "Quenby.Forgetme@Zyxwv-Corp.example", "Quenby Forgettable", "+49 555 0190190"
CONTACT, LEAD, SF_CONTACT = "987650012345", "00QFg000000Zz1TMAQ", "003Fg000000Zz2UMAQ"
CUSTOMER, FILE_LEAD, CRM_PERSON = "7776665554443", "LEAD-QUENBY-1", "P-QUENBY-77"
OTHER, OTHER_EMAIL = "987650099999", "someone.else@other.example"
NEEDLES = [EMAIL.lower(), NAME.lower(), PHONE, CONTACT, LEAD[:15].lower(), SF_CONTACT[:15].lower(), CUSTOMER]
NEEDLES += [FILE_LEAD.lower(), CRM_PERSON.lower()]
# As URLs, JSON, links to unsubscribe and lists of customers of ad platforms write it.
URL, JSON_TEXT, SHA256 = quote(EMAIL), EMAIL.replace("@", "\\u0040"), hashlib.sha256(EMAIL.lower().encode()).hexdigest()
BASE64 = base64.b64encode(EMAIL.encode()).decode().rstrip("=")
NEEDLES += [URL, quote(URL), JSON_TEXT, SHA256, BASE64]
# A person who was given by an id: the address is not known, so neither is its SHA-256.
FOUND_BY_ID = re.compile("|".join(re.escape(one) for one in NEEDLES if one != SHA256).encode(), re.IGNORECASE)
FOUND = re.compile("|".join(map(re.escape, NEEDLES)).encode(), re.IGNORECASE)
MANIFEST = """
source: acme_crm
currency: USD
streams:
  - {entity: leads, path: leads.csv}
  - {entity: touches, path: touches.csv}
  - {entity: orders, path: orders.csv}
  - {entity: stage_events, path: stages.csv}
"""


def at(day: int, hour: int = 10) -> str:
    return f"2026-01-{day:02}T{hour:02}:00:00Z"


def hubspot() -> dict[str, list[dict[str, Any]]]:
    def contact(contact_id: str, email: str, **more: Any) -> dict[str, Any]:
        properties = {"email": email, "createdate": at(5, 9), "lifecyclestage": "lead", **more}
        return {"id": contact_id, "updatedAt": at(6), "archived": False, "properties": properties}

    # The second contact is as old as this person, and was named in the same moment.
    link = {"contacts": [{"toObjectId": int(CONTACT)}, {"toObjectId": int(OTHER)}]}
    won = {"amount": "500.25", "deal_currency_code": "USD", "dealstage": "closedwon", "pipeline": "default"}
    won |= {"createdate": at(7), "closedate": at(9), "hs_is_closed": "true", "hs_is_closed_won": "true"}
    return {
        "contacts": [
            contact(
                CONTACT,
                EMAIL.upper(),
                salesforceleadid=LEAD,
                salesforcecontactid=SF_CONTACT,
                firstname=NAME,
                phone=PHONE,
            ),
            contact(OTHER, OTHER_EMAIL),
            # Unreadable, so it is quarantined as it is.
            contact(CONTACT, EMAIL, firstname=NAME) | {"updatedAt": f"soon, says {NAME}"},
        ],
        "deals": [{"id": "71", "updatedAt": at(9), "properties": won | {"note": NAME}, "associations": link}],
        "calls": [
            {
                "id": "81",
                "updatedAt": at(6),
                "associations": {"contacts": [{"toObjectId": CONTACT}]},
                "properties": {
                    "hs_timestamp": at(6),
                    "hs_call_status": "COMPLETED",
                    "hs_call_body": f"Spoke to {NAME}",
                },
            }
        ],
        "contact_events": [
            {
                "id": "91",
                "occurredAt": at(6),
                "eventType": "e_form_submitted",
                "objectId": CONTACT,
                "properties": {"hs_utm_source": "google", "hs_url": f"https://x.example/thanks?u={BASE64}&email={URL}"},
            }
        ],
        "companies": [{"id": "61", "updatedAt": at(6), "properties": {"name": "Zyxwv", "note": f"ask {EMAIL}"}}],
    }


def salesforce() -> dict[str, list[dict[str, Any]]]:
    modified = {"SystemModstamp": at(6), "IsDeleted": False, "CreatedDate": at(5)}
    lead = {"Id": LEAD, "Email": EMAIL, "LastName": NAME, "Status": "Qualified", "ConvertedContactId": SF_CONTACT}
    deal = {"Id": "006Fg000000Zz3VMAQ", "StageName": "Closed Won", "IsClosed": True, "IsWon": True, "Amount": 900.75}
    deal |= {"CloseDate": "2026-01-09", "CurrencyIsoCode": "USD", "ContactId": SF_CONTACT, "Type": "New Business"}
    task = {"Id": "00TFg000000Zz4WMAQ", "WhoId": SF_CONTACT, "IsClosed": True, "Description": f"Call {NAME} {PHONE}"}
    member = {"Id": "00vFg000000Zz5XMAQ", "CampaignId": "701", "LeadId": LEAD, "ContactId": SF_CONTACT}
    role = {"Id": "00KFg000000Zz6YMAQ", "OpportunityId": deal["Id"], "ContactId": SF_CONTACT, "IsPrimary": True}
    history = {"Id": "00RFg000000Zz7ZMAQ", "LeadId": LEAD, "Field": "created", "CreatedDate": at(5)}
    return {
        "leads": [lead | modified | {"IsConverted": True, "ConvertedOpportunityId": deal["Id"]}],
        "contacts": [{"Id": SF_CONTACT, "Email": EMAIL.title(), "Phone": PHONE} | modified | {"CreatedDate": at(6)}],
        "opportunities": [deal | modified],
        "opportunity_contact_roles": [role | modified],
        "tasks": [task | modified | {"CompletedDateTime": at(6)}],
        "events": [{"Id": "00UFg000000Zz8aMAQ", "WhoId": LEAD, "StartDateTime": at(7)} | modified],
        "campaign_members": [member | modified | {"HasResponded": True, "Status": "Responded"}],
        "lead_history": [history],
    }


def order() -> dict[str, Any]:
    line = {"id": "gid://shopify/LineItem/1", "title": "Chair", "sku": "C1", "quantity": 2}
    line["originalTotalSet"] = {"shopMoney": {"amount": "80.50"}}
    return {
        "id": "gid://shopify/Order/5001",
        "legacyResourceId": "5001",
        "updatedAt": at(8),
        "createdAt": at(8),
        "processedAt": at(8),
        "currencyCode": "USD",
        "email": EMAIL,
        "customer": {"legacyResourceId": CUSTOMER},
        "displayFinancialStatus": "PAID",
        "subtotalPriceSet": {"shopMoney": {"amount": "80.50"}},
        "tags": [f"for {NAME}"],
        "customAttributes": [{"key": "gift", "value": NAME}],
        "note": PHONE,
        "lineItems": {"nodes": [line]},
        "refunds": [],
        "discountCodes": [],
        "test": False,
    }


def advertising() -> dict[tuple[str, str], bytes]:
    """Campaigns whose names hold the person, with a day of spend each."""
    customer = {"id": "1", "currencyCode": "USD"}
    day = {"campaign": {"id": "11"}, "customer": customer, "segments": {"date": "2026-01-06"}}
    google = {"customer": customer, "campaign": {"id": "11", "name": f"retarget {EMAIL}", "labels": [NAME]}}
    insight = {"date_start": "2026-01-06", "account_id": "2", "account_currency": "USD", "campaign_id": "21"}
    insight |= {"spend": "20.5", "impressions": "100", "clicks": "7", "audience": SHA256}
    meta = [
        {"id": "21", "account_id": "2", "name": f"lookalike of {SHA256}", "objective": "SALES"},
        {"id": "22", "account_id": "2", "name": f"<{EMAIL.upper()}>", "buyer": {"name": EMAIL, "phone": URL}},
    ]
    linkedin = {"id": 31, "name": f"x?email={URL}", "account": "urn:li:sponsoredAccount:3", "type": "SPONSORED"}
    linkedin_day = {"pivotValues": ["urn:li:sponsoredCampaign:31"], "costInLocalCurrency": "30", "contact": EMAIL}
    linkedin_day["dateRange"] = {"start": {"year": 2026, "month": 1, "day": 6}}
    made: dict[tuple[str, str], Any] = {
        ("google_ads", "campaigns"): {"results": [google]},
        ("google_ads", "campaign_stats"): {"results": [day | {"metrics": {"costMicros": "9000000", "clicks": "3"}}]},
        ("meta_ads", "campaigns"): {"data": meta},
        ("meta_ads", "insights"): {"data": [insight]},
        ("meta_ads", "accounts"): {"account_id": "2", "currency": "USD", "name": f"of {EMAIL}"},
        ("linkedin_ads", "campaigns"): {"elements": [linkedin]},
        ("linkedin_ads", "accounts"): {"id": 3, "currency": "USD", "name": "LinkedIn"},
        ("linkedin_ads", "campaign_stats"): {"account": "3", "elements": [linkedin_day]},
        ("ga4", "sessions"): sessions(),
    }
    found = {place: json.dumps(body).encode() for place, body in made.items()}
    # A vendor may escape what it likes.
    found["meta_ads", "campaigns"] = found["meta_ads", "campaigns"].replace(EMAIL.encode(), JSON_TEXT.encode())
    report = {"AccountId": "4", "CampaignId": "41", "CampaignName": f"for {EMAIL}", "CampaignStatus": "Active"}
    figures = {"TimePeriod": "2026-01-06", "AccountId": "4", "CurrencyCode": "USD", "CampaignId": "41", "Spend": "40"}
    found["microsoft_ads", "campaigns"] = zipped(report | {"Labels": f"{NAME} {EMAIL}"})
    found["microsoft_ads", "campaign_stats"] = zipped(figures | {"Clicks": "4", "Keyword": EMAIL})
    rate = {"TIME_PERIOD": "2026-01-06", "CURRENCY": "USD", "OBS_VALUE": "1.25", "TITLE": f"asked by {EMAIL}"}
    found["exchange_rates", "rates"] = table(rate)
    return found


def sessions() -> dict[str, Any]:
    """One visit to a page whose link named the person in two forms, which are two keys."""
    names = ("date", "sessionDefaultChannelGroup", "sessionSource", "sessionMedium", "sessionCampaignId")
    dimensions = [*names, "sessionCampaignName", "countryId"]

    def visit(campaign: str) -> dict[str, Any]:
        cells = ["20260106", "Email", "newsletter", "email", "(not set)", campaign, "DE"]
        return {"dimensionValues": [{"value": cell} for cell in cells], "metricValues": [{"value": "3"}] * 4}

    return {
        "property": "5",
        "day": "2026-01-06",
        "dimensionHeaders": [{"name": name} for name in dimensions],
        "metricHeaders": [{"name": name} for name in ("sessions", "engagedSessions", "totalUsers", "keyEvents")],
        "rows": [visit(f"to {EMAIL.lower()}"), visit(f"to {URL}"), visit("to all")],
        "rowCount": 3,
    }


def table(row: dict[str, str]) -> bytes:
    """A CSV file of one row."""
    written = io.StringIO()
    csv.writer(written).writerows([row.keys(), row.values()])
    return written.getvalue().encode()


def zipped(row: dict[str, str]) -> bytes:
    """A report as Microsoft sends it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.csv", table(row))
    return packed.getvalue()


def bodies(*, changed: bool) -> dict[tuple[str, str], bytes]:
    """One body of each stream, in the form of its vendor; later the vendors changed the records of the person."""
    contacts = hubspot()
    leads = salesforce()
    if changed:
        for each in contacts["contacts"][:2]:
            each["properties"]["utm_source"] = "bing"
            each["updatedAt"] = at(10)
        leads["leads"][0] |= {"LeadSource": "Fair", "SystemModstamp": at(10)}
    made = {("hubspot", name): json.dumps({"results": rows}).encode() for name, rows in contacts.items()}
    made |= {("salesforce", name): json.dumps({"records": rows}).encode() for name, rows in leads.items()}
    made["shopify", "orders"] = json.dumps({"data": {"orders": {"nodes": [order()]}}}).encode()
    made |= advertising()
    made["hubspot", "contacts.ids"] = json.dumps({"since": None, "ids": [CONTACT, OTHER]}).encode()
    return made


def write_inbox(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "acme.yml").write_text(MANIFEST)
    page = f"https://x.example/?q={URL}"
    (folder / "leads.csv").write_text(
        "lead_id,created_at,email,person_id,landing_page\n"
        f"{FILE_LEAD},2026-01-05 08:00:00,{EMAIL},{CRM_PERSON},{page}\nL2,2026-01-05 09:00:00,{OTHER_EMAIL},P2,\n"
    )
    touch = f"2026-01-06 09:00:00,{EMAIL},{CRM_PERSON},{FILE_LEAD},click\n"
    (folder / "touches.csv").write_text(f"touched_at,email,person_id,lead_id,touch_type\n{touch}")
    rows = f"O1,2026-01-07 09:00:00,{EMAIL},{CUSTOMER}\nO2,never,{EMAIL},{CUSTOMER}\n"
    # One bad row of two would refuse the file.
    rows += "".join(f"O{number},2026-01-07 09:00:00,,\n" for number in range(3, 60))
    (folder / "orders.csv").write_text(f"order_id,ordered_at,email,customer_id\n{rows}")
    (folder / "stages.csv").write_text(f"lead_id,stage,entered_at\n{FILE_LEAD},mql,2026-01-06 12:00:00\n")


def read_everything(inbox: Path, moment: datetime, run: str, *, changed: bool = False, of: str = "") -> None:
    """Land and load all bodies and files as a run would, or those `of` one vendor."""
    load.create_tables()
    with psycopg.connect(settings.dsn("loader")) as connection:
        known = tombstones.read(connection, privacy.person_key_secret())

    def take(source: Any, connection_id: str, stream: Any) -> None:
        change = reduced_bodies.of_read(source, connection_id, stream.name, known)
        place = Connection(connection_id, str(inbox), extra={"known": {}})
        load.load(landing.land(source, place, stream, WINDOW, run, moment, change))

    for (name, stream_name), body in bodies(changed=changed).items():
        if of not in ("", name):
            continue
        source = replace(SOURCES[name], fetch=lambda *_, body=body: iter([body]))
        take(source, name, replace(SOURCES[name].stream(stream_name), name=stream_name))
    for entity in () if of else ("leads", "touches", "orders", "stage_events"):
        take(files.SOURCE, "acme_crm", files.SOURCE.stream(entity))
    complete_all(run)


def complete_all(run: str = "run 2") -> None:
    """Record the days of a run as complete, without its checks."""
    for source in SOURCES.values():
        completeness.complete(source, run)
