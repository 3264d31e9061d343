"""Removal effects in closed form: the golden values, the definition itself, and an independent package."""

import random
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import pytest

from funnel.build.computations.markov import CONVERSION, NULL, START, removal_effects

CHANNELS = ("Direct", "Email", "Events", "Outbound", "Paid Search", "Paid Social", "Referral")


def transitions(journeys: Iterable[tuple[tuple[str, ...], bool]]) -> list[tuple[str, str, int]]:
    """Every step of every journey, repetitions included."""
    counts: Counter[tuple[str, str]] = Counter()
    for channels, converts in journeys:
        places = (START, *channels, CONVERSION if converts else NULL)
        counts.update(pairwise(places))
    return [(source, target, count) for (source, target), count in sorted(counts.items())]


def some_journeys(number: int) -> list[tuple[tuple[str, ...], bool]]:
    chance = random.Random(7)
    weights = range(1, len(CHANNELS) + 1)
    return [
        (tuple(chance.choices(CHANNELS, weights, k=chance.randint(1, 9))), chance.random() < 0.2) for _ in range(number)
    ]


GOLDEN = [(("C1", "C2", "C3"), True), (("C1",), False), (("C2", "C3"), False)]


def test_three_journeys_of_which_one_converts() -> None:
    rate, effects = removal_effects(transitions(GOLDEN))
    assert rate == pytest.approx(1 / 3, abs=1e-12)
    assert effects == pytest.approx({"C1": 0.5, "C2": 1, "C3": 1}, abs=1e-12)
    credit = {channel: effect / sum(effects.values()) for channel, effect in effects.items()}
    assert credit == pytest.approx({"C1": 0.2, "C2": 0.4, "C3": 0.4}, abs=1e-12)


def test_staying_on_a_channel_changes_nothing() -> None:
    repeated = [(tuple(each for channel in channels for each in [channel] * 3), won) for channels, won in GOLDEN]
    assert removal_effects(transitions(repeated)) == removal_effects(transitions(GOLDEN))
    journeys = some_journeys(500)
    steps = transitions(journeys)
    assert any(source == target for source, target, _ in steps)
    without = [step for step in steps if step[0] != step[1]]
    assert removal_effects(steps)[1] == pytest.approx(removal_effects(without)[1], abs=1e-12)


def test_the_effect_is_what_removal_does() -> None:
    """By the definition: transitions to the channel are redirected to null, and the chain is solved again."""
    steps = transitions(some_journeys(500))
    rate, effects = removal_effects(steps)
    for channel in CHANNELS:
        removed: Counter[tuple[str, str]] = Counter()
        for source, target, count in steps:
            if source != channel:
                removed[source, NULL if target == channel else target] += count
        left, _ = removal_effects((source, target, count) for (source, target), count in removed.items())
        assert effects[channel] == pytest.approx(1 - left / rate, abs=1e-12)


def test_nothing_converts_without_a_conversion_nor_without_a_journey() -> None:
    assert removal_effects(transitions([(("Email",), False)])) == (0, {"Email": 0})
    assert removal_effects([]) == (0, {})


def test_removal_effects_equal_an_independent_package() -> None:
    import polars
    from mam.models.markov import MarkovModel

    journeys = some_journeys(10_000)
    model = MarkovModel()
    model._compute_markov(
        polars.DataFrame(
            {
                "channels": [list(channels) for channels, _ in journeys],
                "has_conversion": [converts for _, converts in journeys],
                "weight": 1,
            }
        )
    )
    theirs = model.removal_effect_df["removal_effect"].to_dict()
    _, ours = removal_effects(transitions(journeys))
    assert len(ours) == len(CHANNELS)
    assert ours == pytest.approx(theirs, abs=1e-9)
