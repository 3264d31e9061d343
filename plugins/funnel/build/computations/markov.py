"""Removal effects of channels in a first-order Markov chain of journeys, in closed form.

The input is transitions between channels; touches, months and databases do not occur here. `dbt_project/` turns
journeys into transitions and removal effects into credit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

START, CONVERSION, NULL = "(start)", "(conversion)", "(null)"


def removal_effects_by_type(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """From rows of int_channel_transitions, ordered by conversion type, to one row per conversion type and channel."""
    for conversion_type, transitions in groupby(rows, key=itemgetter("conversion_type")):
        rate, effects = removal_effects(
            (row["from_channel"], row["to_channel"], int(row["transitions"])) for row in transitions
        )
        for channel, effect in effects.items():
            yield {
                "conversion_type": conversion_type,
                "channel": channel,
                "conversion_rate": rate,
                "removal_effect": effect,
            }


def removal_effects(transitions: Iterable[tuple[str, str, int]]) -> tuple[float, dict[str, float]]:
    """The chain's probability of a conversion, and the share of it that is lost when each channel is removed.

    Removing a channel redirects the transitions into it to null. This loses the journeys that reach the channel and
    convert after it. With N the inverse of I less Q, a journey reaches channel c with probability (sN)_c / N_cc, and
    converts from there with (NR)_c. Without a conversion every effect is 0.
    """
    import numpy as np

    counts = [(source, target, count) for source, target, count in transitions if source != target and count > 0]
    channels = sorted({name for source, target, _ in counts for name in (source, target)} - {START, CONVERSION, NULL})
    place = {channel: number for number, channel in enumerate(channels)}
    between = np.zeros((len(channels), len(channels)))
    started = np.zeros(len(channels))
    converted = np.zeros(len(channels))
    leaving = np.zeros(len(channels))
    starts = 0
    for source, target, count in counts:
        if source == START:
            starts += count
            if target in place:
                started[place[target]] += count
            continue
        leaving[place[source]] += count
        if target == CONVERSION:
            converted[place[source]] += count
        elif target != NULL:
            between[place[source], place[target]] += count
    if not channels or starts == 0:
        return 0.0, dict.fromkeys(channels, 0.0)
    visits = np.linalg.inv(np.eye(len(channels)) - between / leaving[:, None])
    chance = visits @ (converted / leaving)
    begun = started / starts
    rate = float(begun @ chance)
    if rate <= 0:
        return 0.0, dict.fromkeys(channels, 0.0)
    reached = (begun @ visits) / np.diag(visits)
    return rate, {channel: float(reached[place[channel]] * chance[place[channel]] / rate) for channel in channels}
