"""People who are entered twice, archived or deleted."""

from __future__ import annotations

import random

from sandbox.clock import HOUR, MINUTE
from sandbox.decisions import Person
from sandbox.journeys.travellers import Journey
from sandbox.lapses import delete_for_good
from sandbox.office import Office, full_name, later, tell
from sandbox.records import Record


def archive(office: Office, rng: random.Random, journey: Journey, born: int) -> None:
    """A contact that asked for deletion, or was spam."""
    contact = journey.known_contact
    last = max([born, *(at for at, _ in contact.changes), *(one.at for one in journey.person.happenings)])
    contact.removed = journey.person.removed_at = later(rng, last, 12, 500)
    delete_for_good(office.seed, contact)


def come_twice(office: Office, rng: random.Random, journey: Journey, born: int) -> None:
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


def enter_twice(office: Office, rng: random.Random, journey: Journey, born: int) -> None:
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


def delete_lead(rng: random.Random, journey: Journey, born: int, office: Office) -> None:
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
