"""Lives in `company`: how a person meets marketing, is qualified, worked, rejected, recycled, sold to, and returns.

Every step writes the vendors' records and also what really happened. Nothing is derived later.
"""

from __future__ import annotations

import random

from sandbox.activities import log_engagements
from sandbox.advertising import Source
from sandbox.clock import DAY, HOUR, MINUTE, day_of
from sandbox.decisions import Kind
from sandbox.journeys.doubles import archive, come_twice, delete_lead, enter_twice
from sandbox.journeys.steps import create_lead, hand_on, log, respond, set_status, sync_to_hubspot
from sandbox.journeys.travellers import Journey, arrive, start
from sandbox.office import Office, Prospect, full_name, later, tell
from sandbox.records import Record
from sandbox.selling import Close, Terms, open_deal
from sandbox.staff import Rep

__all__ = ["meet_as_contact", "meet_online", "meet_through_sales"]

MQL_RATES = {
    "Paid Search": 0.50,
    "Email": 0.55,
    "Referral": 0.52,
    "Organic Search": 0.45,
    "Paid Social": 0.36,
    "Display": 0.25,
}
MOST_CYCLES = 3


def meet_online(office: Office, rng: random.Random, born: int, paid: list[tuple[Source, float]]) -> None:
    """A person fills in a form."""
    journey = start(office, office.some_firm(rng, born) if rng.random() < 0.72 else None)
    channel, campaign_id, fields = arrive(rng, paid)
    first, last = full_name(journey.number)
    contact = Record(
        str(100_000 + journey.number),
        born,
        {
            "email": journey.email if rng.random() >= 0.01 else None,
            "firstname": first,
            "lastname": last,
            "phone": f"+49 30 555{journey.number:07d}",
            "country": journey.firm.country if journey.firm else None,
            "company": journey.firm.name if journey.firm else None,
            "lifecyclestage": "lead",
            "hs_lead_status": "NEW" if rng.random() < 0.6 else None,
            "hs_analytics_first_timestamp": born,
            "associatedcompanyid": office.company_of(journey.firm, born) if journey.firm else None,
            "hubspot_owner_id": journey.rep.owner_id if rng.random() < 0.7 else None,
            **fields,
        },
    )
    journey.contact = office.scenario.hubspot["contacts"].add(contact)
    journey.person.records.append((born, "hubspot", contact.id))
    if contact.fields["email"]:
        office.shoppers.append((born, journey.person.person_id, contact.fields["email"]))
    if journey.firm:
        journey.person.regions.append((born, journey.firm.region))
    tell(journey.person, born, "touch", channel, campaign_id)
    _pursue(office, rng, journey, born, 1, MQL_RATES.get(channel, 0.4))
    if journey.lead is None and journey.first_closed is None and rng.random() < 0.03:
        archive(office, rng, journey, born)
    elif contact.fields["email"] and rng.random() < 0.02:
        come_twice(office, rng, journey, born)
    elif journey.lead is None and journey.first_closed is None:
        settled = max([born, *(at for at, _ in contact.changes), *(one.at for one in journey.person.happenings)])
        office.prospects.append(Prospect(settled, journey.person.person_id, contact, journey.firm))


def meet_through_sales(office: Office, rng: random.Random, born: int) -> None:
    """Sales finds a person first: the Salesforce lead is their first record."""
    source = rng.choices(("Outbound", "Partner", "Trade Show", "Referral"), (60, 15, 15, 10))[0]
    channel = {"Outbound": "Outbound", "Partner": "Partner", "Trade Show": "Events", "Referral": "Referral"}[source]
    journey = start(office, office.some_firm(rng, born))
    journey.lead_source = source
    create_lead(office, rng, journey, born)
    tell(journey.person, born, "touch", channel)
    if rng.random() < 0.55:
        sync_to_hubspot(office, rng, journey, born)
    elif rng.random() < 0.08:
        delete_lead(rng, journey, born, office)
        return
    elif rng.random() < 0.10:
        enter_twice(office, rng, journey, born)
    _work_lead(office, rng, journey, born, 1)


def meet_as_contact(office: Office, rng: random.Random, born: int) -> None:
    """A referral that an account executive enters as a contact at once; a deal follows within days."""
    firm = office.some_firm(rng, born)
    journey = start(office, firm)
    first, last = full_name(journey.number)
    contact_id = office.salesforce_id("Contact")
    office.scenario.salesforce["Contact"].add(
        Record(
            contact_id,
            born,
            {
                "AccountId": office.account_of(firm, born, journey.rep),
                "FirstName": first,
                "LastName": last,
                "Email": journey.email,
                "Phone": f"+49 30 555{journey.number:07d}",
                "LeadSource": "Referral",
                "OwnerId": journey.rep.user_id,
            },
        )
    )
    firm.contacts.append((born, contact_id))
    office.persons[contact_id] = journey.person.person_id
    journey.sf_contact_id = contact_id
    journey.lead_source = "Referral"
    journey.person.records.append((born, "salesforce", contact_id))
    journey.person.regions.append((born, firm.region))
    tell(journey.person, born, "touch", "Referral")
    _sell(office, rng, journey, later(rng, born, 20, 80), 1)


def _pursue(office: Office, rng: random.Random, journey: Journey, opened: int, depth: int, rate: float) -> None:
    """From an open cycle to an MQL, or to nothing."""
    contact = journey.known_contact
    at = opened
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        at = later(rng, at, 3, 90)
        respond(office, rng, journey, at)
    if rng.random() >= rate:
        if rng.random() < 0.08:
            _reject_in_hubspot(office, rng, journey, later(rng, at, 10, 300), "disqualified", depth)
        return
    mql = later(rng, at, 2, 100)
    contact.change(mql, lifecyclestage="marketingqualifiedlead", hs_lead_status="OPEN")
    tell(journey.person, mql, "mql")
    if journey.sf_contact_id is not None:
        if rng.random() < 0.5:
            qualified = later(rng, mql, 8, 90)
            contact.change(qualified, lifecyclestage="salesqualifiedlead", hs_lead_status="CONNECTED")
            tell(journey.person, qualified, "sql")
            _sell(office, rng, journey, qualified + HOUR // 2, depth)
        return
    if journey.lead is None and rng.random() < 0.12:
        roll = rng.random()
        if roll < 0.7:
            kind: Kind = "recycled" if roll < 0.35 else "disqualified"
            rejected = later(rng, mql, 4, 90)
            log_engagements(office, journey.person, contact.id, journey.rep, mql, rejected)
            _reject_in_hubspot(office, rng, journey, rejected, kind, depth)
        return
    arrives = mql + rng.randint(3, 12) * MINUTE
    if journey.lead is None or journey.lead_status == "Closed - Not Converted":
        create_lead(office, rng, journey, arrives)
    else:
        set_status(office, journey, arrives, "Open - Not Contacted")
    _work_lead(office, rng, journey, arrives, depth)


def _reject_in_hubspot(office: Office, rng: random.Random, journey: Journey, at: int, kind: Kind, depth: int) -> None:
    """Sales rejects a person in HubSpot, without Salesforce."""
    contact = journey.known_contact
    status = "UNQUALIFIED" if kind == "disqualified" else "BAD_TIMING"
    contact.change(at, hs_lead_status=status, lifecyclestage="lead")
    tell(journey.person, at, kind)
    journey.close(at)
    _return(office, rng, journey, at, depth)


def _return(office: Office, rng: random.Random, journey: Journey, closed: int, depth: int) -> None:
    """A third come back days or weeks later: their response opens the next cycle."""
    if depth >= MOST_CYCLES or journey.contact is None or rng.random() >= 0.33:
        return
    again = later(rng, closed, 72, 700)
    respond(office, rng, journey, again, only_responses=True)
    # A workflow opens the contact again; without it a second rejection would leave no trace in the property's history.
    journey.contact.change(again + 2 * MINUTE, hs_lead_status="OPEN")
    _pursue(office, rng, journey, again, depth + 1, 0.45)


def _work_lead(office: Office, rng: random.Random, journey: Journey, since: int, depth: int) -> None:
    """Sales accepts, rejects, recycles, converts, or never looks at the lead."""
    roll = rng.random()
    if roll < 0.12:
        hand_on(office, journey, since, hours=40, share=0.4)
        return
    if roll < 0.32:
        closed = later(rng, since, 1, 60)
        log(office, journey, since, closed, is_accepted=False)
        _close_lead(office, rng, journey, closed, "disqualified" if roll < 0.24 else "recycled", depth)
        return
    at = since
    skips = rng.random() < 0.03
    if not skips:
        at = later(rng, since, 0.5, 40)
        set_status(office, journey, at, "Working - Contacted")
        tell(journey.person, at, "sal")
        log(office, journey, since, at, is_accepted=True)
        hand_on(office, journey, at, hours=0.4, share=0.15)
        if journey.contact is not None:
            journey.contact.change(at + 4 * MINUTE, hs_lead_status="IN_PROGRESS")
            if rng.random() < 0.35:
                respond(office, rng, journey, later(rng, at, 1, 12))
                at = later(rng, at, 12, 30)
    roll = 0.0 if skips else rng.random()
    if roll < 0.32:
        _convert(office, rng, journey, later(rng, at, 6, 200), depth)
    elif roll < 0.56:
        _close_lead(office, rng, journey, later(rng, at, 6, 200), "disqualified", depth)
    elif roll < 0.74:
        _close_lead(office, rng, journey, later(rng, at, 6, 200), "recycled", depth)


def _close_lead(office: Office, rng: random.Random, journey: Journey, at: int, kind: Kind, depth: int) -> None:
    set_status(office, journey, at, "Closed - Not Converted" if kind == "disqualified" else "Recycled")
    tell(journey.person, at, kind)
    journey.close(at)
    if journey.contact is not None:
        status = "UNQUALIFIED" if kind == "disqualified" else "BAD_TIMING"
        journey.contact.change(at + 4 * MINUTE, hs_lead_status=status, lifecyclestage="lead")
    _return(office, rng, journey, at, depth)


def _convert(office: Office, rng: random.Random, journey: Journey, at: int, depth: int) -> None:
    """A lead becomes a contact, an account and, nine times in ten, an opportunity, in one moment."""
    lead = journey.known_lead
    if journey.firm is None:
        journey.firm = office.found_firm(rng, at, named=False)
    executive = office.staff.next("Account Executives", journey.firm.region)
    account_id = office.account_of(journey.firm, at, executive)
    contact_id = _enter_contact(office, journey, at, account_id, executive)
    journey.firm.contacts.append((at, contact_id))
    journey.person.regions.append((at, journey.firm.region))
    tell(journey.person, at, "sql")
    if journey.contact is not None:
        journey.contact.change(
            at + 5 * MINUTE,
            lifecyclestage="salesqualifiedlead",
            hs_lead_status="CONNECTED",
            salesforcecontactid=contact_id,
        )
    roll = rng.random()
    deal_id: str | None = None
    if roll < 0.90:
        deal_id = _sell(office, rng, journey, at, depth, executive)
    set_status(
        office,
        journey,
        at,
        "Closed - Converted",
        IsConverted=True,
        ConvertedDate=day_of(at),
        ConvertedAccountId=account_id,
        ConvertedContactId=contact_id,
        ConvertedOpportunityId=deal_id,
    )
    office.add_lead_history(lead.id, at, "leadConverted", None, None, journey.rep.user_id)
    if 0.90 <= roll < 0.95:
        _sell(office, rng, journey, later(rng, at, 20, 100), depth, executive)


def _enter_contact(office: Office, journey: Journey, at: int, account_id: str, executive: Rep) -> str:
    """The Salesforce contact of a converted lead, which takes over the lead's activities; returns its id."""
    first, last = full_name(journey.number)
    contact_id = office.salesforce_id("Contact")
    office.scenario.salesforce["Contact"].add(
        Record(
            contact_id,
            at,
            {
                "AccountId": account_id,
                "FirstName": first,
                "LastName": last,
                "Email": journey.lead_email,
                "Phone": f"+49 30 555{journey.number:07d}",
                "LeadSource": journey.lead_source,
                "OwnerId": executive.user_id,
            },
        )
    )
    for activity in journey.activities:
        activity.change(at, WhoId=contact_id)
    for member in journey.members:
        member.change(at, ContactId=contact_id)
    office.persons[contact_id] = journey.person.person_id
    journey.sf_contact_id = contact_id
    return contact_id


def _sell(
    office: Office, rng: random.Random, journey: Journey, created: int, depth: int, executive: Rep | None = None
) -> str:
    """A deal with this person, and what follows its end."""
    executive = executive or office.staff.next("Account Executives", journey.firm.region if journey.firm else "")
    contact = journey.contact
    terms = Terms(
        "New Business",
        journey.firm,
        executive,
        journey.lead_source,
        journey.person.person_id,
        journey.sf_contact_id,
        contact.id if contact is not None else None,
    )
    deal_id, close = open_deal(office, rng, created, terms)
    if contact is not None:
        contact.change(created + 9 * MINUTE, lifecyclestage="opportunity")
        _keep_warm(office, rng, journey, created, close)
    if close.won is None or close.entered is None or close.closed is None:
        return deal_id
    journey.close(close.closed)
    if contact is not None:
        contact.change(close.entered + 15 * MINUTE, lifecyclestage="customer" if close.won else "lead")
    if not close.won:
        _return(office, rng, journey, close.entered, depth)
        return deal_id
    roll = rng.random()
    if roll < 0.20:
        kind = rng.choice(("Existing Business", "Upsell", "Expansion"))
        open_deal(office, rng, later(rng, close.entered, 240, 900), _again(terms, kind, 0.5))
    elif roll < 0.34:
        open_deal(office, rng, later(rng, close.entered, 500, 1_500), _again(terms, "Renewal", 0.8))
    elif roll < 0.48 and contact is not None:
        respond(office, rng, journey, later(rng, close.entered, 100, 900), only_responses=True)
    return deal_id


def _again(terms: Terms, kind: str, win_share: float) -> Terms:
    return Terms(
        kind,
        terms.firm,
        terms.rep,
        None,
        terms.person_id,
        terms.contact_id,
        terms.hubspot_contact_id,
        win_share,
        0.15,
        14.0,
    )


def _keep_warm(office: Office, rng: random.Random, journey: Journey, created: int, close: Close) -> None:
    """Marketing continues while a deal is open, and stops well before its close."""
    ends = (close.closed if close.closed is not None else created + 20 * DAY) - 4 * DAY
    if close.deleted is not None:
        ends = min(ends, close.deleted - HOUR)
    at = created + 2 * HOUR
    for _ in range(rng.choice((0, 0, 1, 2))):
        at = later(rng, at, 10, 150)
        if at >= ends:
            break
        respond(office, rng, journey, at)
