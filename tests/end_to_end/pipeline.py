"""The whole path in one process: the functions of Airflow's tasks, in their order, on days the test chooses."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from funnel import settings
from funnel.build import dbt_run
from funnel.contract import Connection, Window
from funnel.gate import acceptance, deliveries, marts, report
from funnel.ingest import completeness, landing, load, plan
from funnel.ingest.load import LoadResult
from funnel.publication import publication
from funnel.sources import SOURCES, files
from sandbox import planning, process, retailing
from sandbox.process import Handle


@dataclass
class Pipeline:
    """Reads a sandbox as of simulated moments and publishes; `project_dir` may contain other seeds."""

    sandbox: Handle
    project_dir: Path | None = None
    loads: list[LoadResult] = field(default_factory=list)

    def connection(self, source: str) -> Connection:
        entry = self.sandbox.connections()[source]
        extra = entry.get("extra") or {}
        return Connection(
            source,
            entry["host"].rstrip("/"),
            entry.get("login"),
            entry.get("password"),
            json.loads(extra) if isinstance(extra, str) else extra,
        )

    def ingest(self, source_name: str, first: date, last: date, now: datetime) -> list[LoadResult]:
        """Extract, load and check one source for the days first to last, at the moment `now` of the company."""
        return self._ingest(source_name, self.connection(source_name), first, last, now)

    def take_in(self, manifest_source: str, inbox: Path, day: date, now: datetime) -> list[LoadResult]:
        """Load and check the files that one manifest of an inbox describes."""
        source, connection = SOURCES["files"], Connection(manifest_source, str(inbox), extra={})
        window = Window(day, day + timedelta(days=1), until_now=day + timedelta(days=1) >= now.date())
        run_id = f"manual__{day}_{now:%Y%m%dT%H%M%S}"
        described = files.entities(str(inbox))[manifest_source]
        streams = [stream for stream in source.streams if stream.name in described]
        results = acceptance.accept([landing.land(source, connection, each, window, run_id, now) for each in streams])
        self.loads += results
        return results

    def _ingest(
        self, source_name: str, connection: Connection, first: date, last: date, now: datetime
    ) -> list[LoadResult]:
        source = SOURCES[source_name]
        run_id = f"manual__{first}_{last}_{now:%Y%m%dT%H%M%S}"
        window = Window(first, last + timedelta(days=1), until_now=last + timedelta(days=1) >= now.date())
        landed = [
            landing.land(as_read, connection, stream, part, run_id, now).path
            for as_read, stream, part in plan.reads(source, connection, window, now)
        ]
        results = [load.load(landing.read_manifest(path)) for path in plan.in_order_of_load(landed)]
        report.require(deliveries.check_raw(source_name, run_id))
        completeness.complete(source, run_id)
        self.loads += results
        return results

    def day(self, last: date, *, reach_back: int | None = None, sources: Iterable[str] | None = None) -> None:
        """Run the sources as their schedules would on the morning after `last`: that day and the restatement window."""
        now = datetime(last.year, last.month, last.day, 3, tzinfo=UTC) + timedelta(days=1)
        self.sandbox.set_now(now.isoformat())
        for source in (SOURCES[name] for name in sources or self.sandbox.connections()):
            days = source.restatement_days if reach_back is None else reach_back
            self.ingest(source.name, last - timedelta(days=days), last, now)

    def build(self, *, full: bool = False) -> int:
        """Build and audit; raises GateClosed if the audit fails."""
        built = dbt_run.build(full=full, project_dir=self.project_dir)
        report.require(marts.check_marts(built.build_id))
        return built.build_id

    def publish(self, *, full: bool = False) -> publication.Publication:
        return publication.publish(self.build(full=full))


@contextmanager
def published_company(seed: int, anchor: date, days: int, inbox: Path) -> Iterator[tuple[Pipeline, int]]:
    """The company, read in one window per source at the midnight after the last day, with its plans and other files.

    Yields the pipeline, whose sandbox runs until the end, and the published build.
    """
    sandbox = process.start("company", seed, anchor)
    try:
        now = datetime(anchor.year, anchor.month, anchor.day, tzinfo=UTC)
        sandbox.set_now(now.isoformat())
        pipeline = Pipeline(sandbox)
        for source in sandbox.connections():
            pipeline.ingest(source, anchor - timedelta(days=days), anchor - timedelta(days=1), now)
        planning.write(inbox, anchor)
        retailing.write(inbox, anchor)
        for filed in (planning.SOURCE, retailing.SOURCE):
            pipeline.take_in(filed, inbox, anchor - timedelta(days=1), now)
        yield pipeline, pipeline.publish().build_id
    finally:
        sandbox.stop()


def rows(query: str, role: settings.Role = "bi_reader") -> list[dict[str, Any]]:
    """Rows of a query as dictionaries, run as the role of BI tools."""
    with psycopg.connect(settings.dsn(role), row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute(query.encode()).fetchall()
