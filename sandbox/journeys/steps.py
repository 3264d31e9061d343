"""Single steps of a journey, in the vendors' records."""

from __future__ import annotations

import random

from sandbox.activities import log_activities
from sandbox.campaigns import invite
from sandbox.clock import HOUR, MINUTE
from sandbox.journeys.travellers import Journey
from sandbox.office import Office, full_name, tell, working_time
from sandbox.records import Record


def respond(office: Office, rng: random.Random, journey: Journey, at: int, only_responses: bool = False) -> None:
    """One event on the contact; page views and opened mails do not count as responses."""
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


def create_lead(office: Office, rng: random.Random, journey: Journey, at: int) -> None:
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


def set_status(office: Office, journey: Journey, at: int, status: str, **fields: object) -> None:
    lead = journey.known_lead
    office.add_lead_history(lead.id, at, "Status", journey.lead_status, status, journey.rep.user_id)
    lead.change(at, Status=status, **fields)
    journey.lead_status = status


def hand_on(office: Office, journey: Journey, since: int, *, hours: float, share: float) -> None:
    """A manager gives some leads to a colleague. Salesforce records it twice: with names, and with ids."""
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


def log(office: Office, journey: Journey, since: int, taken_up: int, *, is_accepted: bool) -> None:
    journey.activities += log_activities(
        office, journey.person, journey.known_lead.id, journey.rep, since, taken_up, is_accepted=is_accepted
    )


def sync_to_hubspot(office: Office, rng: random.Random, journey: Journey, born: int) -> None:
    """The sync copies a Salesforce lead to HubSpot minutes later."""
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
