"""The figures of the alignment scorecard: shares, lifts and indices with confidence intervals, and the reason if there
are too few data.

Pure functions over arrays, without a database: `engine` reads their inputs and writes their results. Intervals come
from NumPy, SciPy and statsmodels, which are imported inside functions. The definitions of a marketing-generated deal
and of a period's leads are in `dbt_project/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2_000
SEED = 20_260_101
CONFIDENCE = 0.95
# With fewer won opportunities a share is not meaningful.
LEAST_WON = 30
# Days after a lead's creation within which a deal counts: the longest that both sides have been watched for is used.
HORIZONS = (30, 60, 90, 180)
# With fewer leads in a group, or fewer conversions in both groups together, a ratio is not meaningful.
LEAST_LEADS = 30
LEAST_CONVERSIONS = 5
# Below this many conversions in a group the logarithm of a ratio is far from normal, and the score interval is used.
SMALL_COUNT = 10
# Resamples are drawn in slices, so that a hundred thousand accounts need no matrix of two hundred million numbers.
SLICE = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A value with the bounds of its interval; None where it cannot be computed."""

    value: float | None
    low: float | None
    high: float | None


# M1 -----------------------------------------------------------------------------------------------------------------


def clustered_share(
    accounts: NDArray[np.int64],
    amounts: NDArray[np.float64],
    generated: NDArray[np.float64],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval:
    """The share of `amounts` that is `generated`, with a percentile bootstrap that resamples whole accounts.

    Deals of one account are not independent, so an interval that resamples deals would be too narrow. `accounts`
    numbers the account of each deal, in an order that does not depend on the database; `generated` is the part of the
    amount that counts. A resample is drawn as multinomial counts per account, which needs no matrix of indices.
    """
    import numpy as np

    total = float(amounts.sum())
    if total <= 0:
        return Interval(None, None, None)
    numbers = np.unique(accounts, return_inverse=True)[1]
    clusters = int(numbers.max()) + 1
    won = np.bincount(numbers, weights=amounts, minlength=clusters)
    counted = np.bincount(numbers, weights=generated, minlength=clusters)
    chance = np.random.default_rng(seed)
    shares = np.empty(resamples)
    step = max(1, SLICE // clusters)
    for first in range(0, resamples, step):
        drawn = min(step, resamples - first)
        picks = chance.integers(0, clusters, size=(drawn, clusters), dtype=np.int32)
        below = won[picks].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares[first : first + drawn] = counted[picks].sum(axis=1) / below
    shares = shares[np.isfinite(shares)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(shares, [tail, 1 - tail]) if shares.size else (None, None)
    return Interval(float(generated.sum()) / total, _float(low), _float(high))


# M2 -----------------------------------------------------------------------------------------------------------------


def incidence(
    days: NDArray[np.int64], outcomes: NDArray[np.int64], leads: NDArray[np.int64], horizon: int
) -> tuple[float, float, int]:
    """Aalen-Johansen: the cumulative share won before `horizon` days, its variance, and the number of leads.

    Each entry stands for `leads` that were observed for `days` whole days and ended with an outcome: 1 won, 2 a
    competing outcome (lost, disqualified, recycled), 0 censored (still open at the end of the observation). Events on
    the same day as a censoring count first: the censored lead was at risk on that day. If every lead was observed up to
    the horizon, the result is x / n.
    """
    import numpy as np

    n = int(leads.sum())
    within = days < horizon
    if n == 0 or not within.any():
        return 0.0, 0.0, n
    _, places = np.unique(days[within], return_inverse=True)
    left = np.bincount(places, weights=leads[within])
    won = np.bincount(places, weights=leads[within] * (outcomes[within] == 1))
    other = np.bincount(places, weights=leads[within] * (outcomes[within] == 2))
    at_risk = n - np.concatenate(([0.0], np.cumsum(left)[:-1]))
    surviving = np.cumprod(1 - (won + other) / at_risk)
    before = np.concatenate(([1.0], surviving[:-1]))
    reached = np.cumsum(before * won / at_risk)
    return float(reached[-1]), _incidence_variance(at_risk, won, other, before, reached), n


def _incidence_variance(
    at_risk: NDArray[Any], won: NDArray[Any], other: NDArray[Any], before: NDArray[Any], reached: NDArray[Any]
) -> float:
    """Variance of the cumulative incidence by the delta method (Marubini and Valsecchi)."""
    import numpy as np

    events = won + other
    missing = reached[-1] - reached
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(at_risk > events, missing**2 * events / (at_risk * (at_risk - events)), 0.0)
    second = before**2 * won * (at_risk - won) / at_risk**3
    third = missing * before * won / at_risk**2
    return float(max(0.0, (first + second - 2 * third).sum()))


def ratio_interval(won: float, n: float, won_other: float, n_other: float) -> Interval:
    """Interval of a ratio of two shares: Katz's log method, or Koopman's score method where a count is small."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    if min(n, n_other) <= 0 or won_other <= 0:
        return Interval(None, None, None)
    is_small = min(won, won_other) < SMALL_COUNT
    low, high = confint_proportions_2indep(
        won, n, won_other, n_other, compare="ratio", method="score" if is_small else "log", alpha=1 - CONFIDENCE
    )
    if is_small and won == 0:
        low = 0.0
    return Interval((won / n) / (won_other / n_other), _float(low), _float(high))


def difference_interval(won: float, n: float, won_other: float, n_other: float) -> Interval:
    """Newcombe's interval of a difference of two shares."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    if min(n, n_other) <= 0:
        return Interval(None, None, None)
    low, high = confint_proportions_2indep(
        won, n, won_other, n_other, compare="diff", method="newcomb", alpha=1 - CONFIDENCE
    )
    return Interval(won / n - won_other / n_other, _float(low), _float(high))


def pooled_ratio(strata: Sequence[tuple[float, float, float, float]]) -> float | None:
    """Mantel-Haenszel ratio of shares over strata of (won, n, won of the others, n of the others).

    A stratum in which one side is empty has no weight.
    """
    above = below = 0.0
    for won, n, won_other, n_other in strata:
        if n > 0 and n_other > 0:
            above += won * n_other / (n + n_other)
            below += won_other * n / (n + n_other)
    return above / below if below > 0 else None


def is_reversed(raw: float | None, adjusted: float | None) -> bool:
    """True for a Simpson's reversal: the overall ratio and the ratio within strata point in opposite directions."""
    return raw is not None and adjusted is not None and (raw - 1) * (adjusted - 1) < 0


@dataclass(frozen=True)
class Lift:
    """M2 of one period and region; `reason` says why the value is null, or is a caveat."""

    ratio: Interval
    difference: Interval
    adjusted_ratio: float | None
    rate: float | None
    other_rate: float | None
    n: int
    n_other: int
    is_reversed: bool
    is_sufficient: bool
    reason: str | None


def longest_horizon(
    watched: NDArray[np.int64], leads: NDArray[np.int64], is_generated: NDArray[np.bool_]
) -> int | None:
    """The longest horizon, in days, that at least `LEAST_LEADS` leads of each side have been watched for; else None.

    `watched` is the number of horizons that have passed since the creation of the leads of each entry.
    """
    for number in range(len(HORIZONS), 0, -1):
        old = watched >= number
        if min(leads[old & is_generated].sum(), leads[old & ~is_generated].sum()) >= LEAST_LEADS:
            return HORIZONS[number - 1]
    return None


def close_rate_lift(
    days: NDArray[np.int64],
    outcomes: NDArray[np.int64],
    leads: NDArray[np.int64],
    is_generated: NDArray[np.bool_],
    strata: NDArray[np.int64],
    horizon: int | None,
) -> Lift:
    """The share of marketing's leads won within the horizon against that of the others, each by Aalen-Johansen.

    Without a horizon the value is null. The entries are those of `incidence`; `strata` numbers the groups of similar
    leads. While some leads are young, a share gets the number of leads that would give the same variance (the effective
    sample size), and the intervals of two proportions use that number. Once every lead was observed up to the horizon,
    the intervals are those of x / n.
    """

    n, n_other = int(leads[is_generated].sum()), int(leads[~is_generated].sum())
    if horizon is None:
        return _without_value(
            n,
            n_other,
            f"too thin: {n} marketing-generated and {n_other} other leads, {LEAST_LEADS} of each are needed that were "
            f"created {HORIZONS[0]} or more days ago",
        )
    sides = [incidence(days[side], outcomes[side], leads[side], horizon) for side in (is_generated, ~is_generated)]
    share, share_other = sides[0][0], sides[1][0]
    events = int(leads[(outcomes == 1) & (days < horizon)].sum())
    is_young = bool(((outcomes == 0) & (days < horizon)).any())
    reason = _too_thin(n, n_other, events, share_other, horizon)
    if reason is not None:
        return _without_value(n, n_other, reason)
    (won, of), (won_other, of_other) = (_as_counts(*side, is_young=is_young) for side in sides)
    adjusted = pooled_ratio(_tables(days, outcomes, leads, is_generated, strata, horizon))
    turned = is_reversed(share / share_other, adjusted)
    notes = []
    if is_young:
        notes.append(f"young: not every lead has been watched for {horizon} days")
    if turned:
        notes.append("Simpson: the sign turns when like is compared with like, read adjusted_value")
    return Lift(
        ratio_interval(won, of, won_other, of_other),
        difference_interval(won, of, won_other, of_other),
        adjusted,
        share,
        share_other,
        n,
        n_other,
        turned,
        is_sufficient=True,
        reason="; ".join(notes) or None,
    )


def _too_thin(n: int, n_other: int, events: int, share_other: float, horizon: int) -> str | None:
    if min(n, n_other) < LEAST_LEADS:
        return f"too thin: {n} marketing-generated and {n_other} other leads, {LEAST_LEADS} of each are needed"
    if events < LEAST_CONVERSIONS:
        return f"too thin: {events} won within {horizon} days, {LEAST_CONVERSIONS} are needed"
    if share_other == 0:
        return f"0 of the {n_other} other leads were won within {horizon} days, and the ratio would divide by 0"
    return None


def _without_value(n: int, n_other: int, reason: str) -> Lift:
    nothing = Interval(None, None, None)
    return Lift(nothing, nothing, None, None, None, n, n_other, False, False, reason)


def _as_counts(share: float, variance: float, n: int, *, is_young: bool) -> tuple[float, float]:
    """(won, leads): counted if every lead was observed, otherwise with the effective number of leads."""
    if not is_young or variance <= 0:
        return (float(round(share * n)) if not is_young else share * n), float(n)
    certain = min(float(n), share * (1 - share) / variance)
    return share * certain, certain


def _tables(
    days: NDArray[np.int64],
    outcomes: NDArray[np.int64],
    leads: NDArray[np.int64],
    is_generated: NDArray[np.bool_],
    strata: NDArray[np.int64],
    horizon: int,
) -> list[tuple[float, float, float, float]]:
    """Won and total of each stratum, on both sides."""
    import numpy as np

    found = []
    for stratum in np.unique(strata):
        row: list[float] = []
        for side in (is_generated, ~is_generated):
            some = side & (strata == stratum)
            share, _, n = incidence(days[some], outcomes[some], leads[some], horizon)
            row += [share * n, float(n)]
        found.append((row[0], row[1], row[2], row[3]))
    return found


# M3 -----------------------------------------------------------------------------------------------------------------


def friction_parts(
    above: NDArray[np.float64], below: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The components of the index, each a sum divided by a sum, and the covariance of their logarithms.

    A row of `above` and `below` is a lead, a column a component; a lead without a value for a component has 0 in both.
    The covariance uses the delta method over leads. A component without a denominator is nan.
    """
    import numpy as np

    above_all, below_all = above.sum(axis=0), below.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = above_all / below_all
        pull = np.where(above_all > 0, above / above_all, 0.0) - np.where(below_all > 0, below / below_all, 0.0)
    pull[:, above_all <= 0] = 0.0
    return parts, pull.T @ pull


def friction_index(
    parts: NDArray[np.float64],
    baselines: NDArray[np.float64],
    weights: NDArray[np.float64],
    floors: NDArray[np.float64],
) -> float:
    """100 times the weighted geometric mean of each component divided by its baseline.

    The floor is applied to component and baseline alike: otherwise one component of 0 would make the whole index 0.
    Raises ValueError if the weights do not add up to 1.
    """
    import numpy as np

    if abs(float(weights.sum()) - 1) > 1e-9:
        raise ValueError(f"the weights of the friction index add up to {weights.sum():g} instead of 1")
    return 100 * float(np.exp(weights @ np.log(np.maximum(parts, floors) / np.maximum(baselines, floors))))


def friction_spread(
    parts: NDArray[np.float64],
    weights: NDArray[np.float64],
    floors: NDArray[np.float64],
    covariance: NDArray[np.float64],
) -> float:
    """The factor of the index's uncertainty: its interval is index / spread to index * spread.

    A component below its floor does not vary. The baseline is an agreed number and has no variance.
    """
    from statistics import NormalDist

    import numpy as np

    felt = np.where(parts > floors, weights, 0.0)
    return float(np.exp(NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * np.sqrt(felt @ covariance @ felt)))


def less_friction(index: float) -> float:
    """Per cent less friction than at the baseline; negative if there is more."""
    return 100 * (100 / index - 1)


def _float(value: Any) -> float | None:
    import math

    return None if value is None or not math.isfinite(value) else float(value)
