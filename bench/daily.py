"""What one day costs as history grows: load, build, audit and publish with 3 years of history against 60 days.

`make bench-daily` makes two warehouses on a throw-away server, one with 60 days and one with 3 years of the same made-up
company (by default 2,000 campaigns and 500 leads a day), publishes each once, then brings the same few days to both
and prints what each part took. A day re-reads 30 days of ad statistics, of which 3 % changed; brings its new leads,
changes of older ones, opportunities won and lost. The first day warms caches and the dbt manifest up and is not counted:
start-up is left out. The history is written straight into `raw`; the days go through landing and loading. Between the
full build and the first day both are vacuumed, as the server does by itself in the hours that really lie between them.
"""

import argparse
import json
import statistics
from datetime import timedelta
from typing import Any

from bench import history, mornings
from bench.cluster import throw_away_warehouse
from bench.mornings import Size


def main() -> None:
    """Measure both warehouses and print the costs of a day."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", type=int, default=60, help="days of the short history")
    parser.add_argument("--long", type=int, default=1095, help="days of the long history")
    parser.add_argument("--campaigns", type=int, default=2_000)
    parser.add_argument("--leads", type=int, default=500, help="leads a day")
    parser.add_argument("--days", type=int, default=3, help="counted days, after one that warms up")
    chosen = parser.parse_args()
    histories = {"short": chosen.short, "long": chosen.long}
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in histories}
    with throw_away_warehouse():
        for name, days in histories.items():
            size = Size(days, chosen.campaigns, chosen.leads)
            seconds = history.prepare(name, size)
            full = seconds["build"] + seconds["audit"] + seconds["publish"]
            print(
                f"{days:5} days: history written in {seconds['history']:.0f} s, full build, audit and publication in {full:.0f} s",
                flush=True,
            )
        for offset in range(chosen.days + 1):
            day = mornings.LAST_DAY + timedelta(days=offset + 1)
            bodies = mornings.bodies_of(day, Size(chosen.long, chosen.campaigns, chosen.leads))
            for name in histories:
                history.use(name)
                seconds = history.run_day(day, bodies)
                parts = ", ".join(f"{part} {value:.1f}" for part, value in seconds.items())
                print(
                    f"{name:5} {day}: {sum(seconds.values()):.1f} s ({parts}){' warm-up' if not offset else ''}",
                    flush=True,
                )
                if offset:
                    measured[name].append(seconds)
    medians = {name: statistics.median(sum(one.values()) for one in runs) for name, runs in measured.items()}
    ratio = medians["long"] / medians["short"]
    print(
        f"a day with {chosen.long} days of history {medians['long']:.1f} s, with {chosen.short} {medians['short']:.1f} s"
    )
    figures: dict[str, Any] = {"bench": "daily", "ratio": round(ratio, 3)}
    figures |= {f"{name}_seconds": round(value, 2) for name, value in medians.items()}
    for part in measured["long"][0]:
        figures[f"{part}_ratio"] = round(
            statistics.median(one[part] for one in measured["long"])
            / statistics.median(one[part] for one in measured["short"]),
            2,
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
