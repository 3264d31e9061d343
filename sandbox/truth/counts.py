"""The counts of the funnel: months, spend, visits, orders and the open pipeline."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sandbox.clock import day_of, day_start, instant
from sandbox.decisions import Deal, Person
from sandbox.office import REGION_OF
from sandbox.purchases import Purchase
from sandbox.scenario import Scenario
from sandbox.truth.cycles import Cycle, contact, known_deals, owners_of, work_out
from sandbox.truth.facts import Money, MonthCounts, Order, SpendDay, VisitDay
from sandbox.truth.persons import cuts, moment_of, people_known_at, region_of


def monthly_counts(
    scenario: Scenario,
    as_of: datetime,
    known_at: datetime | None = None,
    first_day: date | None = None,
    zone: str = "UTC",
) -> dict[date, MonthCounts]:
    """Month start to its counts; each event counts in the month of its own day."""
    cycles, found = work_out(scenario, as_of, known_at, zone)
    months: dict[date, MonthCounts] = defaultdict(MonthCounts)

    def month(at: datetime | None) -> MonthCounts | None:
        if at is None:
            return None
        day = day_of(moment_of(at), zone)
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
            day_of(moment_of(opportunity.closed_at or opportunity.created_at), zone),
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
    """The platforms' reports at `now` of every day from first to last, both included; no entry for rows of zeros."""
    moment = moment_of(now.astimezone(UTC))
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
    """The known visits at `now` of the days first to last, both included; withheld visits are unknown."""
    moment = moment_of(now.astimezone(UTC))
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
    cut, known = cuts(scenario, as_of, known_at)
    if scenario.shop is None:
        return []
    known_people = {person.person_id: person for person in people_known_at(scenario, known)}
    owner_of = owners_of(known_people.values(), scenario, known)
    deals = {deal.opportunity_id: deal for deal in known_deals(scenario, cut, known)}
    all_cycles, _ = work_out(scenario, as_of, known_at, zone)
    cycles: dict[str, list[Cycle]] = defaultdict(list)
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
        person_id = owner_of.get((purchase.person_id if is_known else None) or (contact(deal) if deal else None) or "")
        before = [cycle for cycle in cycles.get(person_id or "", ()) if cycle.created <= purchase.at]
        latest = before[-1] if before else None
        found.append(
            Order(
                purchase.order_id,
                instant(purchase.at),
                scenario.shop.currency,
                Decimal(sum(line.gross_cents - line.discount_cents for line in purchase.lines)) / 100,
                _refunds(purchase, scenario.shop.currency, known, zone),
                person_id,
                deal.opportunity_id if deal else None,
                purchase.channel or (latest.channel if latest else "Unknown"),
                purchase.campaign_id if purchase.channel else latest.campaign_id if latest else None,
                _region(purchase, deal, known_people.get(person_id or ""), known),
                purchase.counts(known),
            )
        )
    return sorted(found, key=lambda order: order.order_id)


def _region(purchase: Purchase, deal: Deal | None, person: Person | None, known: int) -> str:
    """The deal's, else the person's, else that of the address."""
    if deal and deal.region != "Unknown":
        return deal.region
    region = region_of(person, known) if person else "Unknown"
    return REGION_OF.get(purchase.country or "", "Unknown") if region == "Unknown" else region


def _refunds(purchase: Purchase, currency: str, known: int, zone: str) -> tuple[Money, ...]:
    return tuple(
        Money(day_of(refund.at, zone), currency, Decimal(refund.total_cents) / 100)
        for refund in purchase.refunds
        if refund.at <= known
    )


def pipeline(
    scenario: Scenario, as_of: datetime, known_at: datetime | None = None, zone: str = "UTC"
) -> dict[tuple[date, str], Money]:
    """The state of each open deal at the end of every day up to `as_of`; the rate is that of its creation.

    Computed at `known_at` for all days at once: a deal deleted since is on no day, and a deal that was closed
    afterwards with an earlier date was open until then.
    """
    cut, known = cuts(scenario, as_of, known_at)
    found: dict[tuple[date, str], Money] = {}
    last = day_of(cut - 1, zone)
    for deal in known_deals(scenario, cut, known):
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
