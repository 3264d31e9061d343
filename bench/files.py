"""How fast a file becomes rows: one million rows of CSV to `raw`, against server-side COPY of the same file.

`make bench-files` runs it on a throw-away server. Timed end to end: detecting the file's format, reading and checking
every cell, landing the rows, copying them and the transaction that upserts them. Generating the file and PostgreSQL's
start are not timed. Two references are measured in the same run. One is `COPY … FROM` of the same CSV file into a bare
table with the file's nine columns, without index or key, committed and logged. The other copies the file into a table
with the file's own primary key, which a second load of the same rows needs. Ours does more than either: it lands the
rows durably, and its table also has the row key, the columns of the load and an index on the day.
"""

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from bench.cluster import throw_away_warehouse
from funnel import settings
from funnel.contract import Connection, Window
from funnel.ingest import landing, load
from funnel.sources import files

WINDOW = Window(date(2026, 1, 1), date(2026, 1, 2))
HEADER = "date_day,platform,ad_account_id,campaign_id,campaign_name,impressions,clicks,spend,platform_conversions"
KEY = ", primary key (date_day, platform, ad_account_id, campaign_id)"
MANIFEST = """
source: bench
currency: USD
streams:
  - entity: ad_stats
    path: ad_stats.csv
    key: [date_day, platform, ad_account_id, campaign_id]
"""


def write_file(path: Path, rows: int) -> None:
    """Ad statistics of some thousand campaigns, as a platform exports them; nothing is stated about their format."""
    chance = random.Random(7)
    campaigns = [
        (chance.choice(["google", "bing", "retail_media"]), f"{chance.randrange(10**9)}", str(10**10 + number))
        for number in range(2_000)
    ]
    first = date(2024, 1, 1)
    with path.open("w") as file:
        file.write(HEADER + "\n")
        for number in range(rows):
            day, place = divmod(number, len(campaigns))
            platform, account, campaign = campaigns[place]
            shown = chance.randrange(10**5)
            file.write(
                f'{first + timedelta(days=day)},{platform},{account},{campaign},"Campaign, {place}",'
                f"{shown},{shown // 37},{chance.randrange(10**6) / 100:.2f},{chance.randrange(500)}\n"
            )


def run(folder: Path, number: int) -> dict[str, float]:
    """Load the file; returns seconds in total and of the two halves."""
    stream = files.SOURCE.stream("ad_stats")
    started = time.perf_counter()
    landed = landing.land(
        files.SOURCE, Connection("bench", str(folder)), stream, WINDOW, f"bench {number}", datetime.now(UTC)
    )
    landed_at = time.perf_counter()
    result = load.load(landed)
    ended = time.perf_counter()
    if result.rows_quarantined or not result.rows_loaded:
        raise SystemExit(f"{result.rows_quarantined} rows were quarantined; the benchmark's file is wrong.")
    return {"total": ended - started, "read and land": landed_at - started, "load": ended - landed_at}


def server_copy(path: Path, key: str = "") -> float:
    """Seconds of server-side COPY of the file into an empty table, its commit included; `key` is a constraint of it."""
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        folder = admin.execute("show data_directory").fetchone()
        own = Path(folder[0] if folder else "/tmp") / "bench.csv"
        _let_server_read(path, own)
        admin.execute(
            "create table public.reference (date_day date, platform text, ad_account_id text, campaign_id text, "
            "campaign_name text, impressions bigint, clicks bigint, spend numeric, platform_conversions numeric"
            f"{key})".encode()
        )
        admin.execute("checkpoint")
        started = time.perf_counter()
        admin.execute(f"copy public.reference from '{own}' with (format csv, header)".encode())
        seconds = time.perf_counter() - started
        admin.execute("drop table public.reference")
    own.unlink()
    return seconds


def _let_server_read(path: Path, own: Path) -> None:
    """A copy in the server's own folder, which the server may read as any user."""
    import shutil

    shutil.copy(path, own)
    own.chmod(0o644)


def main() -> None:
    """Measure the runs and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, throw_away_warehouse():
        folder = Path(name)
        (folder / "bench.yml").write_text(MANIFEST)
        write_file(folder / "ad_stats.csv", chosen.rows)
        size = (folder / "ad_stats.csv").stat().st_size
        measured, references, with_key = [], [], []
        for number in range(chosen.repeats):
            with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
                admin.execute("drop table if exists raw.files__ad_stats")
                admin.execute("truncate ops.loads, ops.files, ops.noted_values cascade")
                admin.execute("checkpoint")
            references.append(server_copy(folder / "ad_stats.csv"))
            with_key.append(server_copy(folder / "ad_stats.csv", KEY))
            with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
                admin.execute("checkpoint")
            measured.append(run(folder, number))
    report(chosen.rows, size, measured, references, with_key)


def report(
    rows: int, size: int, measured: list[dict[str, float]], references: list[float], with_key: list[float]
) -> None:
    """Print medians and figures."""
    seconds = statistics.median(references)
    ratios = [reference / one["total"] for reference, one in zip(references, measured, strict=True)]
    ratio_with_key = statistics.median(
        reference / one["total"] for reference, one in zip(with_key, measured, strict=True)
    )
    median = sorted(measured, key=lambda one: one["total"])[len(measured) // 2]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    rate: Callable[[float], str] = lambda taken: f"{rows / taken:,.0f} rows/s"  # noqa: E731
    print(f"{rows:,} rows, {size / 1e6:.0f} MB: server-side COPY {seconds:.2f} s, {rate(seconds)}")
    print(f"server-side COPY into a table with the file's primary key {statistics.median(with_key):.2f} s")
    parts = ", ".join(f"{part} {median[part]:.2f} s" for part in median if part != "total")
    print(f"from file to committed rows {median['total']:.2f} s, {rate(median['total'])} ({parts})")
    ratio = statistics.median(ratios)
    print(
        f"{ratio:.2f} of COPY's rate ({min(ratios):.2f} to {max(ratios):.2f}), {ratio_with_key:.2f} of COPY's rate with "
        f"the key; peak memory of the loading process: {peak:.0f} MB"
    )
    figures = {
        "bench": "files",
        "rows": rows,
        "ratio": round(ratio, 3),
        "ratio_with_key": round(ratio_with_key, 3),
        "copy_seconds": round(seconds, 3),
        "seconds": round(median["total"], 3),
        "peak_mb": round(peak),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
