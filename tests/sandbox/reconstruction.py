"""The business's rules applied to the vendors' records, in plain loops: does the truth follow from the records?

Reads records as the vendors would show them (not the decisions behind them), joins people by address, link and merge,
and walks through each person's events. It is an independent check of `sandbox.truth`, for tests only.
"""

from collections import defaultdict
from datetime import date

from sandbox.clock import day_of, day_start
from sandbox.scenario import Scenario

RESPONSES = {
    "e_form_submission_v2",
    "e_clicked_link_in_email_v2",
    "e_replied_email_v2",
    "pe4242_webinar_attended",
    "pe4242_trade_show_visited",
    "pe4242_ad_landing_visit",
}
LIFECYCLE = {"marketingqualifiedlead": "mql", "salesqualifiedlead": "sql"}
LEAD_STATUS = {"UNQUALIFIED": "disqualified", "BAD_TIMING": "recycled"}
SALESFORCE_STATUS = {
    "Working - Contacted": "sal",
    "Closed - Converted": "sql",
    "Closed - Not Converted": "disqualified",
    "Recycled": "recycled",
}
OPENERS = ("touch", "mql", "sal", "sql")


class Groups:
    """Which records are one person."""

    def __init__(self):
        self.parent = {}

    def find(self, key):
        self.parent.setdefault(key, key)
        while self.parent[key] != key:
            key = self.parent[key]
        return key

    def join(self, one, other):
        self.parent[self.find(one)] = self.find(other)


def monthly_counts(scenario: Scenario, now: int) -> dict[date, dict[str, int]]:
    scenario.grow(now)
    contacts = [one for one in scenario.hubspot["contacts"].snapshot(now) if not one.removed]
    tables = {name: table.snapshot(now) for name, table in scenario.salesforce.items()}
    leads = [one for one in tables["Lead"] if not one.removed or one.fields.get("MasterRecordId")]
    groups = _group(contacts, leads, tables["Contact"])
    present = {("hubspot", one.id) for one in contacts} | {
        (kind, one.id) for kind, rows in (("lead", leads), ("contact", tables["Contact"])) for one in rows
    }
    events = _events(scenario, contacts, leads, tables, groups, present, now)
    opportunities = _opportunities(scenario, tables, groups, present, now)
    for one in opportunities:
        if one["closed"] is not None and one["person"] and not one["renewal"]:
            events[one["person"]].append((one["closed"], 5, "won" if one["won"] else "lost"))
    months = defaultdict(lambda: defaultdict(int))
    for steps in events.values():
        for cycle in _walk(sorted(step for step in steps if step[0] < now)):
            months[_month(cycle["created"])]["leads"] += 1
            for stage, counted in (("mql", "mqls"), ("sal", "sals"), ("sql", "sqls")):
                if stage in cycle:
                    months[_month(cycle[stage])][counted] += 1
    for one in opportunities:
        if not one["renewal"]:
            months[_month(one["created"])]["opportunities"] += 1
            if one["closed"] is not None:
                months[_month(one["closed"])]["won" if one["won"] else "lost"] += 1
    return {month: dict(counts) for month, counts in months.items()}


def _group(contacts, leads, sf_contacts):
    groups = Groups()
    for kind, rows, field in (
        ("hubspot", contacts, "email"),
        ("lead", leads, "Email"),
        ("contact", sf_contacts, "Email"),
    ):
        for one in rows:
            if one.fields.get(field):
                groups.join((kind, one.id), ("email", one.fields[field].strip().lower()))
    for one in contacts:
        key = ("hubspot", one.id)
        if one.fields.get("salesforceleadid"):
            groups.join(key, ("lead", one.fields["salesforceleadid"]))
        if one.fields.get("salesforcecontactid"):
            groups.join(key, ("contact", one.fields["salesforcecontactid"]))
        if one.fields.get("hs_merged_object_ids"):
            for loser in one.fields["hs_merged_object_ids"].split(";"):
                groups.join(key, ("hubspot", loser))
    for one in leads:
        if one.fields.get("ConvertedContactId"):
            groups.join(("lead", one.id), ("contact", one.fields["ConvertedContactId"]))
        if one.fields.get("MasterRecordId"):
            groups.join(("lead", one.id), ("lead", one.fields["MasterRecordId"]))
    return groups


def _events(scenario, contacts, leads, tables, groups, present, now):
    events = defaultdict(list)
    first = {}
    for kind, rows in (("hubspot", contacts), ("lead", leads), ("contact", tables["Contact"])):
        for one in rows:
            person = groups.find((kind, one.id))
            first[person] = min(first.get(person, (one.created, kind, one.id)), (one.created, kind, one.id))
    for one in contacts:
        person = groups.find(("hubspot", one.id))
        events[person].append((one.created, 0, "touch"))
        for field, stages in (("lifecyclestage", LIFECYCLE), ("hs_lead_status", LEAD_STATUS)):
            for at, value in one.history(field):
                if value in stages:
                    stage = stages[value]
                    events[person].append((at, OPENERS.index(stage) if stage in OPENERS else 5, stage))
    for event in scenario.events:
        key = ("hubspot", event.contact_at(now))
        if event.at < now and event.event_type in RESPONSES and key in present:
            events[groups.find(key)].append((event.at, 0, "touch"))
    for person, (created, kind, _) in first.items():
        if kind != "hubspot":
            events[person].append((created, 0, "touch"))
    for member in tables["CampaignMember"]:
        key = ("lead", member.fields["LeadId"])
        if member.fields["HasResponded"] and not member.removed and key in present:
            events[groups.find(key)].append((member.created, 0, "touch"))
    for row in tables["LeadHistory"]:
        stage = SALESFORCE_STATUS.get(row.fields["NewValue"] or "")
        key = ("lead", row.fields["LeadId"])
        if row.fields["Field"] == "Status" and stage and key in present:
            events[groups.find(key)].append((row.created, OPENERS.index(stage) if stage in OPENERS else 5, stage))
    return events


def _opportunities(scenario, tables, groups, present, now):
    roles = defaultdict(list)
    for role in tables["OpportunityContactRole"]:
        roles[role.fields["OpportunityId"]].append((not role.fields["IsPrimary"], role.fields["ContactId"]))
    entered = {}
    for row in tables["OpportunityHistory"]:
        if row.fields["StageName"].startswith("Closed"):
            entered[row.fields["OpportunityId"]] = row.created
    found = []
    for one in tables["Opportunity"]:
        if one.removed:
            continue
        contact = one.fields["ContactId"] or (sorted(roles[one.id])[0][1] if roles[one.id] else None)
        closed = None
        if one.fields["IsClosed"]:
            closed = entered[one.id]
            if day_of(closed) != one.fields["CloseDate"]:
                closed = day_start(one.fields["CloseDate"])
        found.append(
            {
                "created": one.created,
                "closed": closed,
                "won": one.fields["IsWon"],
                "renewal": one.fields["Type"] == "Renewal",
                "person": groups.find(("contact", contact)) if contact and ("contact", contact) in present else None,
            }
        )
    for deal in scenario.hubspot["deals"].snapshot(now):
        if deal.removed or deal.merged or deal.fields["hs_salesforceopportunityid"]:
            continue
        stage = deal.fields["dealstage"]
        found.append(
            {
                "created": deal.created,
                "closed": deal.fields["closedate"] if stage.startswith("closed") else None,
                "won": stage == "closedwon",
                "renewal": False,
                "person": _person_of_deal(deal, groups, present),
            }
        )
    return found


def _person_of_deal(deal, groups, present):
    """The contact with the label, else the first one whose id the vendor gives."""
    contacts = [one for one in deal.fields["_contacts"] if ("hubspot", one) in present]
    contacts.sort(key=lambda one: (deal.fields["_labels"].get(one) != "Primary", one))
    return groups.find(("hubspot", contacts[0])) if contacts else None


def _walk(steps):
    cycles = []
    is_open = False
    for at, _, kind in steps:
        if kind in OPENERS:
            if not is_open:
                cycles.append({"created": at})
                is_open = True
            if kind != "touch":
                cycles[-1].setdefault(kind, at)
        else:
            is_open = False
    return cycles


def _month(at: int) -> date:
    return day_of(at).replace(day=1)
