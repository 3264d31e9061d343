"""Notes of what was shown first and has moved since, to compare with rpt_restatement and rpt_drivers."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.end_to_end.pipeline import rows

MEASURES = (
    *(
        "spend",
        "impressions",
        "clicks",
        "platform_conversions",
        "platform_conversion_value",
        "sessions",
        "leads",
        "mqls",
    ),
    *("sals", "sqls", "opportunities", "pipeline_amount", "won", "won_amount", "lost", "orders", "order_amount"),
    "retail_amount",
)
Cell = tuple[str, date, str, str, str]
Values = dict[Cell, Decimal]


@dataclass
class Notes:
    """Take them after every publication; `differing` is what the marts of a morning say otherwise than the notes."""

    first: Values = field(default_factory=dict)
    days: set[tuple[str, date]] = field(default_factory=set)
    differing: dict[date, dict[str, Any]] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)

    def take(self, last_day: date) -> None:
        """Note what is shown as of the end of `last_day`, and compare."""
        shown = _funnel() | _returns(last_day)
        days = {(mart, day) for mart, day, *_ in shown}
        self.first |= {cell: value for cell, value in shown.items() if cell[:2] in days - self.days}
        self.days |= days
        expected: Counter[tuple[str, str]] = Counter()
        for cell in self.first.keys() | shown.keys():
            expected[cell[0], cell[2]] += abs(shown.get(cell, Decimal()) - self.first.get(cell, Decimal()))  # type: ignore[assignment]
        moved = {key: value for key, value in expected.items() if value}
        self.moved |= {measure for _, measure in moved}
        found = {"restatement": (moved, _restated()), "drivers": ([], _unexplained(last_day))}
        if wrong := {subject: pair for subject, pair in found.items() if pair[0] != pair[1]}:
            self.differing[last_day] = wrong


def _funnel() -> Values:
    sums = ", ".join(f"sum({measure}) as {measure}" for measure in MEASURES)
    query = f"select date_day, channel, region, {sums} from bi.fct_funnel_daily group by 1, 2, 3"
    return {
        ("fct_funnel_daily", row["date_day"], measure, row["channel"], row["region"]): Decimal(row[measure])
        for row in rows(query)
        for measure in MEASURES
        if row[measure]
    }


def _returns(last_day: date) -> Values:
    """Of months that have ended."""
    query = (
        "select month_start, channel, region, sum(revenue) as revenue from bi.rpt_channel_return "
        f"where model = 'linear' and month_start + interval '1 month' <= '{last_day + timedelta(days=1)}' "
        "group by 1, 2, 3 having sum(revenue) <> 0"
    )
    return {
        ("rpt_channel_return", row["month_start"], "revenue", row["channel"], row["region"]): row["revenue"]
        for row in rows(query)
    }


def _restated() -> dict[tuple[str, str], Decimal]:
    query = (
        "select mart, measure, sum(moved) as moved from bi.rpt_restatement "
        "where mart in ('fct_funnel_daily', 'rpt_channel_return') group by 1, 2 having sum(moved) <> 0"
    )
    return {(row["mart"], row["measure"]): row["moved"] for row in rows(query)}


def _unexplained(last_day: date) -> list[dict[str, Any]]:
    """Months whose effects are not the change from the month before: every whole month but the first must have one."""
    return rows(
        f"""
        with won as (
            select
                months.month_start::date as month_start,
                coalesce(sum(funnel.won_amount), 0) as won_amount
            from generate_series(
                (select min(month_start) from bi.fct_funnel_daily)::timestamp,
                '{last_day + timedelta(days=1)}'::timestamp - interval '1 month',
                interval '1 month'
            ) as months (month_start)
            left join bi.fct_funnel_daily as funnel using (month_start)
            group by 1
        ),
        changes as (
            select month_start, won_amount - lag(won_amount) over (order by month_start) as change from won
        ),
        effects as (
            select period_start as month_start, sum(volume_effect + rate_effect + value_effect) as effect
            from bi.rpt_drivers
            where period_grain = 'month' and compared_with = 'period before'
            group by 1
        )
        select month_start, change, effect
        from changes full outer join effects using (month_start)
        where coalesce(change, 0) <> coalesce(effect, 0)
        """
    )
