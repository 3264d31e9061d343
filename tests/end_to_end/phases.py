"""One phase of one day as a process of its own, to be killed: python -m tests.end_to_end.phases PHASE DAY NOW

It prints a line once all slow imports are done and the phase's work begins.
"""

import sys
from datetime import UTC, date, datetime, timedelta

from funnel import settings, warehouse
from funnel.build import dbt_run
from funnel.contract import Window
from funnel.gate import deliveries, marts, report
from funnel.ingest import completeness, landing, load
from funnel.publication import publication
from funnel.sources import SOURCES

REACH_BACK = 30
# All sources of the sandbox; files come from a folder.
VENDORS = tuple(source for source in SOURCES.values() if source.name != "files")


def windows(day: date) -> Window:
    return Window(day - timedelta(days=REACH_BACK), day + timedelta(days=1), until_now=True)


def run_id(day: date) -> str:
    return f"scheduled__{day}"


def extract(day: date, now: datetime) -> None:
    for source in VENDORS:
        for connection in settings.connections(source.name):
            for stream in source.streams:
                landing.land(source, connection, stream, windows(day), run_id(day), now)


def load_and_check(day: date, now: datetime) -> None:
    for source in VENDORS:
        for connection_id in settings.connection_ids(source.name):
            for stream in source.streams:
                load.load(landing.newest_read(source.name, connection_id, stream.name, windows(day), run_id(day)))
        report.require(deliveries.check_raw(source.name, run_id(day)))
        completeness.complete(source, run_id(day))


def build(day: date, now: datetime) -> None:
    dbt_run.build()


def audit_and_publish(day: date, now: datetime) -> None:
    with warehouse.connect("builder") as connection:
        row = connection.execute("select max(build_id) from ops.builds").fetchone()
    build_id = row[0] if row else 0
    report.require(marts.check_marts(build_id))
    publication.publish(build_id)


PHASES = {"extract": extract, "load": load_and_check, "build": build, "publish": audit_and_publish}


if __name__ == "__main__":
    phase, day, now = sys.argv[1:]
    print(f"{phase} begins", flush=True)
    PHASES[phase](date.fromisoformat(day), datetime.fromisoformat(now).astimezone(UTC))
