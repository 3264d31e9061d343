"""The files that `company`'s accountants put into an inbox: targets, list prices, commission plans, costs beyond media,
and the baselines that both teams agreed on.

No vendor serves these. `write` puts the files and their manifest into a folder; tests read the same plans from here,
before they are written. Plans exist for the current quarter and the next one, whatever is sold; costs exist for the
months since the previous quarter. The current quarter is that of the newest complete day: on the first day of a
quarter, everything known and every comparable target still belongs to the previous quarter.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

SOURCE = "company_plan"
MANIFEST = """source: company_plan
timezone: UTC
currency: USD
streams:
  - entity: targets
    path: targets.csv
  - entity: price_list
    path: price_list.csv
  - entity: commission_plans
    path: commission_plans.csv
  - entity: costs
    path: costs.csv
  - entity: alignment_baselines
    path: alignment_baselines.csv
"""


@dataclass(frozen=True)
class Target:
    period_start: date
    period_grain: str
    team: str
    metric: str
    region: str
    target: int
    currency_code: str = ""


@dataclass(frozen=True)
class Price:
    product_id: str
    list_price: Decimal
    currency_code: str
    valid_from: date


@dataclass(frozen=True)
class Step:
    plan: str
    team: str
    step_from: Decimal
    commission_rate: Decimal
    valid_from: date


@dataclass(frozen=True)
class Cost:
    """The cost of a team or a channel in a month, in addition to the ad platforms' charges."""

    month: date
    team: str
    channel: str
    cost_type: str
    amount: int
    currency_code: str


@dataclass(frozen=True)
class Baseline:
    component: str
    region: str
    baseline: Decimal
    approved_by: str
    approved_on: date
    valid_from: date


# A team's target of won amounts in a quarter, in the currency of its region.
QUOTAS = (
    ("Account Executives", "EMEA", 300_000, "EUR"),
    ("Account Executives", "Americas", 180_000, "USD"),
    ("Account Executives", "APAC", 60_000, "USD"),
    ("Partner Sales", "EMEA", 30_000, "EUR"),
    ("Partner Sales", "Americas", 25_000, "USD"),
)
# By month, for all regions and for one.
PROMISED = (("leads", "(all)", 1_200), ("mqls", "(all)", 480), ("mqls", "EMEA", 190), ("sals", "(all)", 250))
PRICES = (("SEAT-100", "600"), ("API-10", "900"), ("TRAIN-1", "1500"), ("SETUP-1", "400"))
STEPS = (("0", "0.04"), ("0.5", "0.06"), ("1", "0.10"), ("1.5", "0.12"))


# By month: of a team, or of a single channel.
COSTS = (
    ("marketing", "", "salaries", 24_000, "USD"),
    ("marketing", "", "tools", 3_500, "USD"),
    ("sales", "", "salaries", 61_000, "USD"),
    ("", "Events", "agency", 7_000, "EUR"),
)

# The baselines that both teams agreed on a year before.
BASELINES = (
    ("marketing_revenue_share", "0.40"),
    ("unanswered_rate", "0.40"),
    ("sent_back_rate", "0.40"),
    ("moves_per_lead", "0.20"),
    ("wait_share", "0.30"),
    ("disagreement_rate", "0.05"),
)


def quarter_of(day: date) -> date:
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def running_quarter(anchor: date) -> date:
    """The quarter of the newest complete day."""
    return quarter_of(anchor - timedelta(days=1))


def next_months(day: date, count: int) -> date:
    months = day.year * 12 + day.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def targets(anchor: date) -> list[Target]:
    quarter = running_quarter(anchor)
    found = []
    for number in range(2):
        start = next_months(quarter, 3 * number)
        for team, region, amount, currency in QUOTAS:
            found.append(Target(start, "quarter", team, "won_amount", region, amount * (10 + number) // 10, currency))
        found.append(Target(start, "quarter", "(all)", "won", "(all)", 80 + 20 * number))
        found.append(Target(start, "quarter", "sales", "sqls", "(all)", 60))
        found.append(Target(start, "quarter", "marketing", "pipeline_amount", "(all)", 2_000_000, "USD"))
        for month in range(3):
            for metric, region, wanted in PROMISED:
                found.append(Target(next_months(start, month), "month", "marketing", metric, region, wanted))
    return found


def prices(anchor: date) -> list[Price]:
    """List prices, which rise by a tenth with the quarter."""
    quarter = running_quarter(anchor)
    return [
        Price(product, Decimal(price) * (10 + number) / 10, "USD", since)
        for product, price in PRICES
        for number, since in enumerate((next_months(quarter, -12), quarter))
    ]


def steps(anchor: date) -> list[Step]:
    """One plan for all reps, and a flat one for those who sell through partners."""
    since = next_months(running_quarter(anchor), -12)
    plan = [Step("accelerator", "(all)", Decimal(at), Decimal(rate), since) for at, rate in STEPS]
    return [*plan, Step("flat", "Partner Sales", Decimal(0), Decimal("0.03"), since)]


def costs(anchor: date) -> list[Cost]:
    """The costs, which grow by a hundredth a month."""
    first = next_months(running_quarter(anchor), -3)
    months = [month for month in (next_months(first, number) for number in range(6)) if month <= anchor]
    return [
        Cost(month, team, channel, kind, amount * (100 + number) // 100, currency)
        for number, month in enumerate(months)
        for team, channel, kind, amount, currency in COSTS
    ]


def baselines(anchor: date) -> list[Baseline]:
    since = next_months(running_quarter(anchor), -12)
    return [
        Baseline(component, "", Decimal(agreed), "Heads of Marketing and Sales", since, since)
        for component, agreed in BASELINES
    ]


def write(folder: Path, anchor: date) -> None:
    """The inbox of the company."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "company_plan.yml").write_text(MANIFEST)
    _write(folder / "targets.csv", targets(anchor))
    _write(folder / "price_list.csv", prices(anchor))
    _write(folder / "commission_plans.csv", steps(anchor))
    _write(folder / "costs.csv", costs(anchor))
    _write(folder / "alignment_baselines.csv", baselines(anchor))


def _write(path: Path, rows: Iterable[Target | Price | Step | Cost | Baseline]) -> None:
    written = [vars(row) for row in rows]
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(written[0]))
        writer.writeheader()
        writer.writerows(written)
