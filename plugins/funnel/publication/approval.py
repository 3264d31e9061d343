"""The limits of PUBLISH=approve: a change that passes one waits for a person (BLD-13)."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from funnel import settings
from funnel.publication.plan import Movement, Plan
from funnel.publication.plan_text import number

# Fewer rows than these may leave a mart without a question: a share of a few rows says nothing.
FEW_ROWS = 10
# Where no source has stated a restatement window.
WINDOW_DAYS = 30


def limits_passed(connection: psycopg.Connection[Any], plan: Plan, as_of: datetime) -> list[str]:
    """One sentence for each limit that the plan passes; empty if it may be published without a person."""
    row = connection.execute("select max(coalesce(reread_days, restatement_days)) from ops.sources").fetchone()
    closed = as_of.date() - timedelta(days=row[0] if row and row[0] else WINDOW_DAYS)
    return [*_months_passed(plan, closed), *_marts_passed(plan)]


def _months_passed(plan: Plan, closed: date) -> Iterator[str]:
    limit = settings.read().publish_month_limit
    for each in plan.months:
        if _end(each.key) <= closed and (share := _share(each)) > limit:
            moved = f"moves by {share:.1%}" if each.before else "is new"
            yield (
                f"{each.subject} of {each.key}, older than every restatement window, {moved} "
                f"({number(each.before)} to {number(each.after)}; limit {limit:.1%})"
            )


def _marts_passed(plan: Plan) -> Iterator[str]:
    limit = settings.read().publish_rows_limit
    for name, rows in plan.marts.items():
        if rows.removed >= FEW_ROWS and rows.removed > limit * rows.shown_now:
            yield (
                f"{rows.removed:,} of {rows.shown_now:,} rows leave {name} "
                f"({rows.removed / rows.shown_now:.1%}; limit {limit:.1%})"
            )


def _share(each: Movement) -> float:
    return float(abs(each.change) / abs(each.before)) if each.before else float("inf")


def _end(month: str) -> date:
    """The first day after a month such as 2026-11."""
    first = date.fromisoformat(f"{month}-01")
    return (first + timedelta(days=31)).replace(day=1)
