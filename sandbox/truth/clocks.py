"""Cohorts, the bridge between both clocks, sales velocity, quarters and conversions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sandbox.clock import day_of
from sandbox.scenario import Scenario
from sandbox.truth.cycles import lead_cycles, opportunities, work_out
from sandbox.truth.facts import Money
from sandbox.truth.persons import moment_of


@dataclass(frozen=True)
class Reach:
    """The leads of one cohort: all, those that were observed for the whole age, and those that reached the stage."""

    leads: int
    watched: int
    reached: int


@dataclass
class Bridge:
    """The entries into a stage in a month, and the outcome of the journeys that began in it."""

    activity: int = 0
    from_earlier: int = 0
    in_later: int = 0
    cohort: int = 0
    without_lead: int = 0


@dataclass
class Selling:
    """New business of a month, region and channel: open at its end, and closed in it."""

    still_open: int = 0
    lost: int = 0
    cycles: list[int] = field(default_factory=list)
    overdue: list[Money] = field(default_factory=list)
    won: list[Money] = field(default_factory=list)


def cohorts(
    scenario: Scenario, as_of: datetime, ages: Iterable[int], zone: str = "UTC"
) -> dict[tuple[date, str, str, str, int], Reach]:
    """By cohort month, channel, region, stage and age: counted lead by lead."""
    found: dict[tuple[date, str, str, str, int], Reach] = {}
    last_day = day_of(moment_of(as_of) - 1, zone)
    for cycle in lead_cycles(scenario, as_of, zone=zone):
        created = day_of(moment_of(cycle.created_at), zone)
        for stage in ("mql", "sal", "sql", "opportunity", "won"):
            at = getattr(cycle, f"{stage}_at")
            age_at = None if at is None else max((day_of(moment_of(at), zone) - created).days, 0)
            for age in ages:
                key = (created.replace(day=1), cycle.channel, cycle.region, stage, age)
                before = found.get(key, Reach(0, 0, 0))
                found[key] = Reach(
                    before.leads + 1,
                    before.watched + ((last_day - created).days >= age),
                    before.reached + (age_at is not None and age_at <= age),
                )
    return found


def bridge(scenario: Scenario, as_of: datetime, zone: str = "UTC") -> dict[tuple[date, str, str], Bridge]:
    """By month, channel and stage; an opportunity without a lead begins its own journey."""
    cells: dict[tuple[date, str, str], Bridge] = defaultdict(Bridge)

    def enter(channel: str, stage: str, began: datetime, at: datetime | None, *, has_lead: bool = True) -> None:
        if at is None:
            return
        month = day_of(moment_of(at), zone).replace(day=1)
        cohort = min(month, day_of(moment_of(began), zone).replace(day=1))
        here = cells[month, channel, stage]
        here.activity += 1
        here.from_earlier += cohort < month
        here.without_lead += not has_lead
        there = cells[cohort, channel, stage]
        there.cohort += 1
        there.in_later += cohort < month

    cycles = {(one.person_id, one.cycle_no): one for one in lead_cycles(scenario, as_of, zone=zone)}
    for cycle in cycles.values():
        for stage, at in (
            ("lead", cycle.created_at),
            ("mql", cycle.mql_at),
            ("sal", cycle.sal_at),
            ("sql", cycle.sql_at),
        ):
            enter(cycle.channel, stage, cycle.created_at, at)
    for deal in opportunities(scenario, as_of, zone=zone):
        if not deal.is_renewal:
            began = cycles[deal.lead].created_at if deal.lead else deal.created_at
            won_at = deal.closed_at if deal.status == "won" else None
            enter(deal.channel, "opportunity", began, deal.created_at, has_lead=deal.lead is not None)
            enter(deal.channel, "won", began, won_at, has_lead=deal.lead is not None)
    return dict(cells)


def selling(scenario: Scenario, as_of: datetime, zone: str = "UTC") -> dict[tuple[date, str, str], Selling]:
    """By month, region and channel, for the months that began before `as_of`."""
    last_month = day_of(moment_of(as_of) - 1, zone).replace(day=1)
    cells: dict[tuple[date, str, str], Selling] = defaultdict(Selling)
    for deal in opportunities(scenario, as_of, zone=zone):
        if deal.opportunity_type != "new_business":
            continue
        created = day_of(moment_of(deal.created_at), zone)
        closed = None if deal.closed_at is None else day_of(moment_of(deal.closed_at), zone)
        month = created.replace(day=1)
        while month <= last_month:
            following = (month + timedelta(days=31)).replace(day=1)
            if closed is None or closed >= following:
                cells[month, deal.region, deal.channel].still_open += 1
            month = following
        if closed is not None:
            cell = cells[closed.replace(day=1), deal.region, deal.channel]
            if deal.status == "won":
                cell.won.append(Money(closed, deal.currency, deal.amount))
                if closed >= created:
                    cell.cycles.append((closed - created).days)
            else:
                cell.lost += 1
    return dict(cells)


EXPECTED_DAYS = 30


@dataclass
class Quarter:
    """One region's quarter at the end of a day: deals expected to close in it, overdue ones, and those won in it."""

    open: list[Money] = field(default_factory=list)
    overdue: list[Money] = field(default_factory=list)
    won: list[Money] = field(default_factory=list)


def quarters(scenario: Scenario, as_of: datetime, zone: str = "UTC") -> dict[tuple[date, str], Quarter]:
    """By quarter and region, without renewals. Reps expect a deal to close thirty days after they open it.

    A deal that has not closed by then is overdue, in the quarter of today.
    """
    found: dict[tuple[date, str], Quarter] = defaultdict(Quarter)
    today = day_of(moment_of(as_of) - 1, zone)
    for one in opportunities(scenario, as_of, zone=zone):
        if one.is_renewal:
            continue
        created = day_of(moment_of(one.created_at), zone)
        if one.closed_at is None:
            expected = created + timedelta(EXPECTED_DAYS)
            quarter = found[_quarter(max(expected, today)), one.region]
            deals = quarter.overdue if expected < today else quarter.open
            deals.append(Money(created, one.currency, one.amount))
        elif one.status == "won":
            closed = day_of(moment_of(one.closed_at), zone)
            found[_quarter(closed), one.region].won.append(Money(closed, one.currency, one.amount))
    return found


def _quarter(day: date) -> date:
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def conversions(scenario: Scenario, as_of: datetime, horizon: int) -> dict[str, tuple[int, int, int]]:
    """By stage of a lead or deal: the number that entered it in whole weeks that have had `horizon` days since, the
    number that moved on within them, and the (lower) median of their days.
    """
    ended = day_of(moment_of(as_of))
    cycles, found = work_out(scenario, as_of, None, "UTC")
    pairs: dict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for cycle in (one.freeze() for one in cycles):
        stages = {
            "lead": (cycle.created_at, cycle.mql_at),
            "mql": (cycle.mql_at, cycle.sal_at),
            "sal": (cycle.sal_at, cycle.sql_at),
            "sql": (cycle.sql_at, cycle.opportunity_at),
        }
        for stage, (entered, reached) in stages.items():
            if entered is not None:
                pairs[stage].append((entered, reached))
    for one in found:
        if not one.is_renewal:
            pairs["opportunity"].append((one.created_at, one.closed_at if one.status == "won" else None))
    counted = {}
    for stage, moments in pairs.items():
        n_entered, days = 0, []
        for entered, reached in moments:
            day = entered.date()
            if day - timedelta(day.weekday()) + timedelta(7 + horizon) > ended:
                continue
            n_entered += 1
            if reached is not None and (reached.date() - day).days <= horizon:
                days.append(max((reached.date() - day).days, 0))
        counted[stage] = (n_entered, len(days), sorted(days)[(len(days) - 1) // 2])
    return counted
