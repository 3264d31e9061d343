"""What really happened, counted by the business's rules. For tests only: the server does not know this module.

Everything is computed from what the scenario's author or generator decided (`sandbox.decisions`), never from a vendor
record, so it cannot share a mistake with the pipeline. `as_of` is the moment up to which things count (excluded);
`known_at` is when the vendors were read: merges, removals, amounts and closings entered later are not known yet.
`known_at` is `as_of` unless given. Days and months are those of `zone`.

A first load of the 90 days before the anchor of `company` sees every CRM record (`sandbox.company` says why), so no
`first_day` is needed to compare with it; `first_day` leaves out what is dated earlier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sandbox.clock import EPOCH, day_of, day_start, instant
from sandbox.decisions import Deal, Happening, Person
from sandbox.office import REGION_OF
from sandbox.scenario import Scenario

RENEWAL = "renewal"
LEAD_SOURCE_CHANNELS = {
    "Outbound": "Outbound",
    "Partner": "Partner",
    "Trade Show": "Events",
    "Referral": "Referral",
    "Web": "Direct",
}
TIES = {"touch": 0, "mql": 1, "sal": 2, "sql": 3}


@dataclass(frozen=True)
class LeadCycle:
    """One cycle of one person; stages that were skipped are None."""

    person_id: str
    cycle_no: int
    created_at: datetime
    channel: str
    campaign_id: str | None
    region: str
    mql_at: datetime | None = None
    sal_at: datetime | None = None
    sql_at: datetime | None = None
    opportunity_at: datetime | None = None
    won_at: datetime | None = None
    lost_at: datetime | None = None
    disqualified_at: datetime | None = None
    recycled_at: datetime | None = None
    response_at: datetime | None = None
    ended_at: datetime | None = None
    owners: tuple[tuple[datetime, str], ...] = ()

    @property
    def first_response_at(self) -> datetime | None:
        """The first human act of sales: a call, mail or meeting, or taking the lead up."""
        acts = [at for at in (self.sal_at, self.response_at) if at is not None]
        return min(acts) if acts else None


@dataclass(frozen=True)
class Opportunity:
    """One opportunity, however many vendors hold a copy. `lead` is (person_id, cycle_no)."""

    opportunity_id: str
    source: str
    opportunity_type: str
    created_at: datetime
    closed_at: datetime | None
    status: str
    amount: Decimal
    currency: str
    list_amount: Decimal | None
    region: str
    lead: tuple[str, int] | None
    channel: str
    campaign_id: str | None

    @property
    def is_renewal(self) -> bool:
        return self.opportunity_type == RENEWAL


@dataclass(frozen=True)
class Money:
    """An amount in its own currency and the day whose rate applies."""

    rate_day: date
    currency: str
    amount: Decimal


@dataclass
class MonthCounts:
    """The activity of one month; renewals are left out, as the funnel does."""

    leads: int = 0
    mqls: int = 0
    sals: int = 0
    sqls: int = 0
    opportunities: int = 0
    won: int = 0
    lost: int = 0
    pipeline: list[Money] = field(default_factory=list)
    won_amounts: list[Money] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("leads", "mqls", "sals", "sqls", "opportunities", "won", "lost")}


@dataclass(frozen=True)
class SpendDay:
    """What one campaign cost on one day of its account's zone, in the account's currency."""

    day: date
    platform: str
    ad_account_id: str
    campaign_id: str
    currency: str
    amount: Decimal
    impressions: int
    clicks: int


@dataclass(frozen=True)
class Order:
    """One order of the shop with what is known of it; `paid` is after discounts, `back` what was refunded and when."""

    order_id: str
    ordered_at: datetime
    currency: str
    paid: Decimal
    back: tuple[Money, ...]
    person_id: str | None
    opportunity_id: str | None
    channel: str
    campaign_id: str | None
    region: str
    is_counted: bool

    @property
    def is_revenue(self) -> bool:
        """What bills an opportunity is revenue there."""
        return self.is_counted and self.opportunity_id is None

    @property
    def net(self) -> Decimal:
        return self.paid - sum((one.amount for one in self.back), Decimal())


@dataclass(frozen=True)
class VisitDay:
    """Sessions of one property, day of its zone, channel, campaign and country, as far as they can be known."""

    day: date
    property_id: str
    channel: str
    campaign_id: str | None
    country: str
    sessions: int
    engaged: int
    users: int
    key_events: int
    is_thresholded: bool


@dataclass(frozen=True)
class Human:
    """One person with the number of records that are that person, merged ones included."""

    person_id: str
    first_seen_at: datetime
    records_merged: int
    region: str


# --- people ---------------------------------------------------------------------------------------------------------


def _moment(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone; give an aware datetime.")
    return (at - EPOCH) // timedelta(milliseconds=1)


def _known_people(scenario: Scenario, known: int) -> list[Person]:
    """People as known at a moment: merged ones within their survivor, removed ones gone."""
    known_people: dict[str, Person] = {}
    for person in scenario.people.values():
        if person.merged_into is None or person.merged_at is None or person.merged_at > known:
            known_people[person.person_id] = replace(
                person,
                happenings=[one for one in person.happenings if one.is_known(known)],
                records=list(person.records),
                regions=list(person.regions),
            )
    for person in scenario.people.values():
        if person.merged_into is not None and person.person_id not in known_people:
            survivor = known_people[person.merged_into]
            survivor.happenings.extend(one for one in person.happenings if one.is_known(known))
            survivor.records.extend(person.records)
            survivor.regions.extend(person.regions)
    return [
        person
        for person in known_people.values()
        if (person.removed_at is None or person.removed_at > known) and any(at <= known for at, _, _ in person.records)
    ]


def _region(person: Person, known: int) -> str:
    regions = sorted((at, region) for at, region in person.regions if at <= known)
    return regions[-1][1] if regions else "Unknown"


def records_of_people(
    scenario: Scenario, as_of: datetime, known_at: datetime | None = None
) -> dict[str, set[tuple[str, str]]]:
    """Person id to the records, by source and vendor id, that are that person."""
    cut, known = _cuts(scenario, as_of, known_at)
    return {
        person.person_id: {(source, record_id) for at, source, record_id in person.records if at < cut}
        for person in _known_people(scenario, known)
    }


def people(scenario: Scenario, as_of: datetime, known_at: datetime | None = None) -> list[Human]:
    """Everyone the vendors know."""
    cut, known = _cuts(scenario, as_of, known_at)
    found = []
    for person in _known_people(scenario, known):
        records = [one for one in person.records if one[0] < cut]
        if records:
            first = min(at for at, _, _ in records)
            found.append(Human(person.person_id, instant(first), len(records), _region(person, known)))
    return sorted(found, key=lambda human: human.person_id)


# --- cycles ---------------------------------------------------------------------------------------------------------


@dataclass
class _Cycle:
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
    """When a deal counts as closed: the moment it was, if that is the day the rep says, else that day's start."""
    if deal.entered_at is None or deal.entered_at > known:
        return None
    if deal.close_date is None or day_of(deal.entered_at, zone) == deal.close_date:
        return deal.entered_at
    return day_start(deal.close_date, zone)


def _known_deals(scenario: Scenario, cut: int, known: int) -> list[Deal]:
    return [
        replace(deal, opportunity_id=deal.renamed[1]) if deal.renamed and deal.renamed[0] <= known else deal
        for deal in scenario.deals
        if deal.created_at < cut and deal.created_at <= known and (deal.removed_at is None or deal.removed_at > known)
    ]


def _contact(deal: Deal) -> str | None:
    return deal.person_id or deal.other_person_id


def _owner_of(people_known: Iterable[Person], scenario: Scenario, known: int) -> dict[str, str]:
    """Person id to the id the person is known under."""
    ids = {person.person_id: person.person_id for person in people_known}
    for person in scenario.people.values():
        is_merged = person.merged_at is not None and person.merged_at <= known
        if is_merged and person.merged_into is not None and person.merged_into in ids:
            ids[person.person_id] = person.merged_into
    return ids


def _fold(person: Person, closings: list[tuple[int, str]], cut: int, known: int) -> list[_Cycle]:
    """Cycles of one person: responses and stages open one when none is open, ends close it."""
    steps: list[tuple[int, int, str, Happening | None]] = [
        (one.at, TIES.get(one.kind, 4), one.kind, one) for one in person.happenings if one.at < cut and one.at <= known
    ]
    steps += [(at, 5, kind, None) for at, kind in closings if at < cut]
    steps.sort(key=lambda step: (step[0], step[1]))
    cycles: list[_Cycle] = []
    for at, _, kind, happening in steps:
        is_open = bool(cycles) and not cycles[-1].closed
        if kind in TIES:
            if not is_open:
                channel = happening.channel if happening and happening.channel else "Unknown"
                campaign_id = happening.campaign_id if happening else None
                cycles.append(
                    _Cycle(person.person_id, len(cycles) + 1, at, channel, campaign_id, _region(person, known))
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


def _work_out(
    scenario: Scenario, as_of: datetime, known_at: datetime | None, zone: str
) -> tuple[list[_Cycle], list[Opportunity]]:
    cut, known = _cuts(scenario, as_of, known_at)
    known_people = _known_people(scenario, known)
    owner_of = _owner_of(known_people, scenario, known)
    deals = _known_deals(scenario, cut, known)
    closings: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for deal in deals:
        owner = owner_of.get(_contact(deal) or "")
        closed = _closed(deal, known, zone)
        if owner and closed is not None and deal.opportunity_type != RENEWAL:
            closings[owner].append((closed, "won" if deal.is_won else "lost"))
    cycles: dict[str, list[_Cycle]] = {
        person.person_id: _fold(person, closings[person.person_id], cut, known) for person in known_people
    }
    opportunities = [_settle(deal, cycles, owner_of, cut, known, zone) for deal in deals]
    return [cycle for some in cycles.values() for cycle in some], opportunities


def _settle(
    deal: Deal, cycles: dict[str, list[_Cycle]], owner_of: dict[str, str], cut: int, known: int, zone: str
) -> Opportunity:
    """One opportunity with its lead cycle; what it reached is noted on the cycle."""
    owner = owner_of.get(_contact(deal) or "")
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


def _cuts(scenario: Scenario, as_of: datetime, known_at: datetime | None) -> tuple[int, int]:
    cut, known = _moment(as_of), _moment(known_at or as_of)
    scenario.grow(max(cut, known))
    return cut, known


def lead_cycles(
    scenario: Scenario, as_of: datetime, known_at: datetime | None = None, zone: str = "UTC"
) -> list[LeadCycle]:
    """Every lead cycle, ordered by person and number."""
    cycles, _ = _work_out(scenario, as_of, known_at, zone)
    return sorted((cycle.freeze() for cycle in cycles), key=lambda cycle: (cycle.person_id, cycle.cycle_no))


def opportunities(
    scenario: Scenario, as_of: datetime, known_at: datetime | None = None, zone: str = "UTC"
) -> list[Opportunity]:
    """Every opportunity, renewals included, ordered by id."""
    _, found = _work_out(scenario, as_of, known_at, zone)
    return sorted(found, key=lambda opportunity: opportunity.opportunity_id)


NOT_MARKETING = ("Outbound", "Partner", "Retail", "Unknown")


@dataclass(frozen=True)
class Origin:
    """A won opportunity: whether marketing brought the first of its people, and whether it ever met one of them."""

    opportunity: Opportunity
    is_sourced: bool
    is_influenced: bool


def origins(scenario: Scenario, as_of: datetime, known_at: datetime | None = None) -> list[Origin]:
    """Every won opportunity that is no renewal."""
    cut, known = _cuts(scenario, as_of, known_at)
    known_people = _known_people(scenario, known)
    owner_of = _owner_of(known_people, scenario, known)
    touches = {
        person.person_id: sorted(
            (one.at, one.channel not in NOT_MARKETING)
            for one in person.happenings
            if one.kind == "touch" and one.at < cut and one.at <= known
        )
        for person in known_people
    }
    deals = {deal.opportunity_id: deal for deal in _known_deals(scenario, cut, known)}
    found = []
    for opportunity in opportunities(scenario, as_of, known_at):
        deal = deals[opportunity.opportunity_id]
        if opportunity.status != "won" or opportunity.is_renewal or opportunity.closed_at is None:
            continue
        people_of = {owner_of[one] for one in (*deal.people, _contact(deal)) if one in owner_of}
        firsts = sorted(touches[one][0] for one in people_of if touches[one] and touches[one][0][0] < deal.created_at)
        ends = max(deal.created_at, _moment(opportunity.closed_at))
        met = any(is_marketing for one in people_of for at, is_marketing in touches[one] if at < ends)
        found.append(Origin(opportunity, bool(firsts) and firsts[0][1], met))
    return found


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
    """A stage that was skipped is passed with the next one that was not."""
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
    cut, known = _cuts(scenario, as_of, known_at)
    found = [event for cycle in lead_cycles(scenario, as_of, known_at) for event in _lead_events(cycle)]
    for deal in _known_deals(scenario, cut, known):
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
    """Who held one lead cycle, from when to when, and what became of it."""

    created_at: datetime
    region: str
    holder_team: str
    held_from: datetime
    held_to: datetime | None
    outcome: str
    bounce_no: int


def _holdings(cycle: LeadCycle, bounces: int) -> list[Holding]:
    """Walks through the moments at which a lead changed hands."""
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
    """Who held every lead cycle, and how often sales had given the person back before."""
    found: list[Holding] = []
    bounces: dict[str, int] = defaultdict(int)
    for cycle in lead_cycles(scenario, as_of, known_at):
        intervals = _holdings(cycle, bounces[cycle.person_id])
        last = intervals[-1]
        bounces[cycle.person_id] += last.holder_team == "sales" and last.outcome in ("rejected", "recycled")
        found += intervals
    return found


# --- counts ---------------------------------------------------------------------------------------------------------


def monthly_counts(
    scenario: Scenario,
    as_of: datetime,
    known_at: datetime | None = None,
    first_day: date | None = None,
    zone: str = "UTC",
) -> dict[date, MonthCounts]:
    """Month start to its counts; each thing counts in the month of its own day."""
    cycles, found = _work_out(scenario, as_of, known_at, zone)
    months: dict[date, MonthCounts] = defaultdict(MonthCounts)

    def month(at: datetime | None) -> MonthCounts | None:
        if at is None:
            return None
        day = day_of(_moment(at), zone)
        return None if first_day is not None and day < first_day else months[day.replace(day=1)]

    for cycle in (one.freeze() for one in cycles):
        for name, at in (
            ("leads", cycle.created_at),
            ("mqls", cycle.mql_at),
            ("sals", cycle.sal_at),
            ("sqls", cycle.sql_at),
        ):
            if counts := month(at):
                setattr(counts, name, getattr(counts, name) + 1)
    for opportunity in found:
        if opportunity.is_renewal:
            continue
        money = Money(
            day_of(_moment(opportunity.closed_at or opportunity.created_at), zone),
            opportunity.currency,
            opportunity.amount,
        )
        if counts := month(opportunity.created_at):
            counts.opportunities += 1
            counts.pipeline.append(money)
        if counts := month(opportunity.closed_at):
            if opportunity.status == "won":
                counts.won += 1
                counts.won_amounts.append(money)
            else:
                counts.lost += 1
    return dict(sorted(months.items()))


def spend(scenario: Scenario, now: datetime, first_day: date, last_day: date) -> list[SpendDay]:
    """What the platforms say at `now` about every day from first to last, both included; nothing for all-zero rows."""
    moment = _moment(now.astimezone(UTC))
    rows = []
    for account in scenario.ad_accounts:
        for campaign in account.campaigns:
            for offset in range((last_day - first_day).days + 1):
                day = first_day + timedelta(offset)
                figures = account.report(campaign, day, moment)
                if figures is not None:
                    rows.append(
                        SpendDay(
                            day,
                            account.platform,
                            account.id,
                            campaign.id,
                            account.currency,
                            Decimal(figures.spend_cents) / 100,
                            figures.impressions,
                            figures.clicks,
                        )
                    )
    return sorted(rows, key=lambda row: (row.day, row.platform, row.ad_account_id, row.campaign_id))


def visits(scenario: Scenario, now: datetime, first_day: date, last_day: date) -> list[VisitDay]:
    """What can be known at `now` of the days first to last, both included: what was withheld is known to nobody."""
    moment = _moment(now.astimezone(UTC))
    sums: dict[tuple[date, str, str, str | None, str, bool], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for site in scenario.properties:
        for offset in range((last_day - first_day).days + 1):
            day = first_day + timedelta(offset)
            report = site.report(day, moment)
            for visit in report.visits:
                key = (day, site.id, visit.channel, visit.came_from, visit.country, report.is_thresholded)
                for place, figure in enumerate((visit.sessions, visit.engaged, visit.users, visit.key_events)):
                    sums[key][place] += figure
    return [
        VisitDay(day, site_id, channel, campaign_id, country, sessions, engaged, users, key_events, is_thresholded)
        for (day, site_id, channel, campaign_id, country, is_thresholded), (
            sessions,
            engaged,
            users,
            key_events,
        ) in sums.items()
    ]


def orders(scenario: Scenario, as_of: datetime, known_at: datetime | None = None, zone: str = "UTC") -> list[Order]:
    """Every order placed before `as_of`, ordered by id."""
    cut, known = _cuts(scenario, as_of, known_at)
    if scenario.shop is None:
        return []
    known_people = {person.person_id: person for person in _known_people(scenario, known)}
    owner_of = _owner_of(known_people.values(), scenario, known)
    deals = {deal.opportunity_id: deal for deal in _known_deals(scenario, cut, known)}
    all_cycles, _ = _work_out(scenario, as_of, known_at, zone)
    cycles: dict[str, list[_Cycle]] = defaultdict(list)
    for cycle in all_cycles:
        cycles[cycle.person_id].append(cycle)
    placed = [
        purchase
        for purchase in scenario.purchases
        if purchase.at < cut and purchase.at <= known and (purchase.removed_at is None or purchase.removed_at > known)
    ]
    customers_with_email = {purchase.customer for purchase in placed if purchase.has_email}
    found = []
    for purchase in placed:
        deal = deals.get(purchase.opportunity_id or "")
        is_known = purchase.has_email or purchase.customer in customers_with_email
        person = owner_of.get((purchase.person_id if is_known else None) or (_contact(deal) if deal else None) or "")
        before = [cycle for cycle in cycles.get(person or "", ()) if cycle.created <= purchase.at]
        latest = before[-1] if before else None
        region = deal.region if deal and deal.region != "Unknown" else "Unknown"
        if region == "Unknown" and person:
            region = _region(known_people[person], known)
        if region == "Unknown":
            region = REGION_OF.get(purchase.country or "", "Unknown")
        back = tuple(
            Money(day_of(refund.at, zone), scenario.shop.currency, Decimal(refund.total_cents) / 100)
            for refund in purchase.refunds
            if refund.at <= known
        )
        is_cancelled = purchase.cancelled_at is not None and purchase.cancelled_at <= known
        found.append(
            Order(
                purchase.order_id,
                instant(purchase.at),
                scenario.shop.currency,
                Decimal(sum(line.gross_cents - line.discount_cents for line in purchase.lines)) / 100,
                back,
                person,
                deal.opportunity_id if deal else None,
                purchase.channel or (latest.channel if latest else "Unknown"),
                purchase.campaign_id if purchase.channel else latest.campaign_id if latest else None,
                region,
                not (purchase.is_test or purchase.is_void or is_cancelled),
            )
        )
    return sorted(found, key=lambda order: order.order_id)


def pipeline(
    scenario: Scenario, as_of: datetime, known_at: datetime | None = None, zone: str = "UTC"
) -> dict[tuple[date, str], Money]:
    """What each open deal stood at, at the end of every day up to `as_of`; the rate is that of its creation.

    Worked out at `known_at` for all days at once: who was deleted since is nowhere, and a deal that somebody closed
    afterwards with an earlier date was open until then.
    """
    cut, known = _cuts(scenario, as_of, known_at)
    found: dict[tuple[date, str], Money] = {}
    last = day_of(cut - 1, zone)
    for deal in _known_deals(scenario, cut, known):
        created = day_of(deal.created_at, zone)
        day = created
        while day <= last:
            end = day_start(day + timedelta(1), zone)
            if deal.entered_at is not None and deal.entered_at < end:
                break
            amount = [value for at, value in deal.amounts if at < end][-1]
            found[day, deal.opportunity_id] = Money(created, deal.currency, Decimal(amount))
            day += timedelta(1)
    return found


# --- clocks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reach:
    """Of the leads of one cohort: all, those that were watched for the whole age, and those that reached the stage."""

    leads: int
    watched: int
    reached: int


@dataclass
class Bridge:
    """What entered a stage in a month, and what became of the journeys that began in it."""

    activity: int = 0
    from_earlier: int = 0
    in_later: int = 0
    cohort: int = 0
    without_lead: int = 0


@dataclass
class Selling:
    """New business of a month, region and channel: what was open at its end, and what was closed in it."""

    still_open: int = 0
    lost: int = 0
    cycles: list[int] = field(default_factory=list)
    won: list[Money] = field(default_factory=list)


def cohorts(
    scenario: Scenario, as_of: datetime, ages: Iterable[int], zone: str = "UTC"
) -> dict[tuple[date, str, str, str, int], Reach]:
    """By cohort month, channel, region, stage and age: every lead cycle is looked at, one after the other."""
    found: dict[tuple[date, str, str, str, int], Reach] = {}
    last_day = day_of(_moment(as_of) - 1, zone)
    for cycle in lead_cycles(scenario, as_of, zone=zone):
        created = day_of(_moment(cycle.created_at), zone)
        for stage in ("mql", "sal", "sql", "opportunity", "won"):
            at = getattr(cycle, f"{stage}_at")
            age_at = None if at is None else max((day_of(_moment(at), zone) - created).days, 0)
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
    """By month, channel and stage; an opportunity without a lead begins its journey itself."""
    cells: dict[tuple[date, str, str], Bridge] = defaultdict(Bridge)

    def enter(channel: str, stage: str, began: datetime, at: datetime | None, *, has_lead: bool = True) -> None:
        if at is None:
            return
        month = day_of(_moment(at), zone).replace(day=1)
        cohort = min(month, day_of(_moment(began), zone).replace(day=1))
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
    """By month, region and channel, of the months that have begun before `as_of`."""
    last_month = day_of(_moment(as_of) - 1, zone).replace(day=1)
    cells: dict[tuple[date, str, str], Selling] = defaultdict(Selling)
    for deal in opportunities(scenario, as_of, zone=zone):
        if deal.opportunity_type != "new_business":
            continue
        created = day_of(_moment(deal.created_at), zone)
        closed = None if deal.closed_at is None else day_of(_moment(deal.closed_at), zone)
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
    """What one region's quarter holds at the end of a day: deals that are to close in it and those won in it."""

    open: list[Money] = field(default_factory=list)
    won: list[Money] = field(default_factory=list)


def quarters(scenario: Scenario, as_of: datetime, zone: str = "UTC") -> dict[tuple[date, str], Quarter]:
    """By quarter and region, renewals left out. Reps expect a deal to close thirty days after they open it.

    Who has not closed by then is expected today.
    """
    found: dict[tuple[date, str], Quarter] = defaultdict(Quarter)
    today = day_of(_moment(as_of) - 1, zone)
    for one in opportunities(scenario, as_of, zone=zone):
        if one.is_renewal:
            continue
        created = day_of(_moment(one.created_at), zone)
        if one.closed_at is None:
            expected = max(created + timedelta(EXPECTED_DAYS), today)
            found[_quarter(expected), one.region].open.append(Money(created, one.currency, one.amount))
        elif one.status == "won":
            closed = day_of(_moment(one.closed_at), zone)
            found[_quarter(closed), one.region].won.append(Money(closed, one.currency, one.amount))
    return found


def _quarter(day: date) -> date:
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def conversions(scenario: Scenario, as_of: datetime, horizon: int) -> dict[str, tuple[int, int, int]]:
    """By stage of a lead or deal: who entered it in whole weeks that have had `horizon` days since, who went on within
    them, and the median of their days (the lower one)."""
    ended = day_of(_moment(as_of))
    cycles, found = _work_out(scenario, as_of, None, "UTC")
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
