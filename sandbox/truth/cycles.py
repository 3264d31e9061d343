"""The lead cycles of every person, and the opportunities that came from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sandbox.clock import day_of, day_start, instant
from sandbox.decisions import Deal, Happening, Person
from sandbox.scenario import Scenario
from sandbox.truth.facts import RENEWAL, LeadCycle, Opportunity
from sandbox.truth.persons import cuts, moment_of, people_known_at, region_of

LEAD_SOURCE_CHANNELS = {
    "Outbound": "Outbound",
    "Partner": "Partner",
    "Trade Show": "Events",
    "Referral": "Referral",
    "Web": "Direct",
}
TIES = {"touch": 0, "mql": 1, "sal": 2, "sql": 3}


@dataclass
class Cycle:
    person_id: str
    number: int
    created: int
    channel: str
    campaign_id: str | None
    region: str
    stages: dict[str, int] = field(default_factory=dict)
    closed: bool = False
    owners: list[tuple[int, str]] = field(default_factory=list)

    def reach(self, stage: str, at: int) -> None:
        self.stages[stage] = min(at, self.stages.get(stage, at))

    def freeze(self) -> LeadCycle:
        stages = {f"{stage}_at": instant(at) for stage, at in self.stages.items()}
        return LeadCycle(
            self.person_id,
            self.number,
            instant(self.created),
            self.channel,
            self.campaign_id,
            self.region,
            owners=tuple((instant(at), rep_id) for at, rep_id in self.owners),
            **stages,
        )


def _closed(deal: Deal, known: int, zone: str) -> int | None:
    """The moment at which a deal counts as closed: the real one if it is on the rep's day, else that day's start."""
    if deal.entered_at is None or deal.entered_at > known:
        return None
    if deal.close_date is None or day_of(deal.entered_at, zone) == deal.close_date:
        return deal.entered_at
    return day_start(deal.close_date, zone)


def known_deals(scenario: Scenario, cut: int, known: int) -> list[Deal]:
    return [
        replace(deal, opportunity_id=deal.renamed[1]) if deal.renamed and deal.renamed[0] <= known else deal
        for deal in scenario.deals
        if deal.created_at < cut and deal.created_at <= known and (deal.removed_at is None or deal.removed_at > known)
    ]


def contact(deal: Deal) -> str | None:
    return deal.person_id or deal.other_person_id


def owners_of(people_known: Iterable[Person], scenario: Scenario, known: int) -> dict[str, str]:
    """Person id to the id of the surviving person."""
    ids = {person.person_id: person.person_id for person in people_known}
    for person in scenario.people.values():
        is_merged = person.merged_at is not None and person.merged_at <= known
        if is_merged and person.merged_into is not None and person.merged_into in ids:
            ids[person.person_id] = person.merged_into
    return ids


def _fold(person: Person, closings: list[tuple[int, str]], cut: int, known: int) -> list[Cycle]:
    """Cycles of one person: responses and stages open a cycle if none is open, endings close it."""
    steps: list[tuple[int, int, str, Happening | None]] = [
        (one.at, TIES.get(one.kind, 4), one.kind, one) for one in person.happenings if one.at < cut and one.at <= known
    ]
    steps += [(at, 5, kind, None) for at, kind in closings if at < cut]
    steps.sort(key=lambda step: (step[0], step[1]))
    cycles: list[Cycle] = []
    for at, _, kind, happening in steps:
        is_open = bool(cycles) and not cycles[-1].closed
        if kind in TIES:
            if not is_open:
                channel = happening.channel if happening and happening.channel else "Unknown"
                campaign_id = happening.campaign_id if happening else None
                cycles.append(
                    Cycle(person.person_id, len(cycles) + 1, at, channel, campaign_id, region_of(person, known))
                )
            if kind != "touch":
                cycles[-1].reach(kind, at)
        elif kind == "response":
            if is_open:
                cycles[-1].reach(kind, at)
        elif kind == "owner":
            if is_open and happening is not None and happening.rep_id is not None:
                cycles[-1].owners.append((at, happening.rep_id))
        elif is_open:
            if kind in ("disqualified", "recycled"):
                cycles[-1].reach(kind, at)
            cycles[-1].reach("ended", at)
            cycles[-1].closed = True
    return cycles


def work_out(
    scenario: Scenario, as_of: datetime, known_at: datetime | None, zone: str
) -> tuple[list[Cycle], list[Opportunity]]:
    cut, known = cuts(scenario, as_of, known_at)
    known_people = people_known_at(scenario, known)
    owner_of = owners_of(known_people, scenario, known)
    deals = known_deals(scenario, cut, known)
    closings: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for deal in deals:
        owner = owner_of.get(contact(deal) or "")
        closed = _closed(deal, known, zone)
        if owner and closed is not None and deal.opportunity_type != RENEWAL:
            closings[owner].append((closed, "won" if deal.is_won else "lost"))
    cycles: dict[str, list[Cycle]] = {
        person.person_id: _fold(person, closings[person.person_id], cut, known) for person in known_people
    }
    opportunities = [_settle(deal, cycles, owner_of, cut, known, zone) for deal in deals]
    return [cycle for some in cycles.values() for cycle in some], opportunities


def _settle(
    deal: Deal, cycles: dict[str, list[Cycle]], owner_of: dict[str, str], cut: int, known: int, zone: str
) -> Opportunity:
    """One opportunity with its lead cycle; the stage that it reached is written to the cycle."""
    owner = owner_of.get(contact(deal) or "")
    before = [cycle for cycle in cycles.get(owner or "", ()) if cycle.created <= deal.created_at]
    lead = before[-1] if before else None
    closed = _closed(deal, known, zone)
    if closed is not None and closed >= cut:
        closed = None
    if lead is not None and deal.opportunity_type != RENEWAL:
        lead.reach("opportunity", deal.created_at)
        if closed is not None:
            lead.reach("won" if deal.is_won else "lost", closed)
    amount = [value for at, value in deal.amounts if at <= known][-1]
    channel = lead.channel if lead else LEAD_SOURCE_CHANNELS.get(deal.lead_source or "", "Unknown")
    return Opportunity(
        deal.opportunity_id,
        deal.source,
        deal.opportunity_type,
        instant(deal.created_at),
        None if closed is None else instant(closed),
        "open" if closed is None else "won" if deal.is_won else "lost",
        Decimal(amount),
        deal.currency,
        None if deal.list_amount is None else Decimal(deal.list_amount),
        deal.region,
        (lead.person_id, lead.number) if lead else None,
        channel,
        lead.campaign_id if lead else None,
    )


def lead_cycles(
    scenario: Scenario, as_of: datetime, known_at: datetime | None = None, zone: str = "UTC"
) -> list[LeadCycle]:
    """Every lead cycle, ordered by person and number."""
    cycles, _ = work_out(scenario, as_of, known_at, zone)
    return sorted((cycle.freeze() for cycle in cycles), key=lambda cycle: (cycle.person_id, cycle.cycle_no))


def opportunities(
    scenario: Scenario, as_of: datetime, known_at: datetime | None = None, zone: str = "UTC"
) -> list[Opportunity]:
    """Every opportunity, renewals included, ordered by id."""
    _, found = work_out(scenario, as_of, known_at, zone)
    return sorted(found, key=lambda opportunity: opportunity.opportunity_id)


NOT_MARKETING = ("Outbound", "Partner", "Retail", "Unknown")


@dataclass(frozen=True)
class Origin:
    """A won opportunity: whether marketing brought the first of its people, and whether it ever met one of them."""

    opportunity: Opportunity
    is_sourced: bool
    is_influenced: bool


def origins(scenario: Scenario, as_of: datetime, known_at: datetime | None = None) -> list[Origin]:
    """Every won opportunity except renewals."""
    cut, known = cuts(scenario, as_of, known_at)
    known_people = people_known_at(scenario, known)
    owner_of = owners_of(known_people, scenario, known)
    touches = {
        person.person_id: sorted(
            (one.at, one.channel not in NOT_MARKETING)
            for one in person.happenings
            if one.kind == "touch" and one.at < cut and one.at <= known
        )
        for person in known_people
    }
    deals = {deal.opportunity_id: deal for deal in known_deals(scenario, cut, known)}
    found = []
    for opportunity in opportunities(scenario, as_of, known_at):
        deal = deals[opportunity.opportunity_id]
        if opportunity.status != "won" or opportunity.is_renewal or opportunity.closed_at is None:
            continue
        people_of = {owner_of[one] for one in (*deal.people, contact(deal)) if one in owner_of}
        firsts = sorted(touches[one][0] for one in people_of if touches[one] and touches[one][0][0] < deal.created_at)
        ends = max(deal.created_at, moment_of(opportunity.closed_at))
        met = any(is_marketing for one in people_of for at, is_marketing in touches[one] if at < ends)
        found.append(Origin(opportunity, bool(firsts) and firsts[0][1], met))
    return found
