"""The statistics of the scorecard against independent packages and the golden values of the definitions."""

import numpy as np
import pytest

from funnel.build.computations import catalogue, scorecard

RATIO = (84, 300, 60, 350)


def width(interval: scorecard.Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def test_the_golden_lift_has_its_intervals() -> None:
    logarithm = scorecard.ratio_interval(*RATIO)
    assert (logarithm.value, logarithm.low, logarithm.high) == pytest.approx((1.6333, 1.2182, 2.1899), abs=5e-5)
    difference = scorecard.difference_interval(*RATIO)
    assert (difference.value, difference.low, difference.high) == pytest.approx((0.1086, 0.0443, 0.1729), abs=5e-5)


def test_small_counts_get_the_score_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorecard, "SMALL_COUNT", 1000)
    score = scorecard.ratio_interval(*RATIO)
    assert (score.low, score.high) == pytest.approx((1.2201, 2.1904), abs=5e-5)
    monkeypatch.undo()
    from statsmodels.stats.proportion import confint_proportions_2indep

    few = scorecard.ratio_interval(4, 60, 12, 90)
    known = confint_proportions_2indep(4, 60, 12, 90, compare="ratio", method="score")
    assert (few.low, few.high) == pytest.approx(known, abs=1e-9)


def test_a_mature_cohort_is_x_of_n_and_has_the_golden_values() -> None:
    days = np.array([30, 400, 20, 30, 400])
    outcomes = np.array([1, 0, 2, 1, 0])
    leads = np.array([84, 200, 16, 60, 290])
    generated = np.array([True, True, True, False, False])
    lift = scorecard.close_rate_lift(days, outcomes, leads, generated, np.zeros(5, dtype=np.int64), 180)
    assert (lift.rate, lift.other_rate) == pytest.approx((84 / 300, 60 / 350), abs=1e-12)
    assert (lift.ratio.value, lift.ratio.low, lift.ratio.high) == pytest.approx((1.6333, 1.2182, 2.1899), abs=5e-5)
    assert lift.difference.value == pytest.approx(0.1086, abs=5e-5)
    assert (lift.is_sufficient, lift.reason, lift.n, lift.n_other) == (True, None, 300, 350)
    assert lift.adjusted_ratio == pytest.approx(lift.ratio.value)


def test_the_horizon_is_the_longest_that_both_sides_were_watched_for() -> None:
    watched = np.array([4, 2, 1, 3, 1, 0])
    generated = np.array([True, True, True, False, False, False])
    for leads, expected in (
        ((30, 0, 0, 30, 0, 500), 90),
        ((30, 0, 0, 29, 1, 500), 30),
        ((29, 1, 500, 300, 0, 0), 60),
        ((29, 1, 500, 29, 0, 500), None),
        ((0, 0, 29, 300, 0, 0), None),
    ):
        assert scorecard.longest_horizon(watched, np.array(leads), generated) == expected
    [close_rates] = [each for each in catalogue.COMPUTATIONS if each.name == "close_rates"]
    assert f"array{list(scorecard.HORIZONS)}" in close_rates.inputs


def test_leads_that_are_too_young_give_no_lift() -> None:
    days, outcomes, generated = np.array([10, 20, 10, 20]), np.array([1, 0, 1, 0]), np.array([True, True, False, False])
    lift = scorecard.close_rate_lift(days, outcomes, np.full(4, 40), generated, np.zeros(4, dtype=np.int64), None)
    assert (lift.is_sufficient, lift.rate, lift.n, lift.n_other) == (False, None, 80, 80)
    assert "created 30 or more days ago" in (lift.reason or "")


def test_incidence_equals_lifelines() -> None:
    """On days without ties, since lifelines moves ties apart at random."""
    from lifelines import AalenJohansenFitter

    chance = np.random.default_rng(11)
    for size in (1, 2, 40, 170):
        days = chance.permutation(400)[:size] + 1
        outcomes = chance.integers(0, 3, size)
        outcomes[0] = 1
        fitted = AalenJohansenFitter(calculate_variance=True).fit(days, outcomes, event_of_interest=1)
        ours, variance, n = scorecard.incidence(days, outcomes, np.ones(size, dtype=np.int64), 180)
        known = fitted.cumulative_density_.loc[:179.5].iloc[-1, 0]
        assert ours == pytest.approx(known, abs=1e-12)
        # lifelines returns the variance at each time t; ours is that of the last event before the horizon.
        if size > 2:
            assert variance == pytest.approx(fitted.variance_.loc[:179.5].iloc[-1], abs=1e-9)
        assert n == size


def test_the_order_of_ties_does_not_matter() -> None:
    """Ten days with many leads each, single or combined, in any order."""
    chance = np.random.default_rng(3)
    days, outcomes = chance.integers(0, 10, 300), chance.integers(0, 3, 300)
    one_by_one = scorecard.incidence(days, outcomes, np.ones(300, dtype=np.int64), 8)
    order = chance.permutation(300)
    assert scorecard.incidence(days[order], outcomes[order], np.ones(300, dtype=np.int64), 8) == one_by_one
    kinds, counts = np.unique(np.stack([days, outcomes]), axis=1, return_counts=True)
    assert scorecard.incidence(kinds[0], kinds[1], counts, 8) == pytest.approx(one_by_one, abs=1e-12)


def test_an_open_lead_is_not_a_lead_that_was_not_won() -> None:
    """Of two leads one is won on day 10 and one was observed for five days: it says nothing about day 10."""
    share, _, n = scorecard.incidence(np.array([10, 5]), np.array([1, 0]), np.array([1, 1]), 180)
    assert (share, n) == (1.0, 2)


def test_the_adjusted_ratio_is_mantel_haenszel() -> None:
    from statsmodels.stats.contingency_tables import StratifiedTable

    strata = [(20, 100, 10, 80), (5, 40, 9, 60), (0, 7, 3, 0), (30, 90, 40, 200)]
    tables = [[[a, n - a], [b, m - b]] for a, n, b, m in strata if n and m]
    assert scorecard.pooled_ratio(strata) == pytest.approx(StratifiedTable(tables).riskratio_pooled, abs=1e-12)


def test_a_reversal_is_flagged() -> None:
    """Marketing wins less in each segment but more overall, because it has the easy segment."""
    days = np.full(8, 500)
    outcomes = np.array([1, 0, 1, 0, 1, 0, 1, 0])
    days[outcomes == 1] = 10
    leads = np.array([300, 300, 10, 90, 60, 40, 90, 510])
    generated = np.array([True, True, True, True, False, False, False, False])
    strata = np.array([1, 1, 2, 2, 1, 1, 2, 2])
    lift = scorecard.close_rate_lift(days, outcomes, leads, generated, strata, 180)
    assert lift.ratio.value is not None
    assert lift.adjusted_ratio is not None
    assert lift.ratio.value > 1 > lift.adjusted_ratio
    assert lift.is_reversed
    assert "Simpson" in (lift.reason or "")


@pytest.mark.parametrize(
    ("leads", "why"),
    [((3, 20, 5, 20), "too thin: 23 marketing-generated and 25 other leads"), ((1, 60, 1, 60), "2 won within"),
     ((9, 60, 0, 60), "0 of the 60 other leads")],
)  # fmt: skip
def test_thin_leads_give_no_lift(leads: tuple[int, ...], why: str) -> None:
    days, outcomes = np.array([10, 300, 10, 300]), np.array([1, 0, 1, 0])
    generated = np.array([True, True, False, False])
    lift = scorecard.close_rate_lift(days, outcomes, np.array(leads), generated, np.zeros(4, dtype=np.int64), 180)
    assert (lift.is_sufficient, lift.ratio, lift.adjusted_ratio) == (False, scorecard.Interval(None, None, None), None)
    assert why in (lift.reason or "")


def test_a_share_resamples_whole_accounts() -> None:
    """Ten deals of one account are one observation: the interval is as wide as for few deals."""
    chance = np.random.default_rng(5)
    accounts = np.repeat(np.arange(40), 10)
    generated = np.repeat(chance.random(40) < 0.5, 10)
    amounts = np.ones(400)
    clustered = scorecard.clustered_share(accounts, amounts, amounts * generated)
    alone = scorecard.clustered_share(np.arange(400), amounts, amounts * generated)
    assert clustered.value == alone.value == generated.mean()
    assert width(clustered) > 2.5 * width(alone)
    # A percentile bootstrap of 400 equal deals is close to the binomial's own interval.
    assert alone.low == pytest.approx(generated.mean() - 1.96 * 0.5 / 20, abs=0.01)


def test_a_share_is_the_same_whatever_its_accounts_are_called() -> None:
    accounts = np.array([5, 5, 9, 9, 9, 100])
    amounts = np.array([1.0, 2, 3, 4, 5, 6])
    generated = amounts * np.array([1, 0, 1, 1, 0, 0])
    one = scorecard.clustered_share(accounts, amounts, generated)
    assert one == scorecard.clustered_share(np.array([0, 0, 1, 1, 1, 2]), amounts, generated)
    assert one.value == pytest.approx(8 / 21)


def test_a_share_of_many_is_drawn_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(9)
    accounts, amounts = np.arange(500), chance.random(500)
    whole = scorecard.clustered_share(accounts, amounts, amounts * (chance.random(500) < 0.3))
    monkeypatch.setattr(scorecard, "SLICE", 1_000)
    chance = np.random.default_rng(9)
    chance.random(500)
    sliced = scorecard.clustered_share(accounts, amounts, amounts * (chance.random(500) < 0.3))
    assert (sliced.value, sliced.low, sliced.high) == (whole.value, whole.low, whole.high)


def test_the_index_is_a_hundred_at_the_baseline_and_floors_nothing() -> None:
    parts, baselines = np.array([0.2, 0.0, 0.4]), np.array([0.2, 0.0, 0.4])
    weights, floors = np.array([0.5, 0.25, 0.25]), np.full(3, 0.01)
    assert scorecard.friction_index(parts, baselines, weights, floors) == pytest.approx(100)
    halved = scorecard.friction_index(np.array([0.1, 0.0, 0.4]), baselines, weights, floors)
    assert halved == pytest.approx(100 * 0.5**0.5)
    assert scorecard.less_friction(halved) == pytest.approx(100 * (2**0.5 - 1))
    # 108 % less friction is only possible as baseline / current - 1.
    assert scorecard.less_friction(100 / 2.08) == pytest.approx(108)
    with pytest.raises(ValueError, match=r"add up to 0\.9"):
        scorecard.friction_index(parts, baselines, weights - np.array([0.1, 0, 0]), floors)


def test_the_interval_of_the_index_is_that_of_a_bootstrap() -> None:
    chance = np.random.default_rng(2)
    below = np.ones((800, 2))
    below[:, 1] = chance.integers(1, 9, 800)
    above = np.stack([chance.random(800) < 0.3, below[:, 1] * chance.random(800)], axis=1).astype(float)
    baselines, weights, floors = np.array([0.25, 0.4]), np.array([0.6, 0.4]), np.full(2, 0.001)
    parts, covariance = scorecard.friction_parts(above, below)
    index = scorecard.friction_index(parts, baselines, weights, floors)
    spread = scorecard.friction_spread(parts, weights, floors, covariance)
    drawn = []
    for _ in range(1_500):
        rows = chance.integers(0, 800, 800)
        some, _ = scorecard.friction_parts(above[rows], below[rows])
        drawn.append(scorecard.friction_index(some, baselines, weights, floors))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (index / spread, index * spread) == pytest.approx((low, high), rel=0.02)


def test_a_component_under_its_floor_cannot_vary() -> None:
    covariance = np.diag([0.04, 0.09])
    certain = scorecard.friction_spread(np.array([0.005, 0.0]), np.full(2, 0.5), np.full(2, 0.01), covariance)
    assert certain == 1
