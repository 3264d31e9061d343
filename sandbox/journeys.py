"""Lives of `company`: how one person meets marketing, is qualified, worked, rejected, recycled, sold to, and returns.

Every step writes the vendors' records and, beside them, what really happened. Nothing is derived later.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sandbox.activities import log_activities, log_engagements
from sandbox.advertising import HABITS, Source
from sandbox.campaigns import invite
from sandbox.clock import DAY, HOUR, MINUTE, day_of
from sandbox.decisions import Kind, Person
from sandbox.lapses import delete_for_good
from sandbox.office import Firm, Office, Prospect, full_name, later, tell, working_time
from sandbox.records import Record
from sandbox.selling import Close, Terms, open_deal
from sandbox.staff import Rep

MQL_RATES = {
    "Paid Search": 0.50,
    "Email": 0.55,
    "Referral": 0.52,
    "Organic Search": 0.45,
    "Paid Social": 0.36,
    "Display": 0.25,
}
MOST_CYCLES = 3


@dataclass
class Journey:
    """One person on the way, and the records the vendors hold of them so far."""

    person: Person
    email: str | None
    firm: Firm | None
    rep: Rep
    contact: Record | None = None
    lead: Record | None = None
    lead_status: str = ""
    lead_email: str | None = None
    lead_source: str | None = "Web"
    sf_contact_id: str | None = None
    first_closed: int | None = None
    number: int = 0
    activities: list[Record] = field(default_factory=list)
    members: list[Record] = field(default_factory=list)

    @property
    def known_contact(self) -> Record:
        """The HubSpot contact of someone who must have one by now."""
        if self.contact is None:
            raise LookupError(f"{self.person.person_id} has no HubSpot contact yet.")
        return self.contact

    @property
    def known_lead(self) -> Record:
        """The Salesforce lead of someone who must have one by now."""
        if self.lead is None:
            raise LookupError(f"{self.person.person_id} has no Salesforce lead yet.")
        return self.lead

    def close(self, at: int) -> None:
        """Remember when the first cycle ended, if it did."""
        if self.first_closed is None or at < self.first_closed:
            self.first_closed = at


# --- beginnings -----------------------------------------------------------------------------------------------------


def meet_online(office: Office, rng: random.Random, born: int, paid: list[tuple[Source, float]]) -> None:
    """Someone fills in a form."""
    journey = _start(office, office.some_firm(rng, born) if rng.random() < 0.72 else None)
    channel, campaign_id, fields = _arrive(rng, paid)
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
        _archive(office, rng, journey, born)
    elif contact.fields["email"] and rng.random() < 0.02:
        _come_twice(office, rng, journey, born)
    elif journey.lead is None and journey.first_closed is None:
        settled = max([born, *(at for at, _ in contact.changes), *(one.at for one in journey.person.happenings)])
        office.prospects.append(Prospect(settled, journey.person.person_id, contact, journey.firm))


def meet_through_sales(office: Office, rng: random.Random, born: int) -> None:
    """Sales finds someone first: the Salesforce lead is the first anyone knows of them."""
    source = rng.choices(("Outbound", "Partner", "Trade Show", "Referral"), (60, 15, 15, 10))[0]
    channel = {"Outbound": "Outbound", "Partner": "Partner", "Trade Show": "Events", "Referral": "Referral"}[source]
    journey = _start(office, office.some_firm(rng, born))
    journey.lead_source = source
    _create_lead(office, rng, journey, born)
    tell(journey.person, born, "touch", channel)
    if rng.random() < 0.55:
        _sync_to_hubspot(office, rng, journey, born)
    elif rng.random() < 0.08:
        _delete_lead(rng, journey, born, office)
        return
    elif rng.random() < 0.10:
        _enter_twice(office, rng, journey, born)
    _work_lead(office, rng, journey, born, 1)


def meet_as_contact(office: Office, rng: random.Random, born: int) -> None:
    """A referral whom an account executive enters as a contact at once; a deal follows within days."""
    firm = office.some_firm(rng, born)
    journey = _start(office, firm)
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


def _start(office: Office, firm: Firm | None) -> Journey:
    number = office.number("person")
    domain = firm.domain if firm else f"mailbox{number % 5}.example"
    rep = office.staff.next("Sales Development", firm.region if firm else "")
    person = Person(f"person{number}")
    office.scenario.people[person.person_id] = person
    return Journey(person, f"person{number}@{domain}", firm, rep, number=number)


def _arrive(rng: random.Random, paid: list[tuple[Source, float]]) -> tuple[str, str | None, dict[str, str | None]]:
    """Channel, campaign and the HubSpot fields that tell of them."""
    way = rng.choices(
        ("paid", "organic", "direct", "newsletter", "referral", "social", "import"), (66, 13, 7, 5, 4, 3, 2)
    )[0]
    if way == "paid" and paid:
        source = rng.choices([one for one, _ in paid], [weight for _, weight in paid])[0]
        habits = HABITS[source.platform]
        if rng.random() < 0.04:
            return habits.channel, None, {"hs_analytics_source": habits.analytics}
        tags, campaign_id = _tags(rng, source)
        return source.channel, campaign_id, {"hs_analytics_source": habits.analytics, **tags}
    if way == "direct":
        return "Direct", None, {"hs_analytics_source": "DIRECT_TRAFFIC"}
    if way == "newsletter":
        return "Email", None, {"hs_analytics_source": "EMAIL_MARKETING", **_utm("newsletter", "email", "monthly-news")}
    if way == "referral":
        return (
            "Referral",
            None,
            {"hs_analytics_source": "REFERRALS", **_utm("blog.partner-site.example", "referral", "post")},
        )
    if way == "social":
        return (
            "Organic Social",
            None,
            {"hs_analytics_source": "SOCIAL_MEDIA", **_utm("linkedin", "social", "page-post")},
        )
    if way == "import":
        return "Unknown", None, {"hs_analytics_source": "OFFLINE"}
    return "Organic Search", None, {"hs_analytics_source": "ORGANIC_SEARCH"}


def _utm(source: str, medium: str, campaign: str) -> dict[str, str | None]:
    return {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign}


def _tags(rng: random.Random, source: Source) -> tuple[dict[str, str | None], str | None]:
    """UTM tags as people set them: mostly with the campaign's id, at times its id or name as utm_campaign, at times
    something nobody can match."""
    utm_source, utm_medium = rng.choice(source.utm)
    slug = source.plan.name.lower().replace(" ", "-")
    campaign_id = source.campaign.id
    roll = rng.random()
    if roll < 0.80:
        return {**_utm(utm_source, utm_medium, slug), "utm_id": campaign_id}, campaign_id
    if roll < 0.88:
        return _utm(utm_source, utm_medium, campaign_id), campaign_id
    if roll < 0.95 and source.plan.renamed is None:
        return _utm(utm_source, utm_medium, source.plan.name), campaign_id
    return _utm(utm_source, utm_medium, slug), None


# --- marketing ------------------------------------------------------------------------------------------------------


def _pursue(office: Office, rng: random.Random, journey: Journey, opened: int, depth: int, rate: float) -> None:
    """From an open cycle towards an MQL, or nothing."""
    contact = journey.known_contact
    at = opened
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        at = later(rng, at, 3, 90)
        _respond(office, rng, journey, at)
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
        _create_lead(office, rng, journey, arrives)
    else:
        _set_status(office, journey, arrives, "Open - Not Contacted")
    _work_lead(office, rng, journey, arrives, depth)


def _respond(office: Office, rng: random.Random, journey: Journey, at: int, only_responses: bool = False) -> None:
    """One event on the contact; page views and opened mails are no responses."""
    contact = journey.known_contact
    kinds = ("visit", "open", "click", "reply", "webinar", "form", "landing", "fair")
    weights = (0, 0, 40, 15, 20, 20, 0, 5) if only_responses else (30, 22, 22, 3, 9, 7, 5, 2)
    kind = rng.choices(kinds, weights)[0]
    contact_id = contact.id
    if kind == "visit":
        office.add_event(at, "e_visited_page", contact_id, {"hs_url": "https://www.company.example/pricing"})
    elif kind == "open":
        office.add_event(at, "e_opened_email_v2", contact_id, {"hs_email_campaign_id": "311"})
    elif kind in ("click", "reply"):
        event_type = "e_clicked_link_in_email_v2" if kind == "click" else "e_replied_email_v2"
        office.add_event(at, event_type, contact_id, {"hs_email_campaign_id": "311"})
        tell(journey.person, at, "touch", "Email")
    elif kind == "webinar":
        office.add_event(at, "pe4242_webinar_attended", contact_id, {})
        tell(journey.person, at, "touch", "Events")
    elif kind == "fair":
        office.add_event(at, "pe4242_trade_show_visited", contact_id, {})
        tell(journey.person, at, "touch", "Events")
    elif kind == "form":
        tags = {"hs_utm_source": "newsletter", "hs_utm_medium": "email", "hs_utm_campaign": "monthly-news"}
        office.add_event(at, "e_form_submission_v2", contact_id, tags)
        tell(journey.person, at, "touch", "Email")
    else:
        source = rng.choice([one for one in office.sources if one.plan.kind == "SEARCH"])
        tags = {
            "hs_utm_source": "google",
            "hs_utm_medium": "cpc",
            "hs_utm_campaign": source.plan.name.lower().replace(" ", "-"),
            "utm_id": source.campaign.id,
        }
        office.add_event(at, "pe4242_ad_landing_visit", contact_id, tags)
        tell(journey.person, at, "touch", source.channel, source.campaign.id)


def _reject_in_hubspot(office: Office, rng: random.Random, journey: Journey, at: int, kind: Kind, depth: int) -> None:
    """Sales says no in HubSpot, without Salesforce."""
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
    _respond(office, rng, journey, again, only_responses=True)
    # A workflow opens the contact anew; without it a second rejection would leave no trace in the property's history.
    journey.contact.change(again + 2 * MINUTE, hs_lead_status="OPEN")
    _pursue(office, rng, journey, again, depth + 1, 0.45)


# --- sales ----------------------------------------------------------------------------------------------------------


def _create_lead(office: Office, rng: random.Random, journey: Journey, at: int) -> None:
    first, last = full_name(journey.number)
    roll = rng.random()
    # A second lead of the same person carries the address of the first, so that it stays connected when the HubSpot
    # contact points to the newest lead only.
    email = journey.lead_email or journey.email
    if journey.lead is None and email and roll < 0.12:
        email = email.replace("person", "Person").replace(".example", ".Example")
    elif journey.lead is None and email and roll < 0.15 and journey.contact is not None:
        email = f"p.{journey.number}@{email.partition('@')[2]}"
    lead = Record(
        office.salesforce_id("Lead"),
        at,
        {
            "FirstName": first,
            "LastName": last,
            "Email": email,
            "Phone": f"+49 30 555{journey.number:07d}",
            "Company": journey.firm.name if journey.firm else "[not provided]",
            "Country": journey.firm.country if journey.firm else None,
            "Status": "Open - Not Contacted",
            "LeadSource": journey.lead_source,
            "OwnerId": journey.rep.user_id,
            "IsConverted": False,
        },
    )
    office.scenario.salesforce["Lead"].add(lead)
    office.add_lead_history(lead.id, at, "created", None, None, journey.rep.user_id)
    journey.lead, journey.lead_status, journey.lead_email = lead, "Open - Not Contacted", email
    journey.person.records.append((at, "salesforce", lead.id))
    is_fair = journey.lead_source == "Trade Show"
    journey.members = invite(office, journey.person, lead.id, at, is_fair=is_fair)
    if journey.contact is not None:
        unlike = email is None or email.lower() != journey.contact.fields["email"]
        if unlike or journey.contact.fields["email"] is None or rng.random() < 0.85:
            journey.contact.change(at + MINUTE, salesforceleadid=lead.id)


def _set_status(office: Office, journey: Journey, at: int, status: str, **fields: object) -> None:
    lead = journey.known_lead
    office.add_lead_history(lead.id, at, "Status", journey.lead_status, status, journey.rep.user_id)
    lead.change(at, Status=status, **fields)
    journey.lead_status = status


def _work_lead(office: Office, rng: random.Random, journey: Journey, since: int, depth: int) -> None:
    """Sales accepts, rejects, recycles, converts, or never looks."""
    roll = rng.random()
    if roll < 0.12:
        _hand_on(office, journey, since, hours=40, share=0.4)
        return
    if roll < 0.32:
        closed = later(rng, since, 1, 60)
        _log(office, journey, since, closed, is_accepted=False)
        _close_lead(office, rng, journey, closed, "disqualified" if roll < 0.24 else "recycled", depth)
        return
    at = since
    skips = rng.random() < 0.03
    if not skips:
        at = later(rng, since, 0.5, 40)
        _set_status(office, journey, at, "Working - Contacted")
        tell(journey.person, at, "sal")
        _log(office, journey, since, at, is_accepted=True)
        _hand_on(office, journey, at, hours=0.4, share=0.15)
        if journey.contact is not None:
            journey.contact.change(at + 4 * MINUTE, hs_lead_status="IN_PROGRESS")
            if rng.random() < 0.35:
                _respond(office, rng, journey, later(rng, at, 1, 12))
                at = later(rng, at, 12, 30)
    roll = 0.0 if skips else rng.random()
    if roll < 0.32:
        _convert(office, rng, journey, later(rng, at, 6, 200), depth)
    elif roll < 0.56:
        _close_lead(office, rng, journey, later(rng, at, 6, 200), "disqualified", depth)
    elif roll < 0.74:
        _close_lead(office, rng, journey, later(rng, at, 6, 200), "recycled", depth)


def _hand_on(office: Office, journey: Journey, since: int, *, hours: float, share: float) -> None:
    """A manager gives some leads to a colleague. Salesforce writes it twice: the names, and the ids."""
    lead, before = journey.known_lead, journey.rep
    chance = random.Random(f"owner {office.seed} {lead.id} {since}")
    colleagues = [one for one in office.staff.reps if one.team == before.team and one.user_id != before.user_id]
    if chance.random() >= share:
        return
    after = chance.choice([one for one in colleagues if one.region == before.region] or colleagues)
    at = working_time(chance, since + chance.uniform(0.25, 1) * hours * HOUR)
    users = {one.id: one.fields["Name"] for one in office.scenario.salesforce["User"].records}
    office.add_lead_history(lead.id, at, "Owner", users[before.user_id], users[after.user_id], before.user_id)
    office.add_lead_history(lead.id, at, "Owner", before.user_id, after.user_id, before.user_id)
    lead.change(at, OwnerId=after.user_id)
    tell(journey.person, at, "owner", rep_id=after.user_id)
    journey.rep = after


def _log(office: Office, journey: Journey, since: int, taken_up: int, *, is_accepted: bool) -> None:
    journey.activities += log_activities(
        office, journey.person, journey.known_lead.id, journey.rep, since, taken_up, is_accepted=is_accepted
    )


def _close_lead(office: Office, rng: random.Random, journey: Journey, at: int, kind: Kind, depth: int) -> None:
    _set_status(office, journey, at, "Closed - Not Converted" if kind == "disqualified" else "Recycled")
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
    # Salesforce hands a converted lead's activities over to the contact.
    for activity in journey.activities:
        activity.change(at, WhoId=contact_id)
    for member in journey.members:
        member.change(at, ContactId=contact_id)
    journey.firm.contacts.append((at, contact_id))
    office.persons[contact_id] = journey.person.person_id
    journey.sf_contact_id = contact_id
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
    _set_status(
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


def _sell(
    office: Office, rng: random.Random, journey: Journey, created: int, depth: int, executive: Rep | None = None
) -> str:
    """New business with this person, and what comes after its end."""
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
        _respond(office, rng, journey, later(rng, close.entered, 100, 900), only_responses=True)
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
    """Marketing goes on while a deal is open, and stops well before its close."""
    ends = (close.closed if close.closed is not None else created + 20 * DAY) - 4 * DAY
    if close.deleted is not None:
        ends = min(ends, close.deleted - HOUR)
    at = created + 2 * HOUR
    for _ in range(rng.choice((0, 0, 1, 2))):
        at = later(rng, at, 10, 150)
        if at >= ends:
            break
        _respond(office, rng, journey, at)


# --- doubles and removals -------------------------------------------------------------------------------------------


def _archive(office: Office, rng: random.Random, journey: Journey, born: int) -> None:
    """A contact that asked to be forgotten, or was spam."""
    contact = journey.known_contact
    last = max([born, *(at for at, _ in contact.changes), *(one.at for one in journey.person.happenings)])
    contact.removed = journey.person.removed_at = later(rng, last, 12, 500)
    delete_for_good(office.seed, contact)


def _come_twice(office: Office, rng: random.Random, journey: Journey, born: int) -> None:
    """The same person with a second address, merged by HubSpot's users into the first while the cycle is open."""
    contact, email = journey.known_contact, journey.email or ""
    created = later(rng, born, 20, 120)
    merged = later(rng, created, 10, 160)
    if journey.first_closed is not None and merged >= journey.first_closed - HOUR:
        return
    first, last = full_name(journey.number)
    channel = rng.choice(("Direct", "Organic Search"))
    double = office.scenario.hubspot["contacts"].add(
        Record(
            str(100_000 + office.number("person")),
            created,
            {
                "email": email.replace("@", ".second@"),
                "firstname": first,
                "lastname": last,
                "lifecyclestage": "lead",
                "hs_analytics_source": "DIRECT_TRAFFIC" if channel == "Direct" else "ORGANIC_SEARCH",
                "hs_analytics_first_timestamp": created,
                "_survivor": contact.id,
            },
            merged=merged,
        )
    )
    contact.change(merged, hs_merged_object_ids=double.id)
    person = Person(f"{journey.person.person_id}.second", merged_into=journey.person.person_id, merged_at=merged)
    person.records.append((created, "hubspot", double.id))
    tell(person, created, "touch", channel)
    if rng.random() < 0.4:
        at = later(rng, created, 1, 8)
        if at < merged:
            event = office.add_event(at, "e_clicked_link_in_email_v2", double.id, {"hs_email_campaign_id": "311"})
            event.moved_at, event.moved_to = merged, contact.id
            tell(person, at, "touch", "Email")
    office.scenario.people[person.person_id] = person


def _enter_twice(office: Office, rng: random.Random, journey: Journey, born: int) -> None:
    """Two sellers enter the same prospect; Salesforce merges the younger lead into the older within the day."""
    lead, email = journey.known_lead, journey.email or ""
    created = born + rng.randint(10, 40) * MINUTE
    merged = created + rng.randint(30, 120) * MINUTE
    other = office.salesforce_id("Lead")
    same = rng.random() < 0.5
    fields = {
        **lead.fields,
        "Email": lead.fields["Email"] if same else email.replace("@", ".double@"),
    }
    double = Record(other, created, fields)
    double.change(merged, MasterRecordId=lead.id)
    double.removed = merged
    office.scenario.salesforce["Lead"].add(double)
    office.add_lead_history(other, created, "created", None, None, journey.rep.user_id).removed = merged
    lead.touched.append(merged)
    office.add_lead_history(lead.id, merged, "leadMerged", None, None, journey.rep.user_id)
    if same:
        journey.person.records.append((created, "salesforce", other))
        return
    person = Person(f"{journey.person.person_id}.double", merged_into=journey.person.person_id, merged_at=merged)
    person.records.append((created, "salesforce", other))
    tell(person, created, "touch", journey.person.happenings[0].channel)
    office.scenario.people[person.person_id] = person


def _delete_lead(rng: random.Random, journey: Journey, born: int, office: Office) -> None:
    """A lead entered by mistake."""
    lead = journey.known_lead
    deleted = later(rng, born, 5, 300)
    lead.removed = journey.person.removed_at = deleted
    delete_for_good(office.seed, lead)
    for member in journey.members:
        member.removed = deleted
    for row in reversed(office.scenario.salesforce["LeadHistory"].records):
        if row.fields["LeadId"] == lead.id:
            row.removed = deleted
            break


def _sync_to_hubspot(office: Office, rng: random.Random, journey: Journey, born: int) -> None:
    """The sync carries a Salesforce lead over to HubSpot minutes later."""
    lead = journey.known_lead
    at = born + rng.randint(3, 9) * MINUTE
    first, last = full_name(journey.number)
    contact = Record(
        str(100_000 + journey.number),
        at,
        {
            "email": journey.email,
            "firstname": first,
            "lastname": last,
            "phone": f"+49 30 555{journey.number:07d}",
            "country": journey.firm.country if journey.firm else None,
            "company": journey.firm.name if journey.firm else None,
            "lifecyclestage": "lead",
            "hs_analytics_source": "OFFLINE",
            "associatedcompanyid": office.company_of(journey.firm, at) if journey.firm else None,
            "hubspot_owner_id": journey.rep.owner_id,
            "salesforceleadid": lead.id,
        },
    )
    journey.contact = office.scenario.hubspot["contacts"].add(contact)
    journey.person.records.append((at, "hubspot", contact.id))
    if journey.firm:
        journey.person.regions.append((at, journey.firm.region))
    tell(journey.person, at, "touch", "Unknown")
