"""Reads a dashboard: every chart is drawn, and its numbers are those of the warehouse."""

from collections.abc import Callable
from datetime import date, timedelta

from tests.dashboards.conftest import Viewer, screenshot, value
from tests.dashboards.drawn import fixed, share, short, whole
from tests.dashboards.test_assets import ASSETS, BOARDS, placed
from tests.rounding import half_up


def last_days(today: date, days: int = 30) -> str:
    return f"date_day >= '{today - timedelta(days=days)}' and date_day < '{today}'"


def last_month(today: date) -> tuple[date, date]:
    this = today.replace(day=1)
    return (this - timedelta(days=1)).replace(day=1), this


STRIP = "Can I trust this today?"
Expected = list[tuple[str, str]]


def funnel_says(today: date) -> Expected:
    recent = f"from bi.fct_funnel_daily where {last_days(today)}"
    return [
        ("New leads", whole(value(f"select sum(leads) {recent}"))),
        ("Deals won", whole(value(f"select sum(won) {recent}"))),
        ("Advertising spend", short(value(f"select sum(spend) {recent}"))),
        ("From step to step", whole(value(f"select sum(sessions) {recent}"))),
        ("From step to step", whole(value(f"select sum(mqls) {recent}"))),
        *rates(today),
        ("By channel", "$ " + whole(value(f"select sum(spend) {recent} and channel = 'Paid Search'"))),
    ]


def rates(today: date) -> Expected:
    """How far the leads got that completed their 60 days in the last 30 days, counted from fct_leads itself."""
    cohort = f"from bi.fct_leads where {last_days(today).replace('date_day', 'created_date + 60')}"
    first = "least(mql_date, sal_date, sql_date, opportunity_at::date, won_at::date)"
    went_on = value(f"select avg(coalesce({first} <= created_date + 60, false)::integer) {cohort}")
    return [] if went_on is None else [("From step to step", share(went_on))]


def alignment_says(today: date) -> Expected:
    recent = f"from bi.fct_leads where mql_date >= '{today - timedelta(days=30)}' and mql_date < '{today}'"
    late = "count(*) filter (where is_sla_breached)::numeric / count(is_sla_breached)"
    card = "from bi.rpt_alignment_scorecard where region = '(all)' and period_grain = 'quarter' and measure"
    index = value(f"select value {card} = 'friction_index' order by period_start desc limit 1")
    friction = "not enough data" if index is None else str(half_up(index, 1))
    # What is better or worse is compared here by numbers; the page says it in a sentence.
    low, high, start = (
        value(f"select {bound} {card} = 'friction_index' order by period_start desc limit 1")
        for bound in ("value_low", "value_high", "baseline_value")
    )
    verdict = (
        "Too early"
        if index is None or low is None
        else "Better"
        if high < start
        else "Worse"
        if low > start
        else "Too early"
    )
    median = "percentile_cont(0.5) within group (order by response_business_minutes)"
    return [
        ("Leads answered too late", share(value(f"select {late} {recent}"))),
        ("Working minutes until sales answers (median)", whole(value(f"select ({median})::numeric {recent}"))),
        (
            "Do marketing and sales work together?",
            friction,
        ),
        ("Do marketing and sales work together?", verdict),
    ]


def money_says(today: date) -> Expected:
    first, _ = last_month(today)
    recent = f"from bi.fct_funnel_daily where {last_days(today)}"
    returned = f"from bi.rpt_channel_return where month_start = '{first}' and model = 'linear'"
    revenue = "sum(won_amount) + sum(order_amount)"
    return [
        ("Advertising spend", short(value(f"select sum(spend) {recent}"))),
        ("Revenue", short(value(f"select {revenue} {recent}"))),
        ("Revenue per unit of spend", fixed(value(f"select ({revenue}) / sum(spend) {recent}"), 2)),
        (
            "Revenue and spend of each channel, and how much the return depends on the model",
            "$ " + whole(value(f"select sum(revenue) {returned} and channel = 'Paid Search'")),
        ),
    ]


def pipeline_says(today: date) -> Expected:
    now = (
        "from bi.rpt_pipeline_coverage where region = '(all)' and date_day = (select max(date_day) from "
        "bi.rpt_pipeline_coverage) and date_day >= period_start and date_day < period_start + interval '3 months'"
    )
    newest = "from bi.fct_opportunities_daily where date_day = (select max(date_day) from bi.fct_opportunities_daily)"
    return [
        ("Value of all open deals", short(value(f"select sum(amount) {newest}"))),
        ("Open deals expected this quarter", short(value(f"select open_amount {now}"))),
        ("Share of this quarter's target won", share(value(f"select booked_amount / target {now}"))),
        ("Is there enough for the quarter?", whole(value(f"select booked_amount + weighted_amount {now}"))),
    ]


def trust_says(today: date) -> Expected:
    return [
        ("Rows in quarantine", whole(value("select count(*) from ops.quarantine where replayed_at is null"))),
        ("Days missing", whole(value("select count(*) from ops.incomplete_days"))),
        (
            "Deliveries of the sources",
            whole(value("select sum(rows_read) from ops.loads where stream = 'contact_events'")),
        ),
        (STRIP, f"{today - timedelta(days=1):%-d %b %Y}"),
        (STRIP, "Passed"),
    ]


def records_says(today: date) -> Expected:
    recent = f"from bi.fct_opportunities where is_won and opportunity_type <> 'renewal' and {last_days(today)}"
    newest = recent.replace("date_day", "closed_date") + " order by closed_date desc limit 1"
    return [
        ("Leads created", "Open"),
        ("Deals that were won", value(f"select opportunity_id {newest}")),
        ("Journey", "Touch"),
    ]


SAYS: dict[str, Callable[[date], Expected]] = {
    "funnel": funnel_says,
    "alignment": alignment_says,
    "money": money_says,
    "pipeline": pipeline_says,
    "trust": trust_says,
}
# The pages of analysts.
ANALYSTS_SAY: dict[str, Callable[[date], Expected]] = {"records": records_says}


def read(viewer: Viewer, slug: str) -> list[str]:
    """Read all tabs of a dashboard; returns what is blank, wrong or missing."""
    viewer.complaints.clear()
    viewer.open(slug)
    seen: dict[str, str] = {}
    faults = []
    (board,) = (each for each in ASSETS.boards if each["slug"] == slug)
    for tab in (each["title"] for each in board["tabs"]):
        viewer.turn_to(tab)
        screenshot(viewer, f"{slug}, {tab}")
        for title in viewer.charts():
            seen[title] = said = viewer.text(title)
            drawn = viewer.page.locator(f'[data-test-chart-name="{title}"] canvas').count()
            if not (drawn or said):
                faults.append(f"{title} is blank")
            if any(word in said for word in ("No results", "No data", "Error", "error")):
                faults.append(f"{title}: {said[:300]}")
    (imported,) = (each for each in BOARDS.values() if each["slug"] == slug)
    if sorted(seen) != sorted(chart["slice_name"] for chart in placed(imported)):
        faults.append(f"charts in sight: {sorted(seen)}")
    for title, expected in (SAYS | ANALYSTS_SAY)[slug](viewer.house.today):
        if expected not in seen.get(title, ""):
            faults.append(f"{title} says {seen.get(title, '')[:300]!r}, not {expected!r}")
    return faults + viewer.complaints
