"""How fast a read becomes rows: 500,000 ad records from JSON pages to `raw`, against server-side COPY of the same rows.

`make bench-load` runs it on a throw-away server. Timed end to end: landing the pages as compressed files, decoding,
copying, and the transaction that replaces the window. PostgreSQL copies while the next lines are made, so what is left
beside decoding is mostly its work after the copy. Making the pages up is not timed, nor is PostgreSQL's start. The
reference is `COPY raw.… FROM` a server-side text file of the same typed rows into an empty table without index.
"""

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg

from bench.cluster import throw_away_warehouse
from funnel import settings
from funnel.contract import Connection, Source, Stream, Window, raw_table
from funnel.ingest import json_rows, landing, load
from funnel.sources import SOURCES

PAGE = 10_000
FIRST_DAY = date(2026, 1, 1)
CASES = {"first load": 0.0, "3 % changed": 0.03, "all changed": 1.0}


def google_record(day: date, campaign: int, clicks: int, cost: int, conversions: float) -> dict[str, Any]:
    """One row of a response of Google Ads."""
    customer = "1234567890"
    return {
        "customer": {"resourceName": f"customers/{customer}", "id": customer, "currencyCode": "EUR"},
        "campaign": {"resourceName": f"customers/{customer}/campaigns/{campaign}", "id": str(campaign)},
        "metrics": {
            "impressions": str(clicks * 37),
            "clicks": str(clicks),
            "costMicros": str(cost * 10_000),
            "conversions": round(conversions, 2),
            "conversionsValue": round(conversions * 90, 2),
        },
        "segments": {"date": str(day)},
    }


def meta_record(day: date, campaign: int, clicks: int, cost: int, conversions: float) -> dict[str, Any]:
    """One row of a response of Meta: counts and money as text, conversions as lists of actions."""
    return {
        "account_id": "1234567890",
        "account_currency": "EUR",
        "campaign_id": str(campaign),
        "impressions": str(clicks * 37),
        "clicks": str(clicks),
        "spend": f"{cost / 100:.2f}",
        "actions": [
            {"action_type": "link_click", "value": str(clicks)},
            {"action_type": "lead", "value": str(int(conversions)), "7d_click": str(int(conversions))},
        ],
        "action_values": [{"action_type": "lead", "value": f"{conversions * 90:.2f}"}],
        "date_start": str(day),
        "date_stop": str(day),
    }


def write_pages(
    folder: Path, record: Callable[..., dict[str, Any]], envelope: str, records: int, campaigns: int, changed: float
) -> list[Path]:
    """Pages on disk, so that generating them costs neither time nor memory of the run; a share `changed` of rows costs
    more.
    """
    base, change = random.Random(1), random.Random(2)
    folder.mkdir(parents=True)
    pages: list[Path] = []
    for start in range(0, records, PAGE):
        rows_of_page = []
        for number in range(start, min(start + PAGE, records)):
            day, campaign = divmod(number, campaigns)
            cost = base.randrange(10**5) + (change.random() < changed)
            rows_of_page.append(
                record(
                    FIRST_DAY + timedelta(days=day),
                    20_000_000_000 + campaign,
                    base.randrange(500),
                    cost,
                    base.random() * 9,
                )
            )
        path = folder / f"{len(pages):05d}.json"
        path.write_bytes(orjson.dumps({envelope: rows_of_page}))
        pages.append(path)
    return pages


VENDORS = {"google_ads": ("campaign_stats", google_record), "meta_ads": ("insights", meta_record)}


def run(source: Source, stream: Stream, pages: list[Path], window: Window, fetched_at: datetime) -> dict[str, float]:
    """Land and load the pages; returns seconds in total and of the parts."""

    def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
        for page in pages:
            yield page.read_bytes()

    started = time.perf_counter()
    connection = Connection(source.name, "http://vendor.invalid")
    landed = landing.land(replace(source, fetch=fetch), connection, stream, window, "bench", fetched_at)
    landed_at = time.perf_counter()
    decoding = _time_inside(json_rows, "lines")
    with decoding as seconds:
        result = load.load(landed)
    ended = time.perf_counter()
    if result.rows_read != result.rows_loaded:
        raise SystemExit(f"{result.rows_quarantined} rows were quarantined; the benchmark's pages are wrong.")
    return {
        "total": ended - started,
        "land": landed_at - started,
        "decode": seconds[0],
        "copy_and_replace": ended - landed_at - seconds[0],
    }


@contextmanager
def _time_inside(module: object, name: str) -> Iterator[list[float]]:
    """Seconds spent inside a generator function of a module, measured around each value."""
    original = getattr(module, name)
    spent = [0.0]

    def timed(*arguments: object, **named: object) -> Iterator[str]:
        values = original(*arguments, **named)
        while True:
            asked = time.perf_counter()
            value = next(values, None)
            spent[0] += time.perf_counter() - asked
            if value is None:
                return
            yield value

    setattr(module, name, timed)
    try:
        yield spent
    finally:
        setattr(module, name, original)


def server_copy(table: str) -> float:
    """Seconds of server-side COPY of a raw table's rows into an empty table without index, its commit included."""
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        folder = admin.execute("show data_directory").fetchone()
        path = f"{folder[0] if folder else '/tmp'}/bench.copy"
        admin.execute(f"copy raw.{table} to '{path}'".encode())
        admin.execute(f"create table public.reference as select * from raw.{table} with no data".encode())
        admin.execute("checkpoint")
        started = time.perf_counter()
        admin.execute(f"copy public.reference from '{path}'".encode())
        seconds = time.perf_counter() - started
        admin.execute("drop table public.reference")
    return seconds


def main() -> None:
    """Measure the runs of each platform and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=500_000, help="ad records, half of each platform")
    parser.add_argument("--campaigns", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    records = chosen.records // len(VENDORS)
    window = Window(FIRST_DAY, FIRST_DAY + timedelta(days=-(-records // chosen.campaigns)))
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    measured: dict[tuple[str, str], list[dict[str, float]]] = {}
    references: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, throw_away_warehouse():
        for vendor, (stream_name, record) in VENDORS.items():
            source = SOURCES[vendor]
            stream = source.stream(stream_name)
            pages = {
                case: write_pages(
                    Path(folder) / vendor / case, record, source.envelope or "", records, chosen.campaigns, changed
                )
                for case, changed in CASES.items()
            }
            for repeat in range(chosen.repeats):
                with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
                    admin.execute(f"drop table if exists raw.{raw_table(source, stream)}".encode())
                    admin.execute("truncate ops.loads, ops.loaded_days cascade")
                for step, case in enumerate(CASES):
                    fetched_at = moment + timedelta(hours=3 * repeat + step)
                    measured.setdefault((vendor, case), []).append(run(source, stream, pages[case], window, fetched_at))
                    references.setdefault(vendor, []).append(server_copy(raw_table(source, stream)))
    report(chosen.records, measured, references)


def report(
    records: int, measured: dict[tuple[str, str], list[dict[str, float]]], references: dict[str, list[float]]
) -> None:
    """Print medians per platform and case, then the figures of all records together."""
    reference = {vendor: statistics.median(seconds) for vendor, seconds in references.items()}
    total = dict.fromkeys(CASES, 0.0)
    for vendor, seconds in reference.items():
        print(f"{vendor}: server-side COPY of {records // len(VENDORS):,} rows {seconds:.2f} s")
        for case in CASES:
            median = sorted(measured[vendor, case], key=lambda one: one["total"])[len(measured[vendor, case]) // 2]
            total[case] += median["total"]
            parts = ", ".join(f"{part} {median[part] / median['total']:.0%}" for part in median if part != "total")
            print(f"  {case:12} {median['total']:.2f} s = {seconds / median['total']:.2f} of COPY's rate ({parts})")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    ratios = {case: sum(reference.values()) / seconds for case, seconds in total.items()}
    print(f"all {records:,} records: " + ", ".join(f"{case} {ratio:.2f}" for case, ratio in ratios.items()))
    print(f"peak memory of the loading process: {peak:.0f} MB")
    figures = {
        "bench": "load",
        "records": records,
        "ratio": round(ratios["3 % changed"], 3),
        "ratio_first_load": round(ratios["first load"], 3),
        "ratio_all_changed": round(ratios["all changed"], 3),
        "copy_seconds": round(sum(reference.values()), 3),
        "peak_mb": round(peak),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
