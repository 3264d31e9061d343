"""Builds the scorecard's tables: from the input rows of a quarter to one row per period, region and measure.

The figures themselves are computed in `scorecard`.

A group is a quarter. Its periods are its three months and the quarter itself, each for every region and for all
regions. The input columns are those of `int_won_origins` and `int_lead_fates`; baselines and texts are in dbt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from funnel.build.computations import scorecard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALL = "(all)"
PARTS = ("unanswered_rate", "sent_back_rate", "moves_per_lead", "wait_share", "disagreement_rate")
LEAST_MQLS = 30

Row = Mapping[str, Any]


def _periods(rows: Sequence[Row], month: str, quarter: str) -> Iterator[tuple[dict[str, Any], NDArray[np.int64]]]:
    """Each period and region of a quarter that has rows, with the positions of its rows, in a fixed order."""
    import numpy as np

    places: dict[tuple[Any, str, str], list[int]] = {}
    for place, row in enumerate(rows):
        for grain, start in (("month", row[month]), ("quarter", row[quarter])):
            for region in (ALL, row["region"]):
                places.setdefault((start, grain, region), []).append(place)
    for (start, grain, region), some in sorted(places.items()):
        yield {"period_start": start, "period_grain": grain, "region": region}, np.array(some, dtype=np.int64)


def _numbered(values: Sequence[Any]) -> NDArray[np.int64]:
    """Replace each value by its position in the sorted list of all values."""
    import numpy as np

    numbers = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.array([numbers[value] for value in values], dtype=np.int64)


def revenue_shares(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """M1: from the rows of int_won_origins of one quarter to a row per period and region."""
    import numpy as np

    customers = _numbered([row["customer_key"] for row in rows])
    amounts = np.array([float(row["amount"]) for row in rows])
    sourced = amounts * np.array([row["is_sourced"] for row in rows])
    influenced = amounts * np.array([row["is_influenced"] for row in rows])
    for period, places in _periods(rows, "month_start", "quarter_start"):
        won = int(places.size)
        total = float(amounts[places].sum())
        reason = None
        if won < scorecard.LEAST_WON:
            reason = f"too thin: {won} won, {scorecard.LEAST_WON} are needed"
        elif total <= 0:
            reason = "what was won has no amount"
        nothing = scorecard.Interval(None, None, None)
        shares = [nothing, nothing]
        if reason is None:
            shares = [
                scorecard.clustered_share(customers[places], amounts[places], part[places])
                for part in (sourced, influenced)
            ]
        yield period | {
            "won": won,
            "customers": int(np.unique(customers[places]).size),
            "sourced_share": shares[0].value,
            "sourced_low": shares[0].low,
            "sourced_high": shares[0].high,
            "influenced_share": shares[1].value,
            "influenced_low": shares[1].low,
            "influenced_high": shares[1].high,
            "is_sufficient": reason is None,
            "reason": reason,
        }


def close_rates(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """M2: from the leads created in one quarter to a row per period and region, compared within strata of similar
    leads.
    """
    import numpy as np

    days = np.array([row["days"] for row in rows], dtype=np.int64)
    outcomes = np.array([row["outcome"] for row in rows], dtype=np.int64)
    leads = np.array([row["leads"] for row in rows], dtype=np.int64)
    generated = np.array([row["is_marketing_generated"] for row in rows], dtype=bool)
    strata = _numbered([(row["segment"], row["region"]) for row in rows])
    watched = np.array([row["horizons_watched"] for row in rows], dtype=np.int64)
    for period, places in _periods(rows, "created_month", "created_quarter"):
        horizon = scorecard.longest_horizon(watched[places], leads[places], generated[places])
        lift = scorecard.close_rate_lift(
            days[places], outcomes[places], leads[places], generated[places], strata[places], horizon
        )
        yield period | {
            "horizon_days": horizon,
            "marketing_leads": lift.n,
            "other_leads": lift.n_other,
            "marketing_rate": lift.rate,
            "other_rate": lift.other_rate,
            "ratio": lift.ratio.value,
            "ratio_low": lift.ratio.low,
            "ratio_high": lift.ratio.high,
            "difference": lift.difference.value,
            "difference_low": lift.difference.low,
            "difference_high": lift.difference.high,
            "adjusted_ratio": lift.adjusted_ratio,
            "is_reversed": lift.is_reversed,
            "is_sufficient": lift.is_sufficient,
            "reason": lift.reason,
        }


# Numerator and denominator of each component: the contribution of one lead, nothing if it is unknown.
_COMPONENTS: tuple[tuple[Callable[[Row], float | None], Callable[[Row], float | None]], ...] = (
    (lambda row: row["is_unanswered"], lambda row: None if row["is_unanswered"] is None else 1),
    (lambda row: row["is_sent_back"], lambda row: None if row["is_sent_back"] is None else 1),
    (lambda row: row["moves"], lambda row: 1),
    (lambda row: row["seconds_waited"], lambda row: row["seconds_open"]),
    (lambda row: row["days_disagreed"], lambda row: row["days_compared"]),
)


def frictions(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """M3: from the MQLs of one quarter to the components of the index and their spread. The index itself needs a
    baseline.
    """
    import numpy as np

    above, below = (
        np.array([[float(part[side](row) or 0) for part in _COMPONENTS] for row in rows]) for side in (0, 1)
    )
    weights = np.array([float(rows[0][f"weight_of_{name}"]) for name in PARTS])
    floors = np.array([float(rows[0][f"floor_of_{name}"]) for name in PARTS])
    for period, places in _periods(rows, "mql_month", "mql_quarter"):
        parts, covariance = scorecard.friction_parts(above[places], below[places])
        lacking = [name for name, part, weight in zip(PARTS, parts, weights, strict=True) if weight and np.isnan(part)]
        mqls = int(places.size)
        reason = None
        if mqls < LEAST_MQLS:
            reason = f"too thin: {mqls} MQLs, {LEAST_MQLS} are needed"
        elif lacking:
            reason = f"nothing to count for {', '.join(lacking)}"
        spread = None
        if reason is None:
            spread = scorecard.friction_spread(np.nan_to_num(parts), weights, floors, covariance)
        yield period | {
            "mqls": mqls,
            **{
                name: None if mqls < LEAST_MQLS or np.isnan(part) else float(part)
                for name, part in zip(PARTS, parts, strict=True)
            },
            "index_spread": spread,
            "is_sufficient": reason is None,
            "reason": reason,
        }
