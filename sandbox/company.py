"""The simulated company `company`: advertising, marketing and sales from one seed, day by day.

Its CRM starts 88 days before the anchor: every contact, lead, account, user and deal is created, and therefore
modified, within the 90 days before it. A first load of 90 days by modification date thus reads all of them, and its
counts equal the truth without a remainder. Advertising is older (120 days). Days are generated in order, up to a year
after the anchor, as the clock reaches them.
"""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from pathlib import Path

from sandbox.advertising import Source, advertise
from sandbox.campaigns import open_books
from sandbox.clock import HOUR, SECOND, day_of, day_start
from sandbox.journeys import meet_as_contact, meet_online, meet_through_sales
from sandbox.office import Office, later
from sandbox.scenario import Scenario
from sandbox.selling import Terms, log_partner_deal, open_deal, open_hubspot_deal
from sandbox.staff import hire
from sandbox.storefront import open_shop, trade
from sandbox.visits import open_sites

CRM_HISTORY_DAYS = 88
FUTURE_DAYS = 366
# The accountants' exchange rates; the company's bank quotes the same, so that there is only one truth.
BOOK_RATES = Path(__file__).parents[1] / "dbt_project" / "seeds" / "currency_rates.csv"
OLD_CUSTOMERS = 60


def make_company(seed: int, anchor: date) -> Scenario:
    """The company at the end of the anchor day; `grow` continues its life from there."""
    scenario = Scenario("company", portal_id=4242)
    first_day = anchor - timedelta(CRM_HISTORY_DAYS)
    start = day_start(first_day) + 6 * HOUR
    scenario.ad_accounts, sources = advertise(seed, anchor)
    scenario.properties = open_sites(seed, anchor, sources)
    scenario.conversion_actions = [
        {"id": "501", "name": "Lead form", "type": "WEBPAGE", "status": "ENABLED", "click": 30, "view": 1},
        {"id": "502", "name": "Demo request", "type": "WEBPAGE", "status": "ENABLED", "click": 30, "view": 1},
    ]
    scenario.shop = open_shop()
    scenario.dollars_per_euro = _book_rates()
    staff = hire(scenario, start, leaves=day_start(anchor - timedelta(30)) + 10 * HOUR)
    office = Office(scenario, seed, anchor, start, staff, sources)
    open_books(scenario, office, anchor)
    _import_customers(office, random.Random(seed))
    lived: list[date] = [first_day]

    def grow(now: int) -> None:
        last = min(day_of(now), anchor + timedelta(FUTURE_DAYS))
        while lived[0] <= last:
            _live_day(office, lived[0])
            trade(office, lived[0])
            lived[0] += timedelta(1)

    grow(day_start(anchor))
    scenario.grow = grow
    return scenario


def _book_rates() -> list[tuple[date, str]]:
    with open(BOOK_RATES, newline="") as file:
        return sorted(
            (date.fromisoformat(row["rate_date"]), row["rate_to_usd"])
            for row in csv.DictReader(file)
            if row["currency_code"] == "EUR"
        )


def _import_customers(office: Office, rng: random.Random) -> None:
    """Old customers arrive with the CRM, without contacts; each is due for a renewal, some buy more."""
    for number in range(OLD_CUSTOMERS):
        at = office.start + number * 60 * SECOND
        firm = office.found_firm(rng, at)
        rep = office.staff.next("Account Executives", firm.region)
        office.account_of(firm, at, rep)
        renews = later(rng, office.start, 24, 300 * 24)
        open_deal(office, rng, renews, Terms("Renewal", firm, rep, win_share=0.75, open_share=0.1, days_to_close=20))
        if rng.random() < 0.4:
            grows = later(rng, office.start, 24, 300 * 24)
            kind = rng.choice(("Existing Business", "Upsell", "Expansion"))
            open_deal(office, rng, grows, Terms(kind, firm, rep, win_share=0.4))


def _live_day(office: Office, day: date) -> None:
    rng = random.Random(office.seed * 1_000_003 + day.toordinal())
    weekend = day.weekday() >= 5
    online = round(rng.gauss(20, 3) if weekend else rng.gauss(44, 5))
    by_sales = 0 if weekend else rng.choice((1, 2, 3, 4, 5))
    paid = _pull(office.sources, day)
    for number in range(online):
        own = _own_rng(office, day, number)
        meet_online(office, own, _moment(own, day), paid)
    for number in range(by_sales):
        own = _own_rng(office, day, 500 + number)
        meet_through_sales(office, own, _moment(own, day))
    own = _own_rng(office, day, 900)
    if not weekend and own.random() < 0.3:
        meet_as_contact(office, own, _moment(own, day))
    if not weekend and own.random() < 0.18:
        at = _moment(own, day)
        firm = office.found_firm(own, at) if own.random() < 0.7 else None
        log_partner_deal(office, own, at, firm, office.staff.next("Partner Sales", firm.region if firm else ""))
    if not weekend and own.random() < 0.2:
        at = _moment(own, day)
        firm = office.some_firm(own, at)
        open_hubspot_deal(office, own, at, firm, office.staff.next("Account Executives", firm.region))


def _own_rng(office: Office, day: date, number: int) -> random.Random:
    return random.Random((office.seed * 1_000_003 + day.toordinal()) * 1_009 + number)


def _moment(rng: random.Random, day: date) -> int:
    """A random second of a working day, 06:00 to 19:59 UTC."""
    return day_start(day) + 6 * HOUR + rng.randrange(14 * HOUR // SECOND) * SECOND


def _pull(sources: list[Source], day: date) -> list[tuple[Source, float]]:
    """The expected number of leads of each campaign from its clicks of the day."""
    pulls = []
    for source in sources:
        figures = source.figures(day)
        if figures is not None and source.plan.leads_per_100_clicks > 0 and not source.plan.ghost:
            pulls.append((source, figures.final.clicks * source.plan.leads_per_100_clicks / 100))
    return pulls
