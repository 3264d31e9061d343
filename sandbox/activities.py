"""Calls, mails and meetings that sellers of `company` log on a lead, and mass mailings and plans that do not count.

People who never came to Salesforce have activities in HubSpot, next to automatic ones and their own.

Each lead has a random generator of its own, so that nothing else of the company depends on it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from sandbox.clock import HOUR, MINUTE, SECOND, day_of
from sandbox.decisions import Person
from sandbox.lapses import associate_later
from sandbox.office import Office, later, tell, working_time
from sandbox.records import Record
from sandbox.staff import Rep


def log_activities(
    office: Office, person: Person, lead_id: str, rep: Rep, since: int, taken_up: int, *, is_accepted: bool
) -> list[Record]:
    """Everything logged on a lead that came to sales at `since` and was accepted or closed at `taken_up`."""
    rng = random.Random(f"activities {office.seed} {lead_id} {since}")
    logged = []
    if rng.random() < 0.25:
        sent = since + 5 * MINUTE
        logged.append(_add_task(office, lead_id, rep, sent, "ListEmail", sent))
    if rng.random() < 0.55:
        called = working_time(rng, since + (taken_up - since) * rng.uniform(0.2, 0.95))
        if since < called < taken_up:
            logged.append(_add_task(office, lead_id, rep, called, rng.choice(("Call", "Email")), called))
            tell(person, called, "response")
    if is_accepted and rng.random() < 0.30:
        planned = taken_up + 10 * MINUTE
        done = later(rng, planned, 2, 5)
        logged.append(_add_task(office, lead_id, rep, planned, "Task", done if rng.random() < 0.7 else None))
        if logged[-1].changes:
            tell(person, done, "response")
    if is_accepted and rng.random() < 0.20:
        begins = later(rng, taken_up, 2, 5)
        logged.append(_add_meeting(office, lead_id, rep, taken_up + HOUR, begins))
        tell(person, begins, "response")
    return logged


def log_engagements(office: Office, person: Person, contact_id: str, rep: Rep, since: int, ended: int) -> None:
    """HubSpot's engagements of a contact that sales looked at between two moments and then rejected."""
    rng = random.Random(f"engagements {office.seed} {contact_id} {since}")

    def moment() -> int:
        return working_time(rng, since + (ended - since) * rng.uniform(0.2, 0.9))

    def log(kind: str, at: int, fields: Mapping[str, object], *, is_response: bool) -> None:
        if not since < at < ended:
            return
        number = 7_000_000 + office.number("engagement")
        shared = {"hs_timestamp": at, "hubspot_owner_id": rep.owner_id, "_contacts": (contact_id,)}
        record = office.scenario.hubspot[kind].add(Record(str(number), at, {**shared, **fields}))
        linked = associate_later(office.seed, record)
        if is_response:
            tell(person, at, "response", known_at=linked)

    if rng.random() < 0.55:
        is_dialled = rng.random() < 0.85
        status = rng.choice(("COMPLETED", "NO_ANSWER")) if is_dialled else "FAILED"
        call = {"hs_call_title": "Call", "hs_call_direction": "OUTBOUND", "hs_call_status": status}
        log("calls", moment(), call, is_response=is_dialled)
    if rng.random() < 0.15:
        call = {"hs_call_title": "Call", "hs_call_direction": "INBOUND", "hs_call_status": "COMPLETED"}
        log("calls", moment(), call, is_response=False)
    if rng.random() < 0.5:
        status = "SENT" if rng.random() < 0.9 else "BOUNCED"
        mail = {"hs_email_subject": "Your request", "hs_email_direction": "EMAIL", "hs_email_status": status}
        log("emails", moment(), mail, is_response=status == "SENT")
    if rng.random() < 0.3:
        mail = {"hs_email_subject": "Question", "hs_email_direction": "INCOMING_EMAIL", "hs_email_status": "SENT"}
        log("emails", moment(), mail, is_response=False)
    if rng.random() < 0.3:
        begins = moment()
        outcome = rng.choice(("COMPLETED", "COMPLETED", "NO_SHOW", "CANCELED"))
        meeting = {
            "hs_meeting_title": "Meeting",
            "hs_meeting_start_time": begins,
            "hs_meeting_end_time": begins + HOUR // 2,
            "hs_meeting_outcome": outcome,
        }
        log("meetings", begins, meeting, is_response=outcome != "CANCELED")


def _add_task(office: Office, who_id: str, rep: Rep, created: int, subtype: str, completed: int | None) -> Record:
    """A task: logged when done, or planned and completed later, or never completed."""
    is_done = completed == created
    task = Record(
        office.salesforce_id("Task"),
        created,
        {
            "WhoId": who_id,
            "OwnerId": rep.user_id,
            "Subject": subtype,
            "TaskSubtype": subtype,
            "Status": "Completed" if is_done else "Not Started",
            "IsClosed": is_done,
            "CompletedDateTime": completed if is_done else None,
            "ActivityDate": day_of(completed or created),
        },
    )
    if completed is not None and not is_done:
        task.change(completed, Status="Completed", IsClosed=True, CompletedDateTime=completed)
    return office.scenario.salesforce["Task"].add(task)


def _add_meeting(office: Office, who_id: str, rep: Rep, created: int, begins: int) -> Record:
    return office.scenario.salesforce["Event"].add(
        Record(
            office.salesforce_id("Event"),
            created // SECOND * SECOND,
            {
                "WhoId": who_id,
                "OwnerId": rep.user_id,
                "Subject": "Meeting",
                "EventSubtype": "Event",
                "StartDateTime": begins,
                "EndDateTime": begins + HOUR // 2,
                "ActivityDate": day_of(begins),
            },
        )
    )
