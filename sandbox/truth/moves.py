"""How leads and deals moved from stage to stage, and their owners."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sandbox.clock import instant
from sandbox.scenario import Scenario
from sandbox.truth.cycles import known_deals, lead_cycles
from sandbox.truth.facts import LeadCycle
from sandbox.truth.persons import cuts


@dataclass(frozen=True)
class StageEvent:
    """One change of stage of a lead cycle, by the moment the cycle began, or of an opportunity, by its id."""

    subject: str
    from_stage: str | None
    to_stage: str
    entered_at: datetime
    exited_at: datetime | None
    is_inferred: bool
    holder_team: str
    reason: str | None = None


LEAD_STAGES = ("created", "mql", "sal", "sql", "opportunity")
SALES_CHANNELS = ("Outbound",)


def _lead_events(cycle: LeadCycle) -> list[StageEvent]:
    """A skipped stage is passed with the next one that was reached."""
    passed: list[tuple[datetime, str, bool]] = []
    closings = [at for at in (cycle.won_at, cycle.lost_at) if at is not None]
    later_at = min(closings) if closings else None
    for stage in reversed(LEAD_STAGES):
        at: datetime | None = getattr(cycle, f"{stage}_at")
        if at is not None:
            later_at = at
        if later_at is not None:
            passed.insert(0, (later_at, "lead" if stage == "created" else stage, at is None))
    for stage in ("disqualified", "lost", "recycled", "won"):
        at = getattr(cycle, f"{stage}_at")
        if at is not None:
            passed.append((at, stage, False))
    passed.sort(key=lambda step: step[0])
    subject = f"{cycle.person_id} {cycle.cycle_no}"
    by_marketing = {"recycled"} if cycle.channel in SALES_CHANNELS else {"lead", "recycled"}
    return [
        StageEvent(
            subject,
            passed[number - 1][1] if number else None,
            stage,
            at,
            passed[number + 1][0] if number + 1 < len(passed) else None,
            is_inferred,
            "marketing" if stage in by_marketing else "sales",
        )
        for number, (at, stage, is_inferred) in enumerate(passed)
    ]


def stage_events(scenario: Scenario, as_of: datetime, known_at: datetime | None = None) -> list[StageEvent]:
    """Every change of stage, of leads and of opportunities."""
    cut, known = cuts(scenario, as_of, known_at)
    found = [event for cycle in lead_cycles(scenario, as_of, known_at) for event in _lead_events(cycle)]
    for deal in known_deals(scenario, cut, known):
        moves = [move for move in deal.moves if move[0] < cut and move[0] <= known]
        for number, (at, stage) in enumerate(moves):
            found.append(
                StageEvent(
                    deal.opportunity_id,
                    moves[number - 1][1] if number else None,
                    stage,
                    instant(at),
                    instant(moves[number + 1][0]) if number + 1 < len(moves) else None,
                    False,
                    "sales",
                    deal.lost_reason if stage == "Closed Lost" else None,
                )
            )
    return found


@dataclass(frozen=True)
class Holding:
    """The owner of one lead cycle, from when to when, and the outcome."""

    created_at: datetime
    region: str
    holder_team: str
    held_from: datetime
    held_to: datetime | None
    outcome: str
    bounce_no: int


def _holdings(cycle: LeadCycle, bounces: int) -> list[Holding]:
    """The owners of one lead, from its changes in order."""
    by_sales = cycle.channel in SALES_CHANNELS
    works = [at for at in (cycle.sal_at, cycle.sql_at, cycle.opportunity_at) if at]
    comes = [at for at in (cycle.mql_at, *works) if at]
    accepted, reached = min(works, default=None), cycle.created_at if by_sales else min(comes, default=None)
    turns: dict[datetime, str] = {}
    if reached is not None:
        for at, _ in cycle.owners:
            if at >= reached and (cycle.opportunity_at is None or at < cycle.opportunity_at):
                turns[at] = "reassigned"
    for turn, moment in (("accepted", accepted), ("opportunity", cycle.opportunity_at)):
        if moment is not None:
            turns[moment] = turn
    if reached is not None and not by_sales:
        turns[reached] = "handed over"
    turns = {at: turn for at, turn in turns.items() if cycle.ended_at is None or at < cycle.ended_at}
    turns.pop(cycle.created_at, None)
    end = "open"
    for kind in ("won", "lost", "disqualified", "recycled"):
        if cycle.ended_at is not None and getattr(cycle, f"{kind}_at") == cycle.ended_at:
            end = kind
    if end == "disqualified" and reached is not None and accepted is None:
        end = "rejected"
    moments: list[tuple[datetime | None, str]] = [*sorted(turns.items()), (cycle.ended_at, end)]
    since, found = cycle.created_at, []
    for until, outcome in moments:
        team = "sales" if reached is not None and since >= reached else "marketing"
        found.append(Holding(cycle.created_at, cycle.region, team, since, until, outcome, bounces))
        since = until or since
    return found


def holdings(scenario: Scenario, as_of: datetime, known_at: datetime | None = None) -> list[Holding]:
    """The owners of every lead cycle, and how often sales had given the person back before."""
    found: list[Holding] = []
    bounces: dict[str, int] = defaultdict(int)
    for cycle in lead_cycles(scenario, as_of, known_at):
        intervals = _holdings(cycle, bounces[cycle.person_id])
        last = intervals[-1]
        bounces[cycle.person_id] += last.holder_team == "sales" and last.outcome in ("rejected", "recycled")
        found += intervals
    return found
