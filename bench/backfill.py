"""How long Airflow takes to catch up: a year of all sources, then thirty of its days once more, one by one.

`make bench-backfill` starts an installation of its own (PostgreSQL, sandbox, Airflow) whose made-up company is a year
old. First every source is read by windowed runs, a month each, as after connecting a vendor; then the thirty days before
yesterday by Airflow's own daily backfills, as after a fault. Each is timed from the first request until all its runs
have succeeded and everything they loaded is published. The second may change no row that readers see, which is checked.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg

from funnel import ledger, settings
from funnel.sources import VENDORS
from installation import airflow_api, errors, ports, postgres, processes, services
from installation.demo import newest_day

MONTHS = 12
DAYS = 30
LIMIT_SECONDS = 1800
# The company's advertising begins 120 days before its anchor, its CRM 88.
DAYS_SINCE_ANCHOR = 280
PORTS = ("POSTGRES_PORT", "AIRFLOW_PORT", "SANDBOX_PORT", "SANDBOX_TLS_PORT")


def main() -> None:
    """Run both measurements and print their results."""
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    with installation(tell) as airflow:
        last = newest_day()
        year = timed(airflow, lambda: read_year(airflow, last), tell)
        tell(f"a year: {year}")
        seen = published()
        days = timed(airflow, lambda: read_days(airflow, last), tell)
        tell(f"{DAYS} days: {days}")
        if changed := sorted(mart for mart, rows in published().items() if rows != seen[mart]):
            raise SystemExit(f"Days read again have changed {', '.join(changed)}: a read is not repeatable.")
        [(rows,)] = ask("select sum(rows_loaded) from ops.loads")
    figures: dict[str, Any] = {"bench": "backfill", "sources": len(VENDORS), "rows": int(rows)}
    figures |= {f"year_{name}": value for name, value in year.items()}
    figures |= {f"days_{name}": value for name, value in days.items()}
    print(json.dumps(figures))


@contextmanager
def installation(tell: processes.Progress) -> Iterator[httpx.Client]:
    """A throw-away installation on free ports; yields a client of its Airflow."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "FUNNEL_", "REPORTING_", "WAREHOUSE_", "ALERT_")):
            del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="funnel-bench-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        os.environ |= {"FUNNEL_HOME": str(home), **{name: str(ports.free_port()) for name in PORTS}}
        anchor = newest_day() - timedelta(days=DAYS_SINCE_ANCHOR)
        (home / "sandbox.json").write_text(json.dumps({"anchor": anchor.isoformat()}))
        try:
            services.up(tell)
            with airflow_api.open_airflow() as airflow:
                airflow_api.await_dags(airflow, {*map(dag_id, VENDORS), "build_funnel"})
                airflow_api.unpause(airflow, "build_funnel")
                yield airflow
        finally:
            services.down(tell)
            postgres.remove(home)


def dag_id(source: str) -> str:
    """The DAG that reads a source."""
    return f"ingest__{source}"


def timed(airflow: httpx.Client, ask_for_runs: Callable[[], None], tell: processes.Progress) -> dict[str, Any]:
    """Seconds, runs and builds from the request until all runs have succeeded and everything they loaded
    is published.
    """
    known = {run.run_id for name in map(dag_id, VENDORS) for run in airflow_api.runs(airflow, name)}
    [(builds_before,)] = ask("select count(*) from ops.builds")
    began = told = time.monotonic()
    ask_for_runs()
    loaded = None
    while True:
        ingests, builds = (airflow_api.count_active(airflow, pattern) for pattern in ("ingest__%", "build_funnel"))
        if not ingests:
            loaded = loaded or time.monotonic()
            if not builds and not ledger.has_unpublished_loads():
                break
        if time.monotonic() - began > LIMIT_SECONDS:
            break
        if time.monotonic() - told > 30:
            told = time.monotonic()
            tell(f"{ingests} ingests and {builds} builds are queued or running")
        time.sleep(2)
    ended = time.monotonic()
    made = [run for name in map(dag_id, VENDORS) for run in airflow_api.runs(airflow, name) if run.run_id not in known]
    if failed := next((run for run in made if run.state != "success"), None):
        raise errors.RunFailed(airflow_api.explain_failure(airflow, failed))
    if ledger.has_unpublished_loads():
        raise SystemExit(f"Not everything was published after {LIMIT_SECONDS} s; see build_funnel.")
    [(builds_after,)] = ask("select count(*) from ops.builds")
    return {
        "seconds": round(ended - began),
        "load_seconds": round((loaded or ended) - began),
        "runs": len(made),
        "builds": builds_after - builds_before,
    }


def read_year(airflow: httpx.Client, last: date) -> None:
    """Trigger one run for every month of every source."""
    for source in VENDORS:
        until = last
        for number in range(MONTHS):
            first = month_before(until) + timedelta(days=1)
            # The newest month takes the place of the newest day's scheduled run.
            interval = None if number else (until, until + timedelta(days=1))
            conf = {"from": first.isoformat(), "to": until.isoformat()}
            airflow_api.trigger(airflow, dag_id(source), conf, f"month__{first}_{until}", interval)
            until = first - timedelta(days=1)
    for source in VENDORS:
        airflow_api.unpause(airflow, dag_id(source))


def month_before(day: date) -> date:
    """The same day a month earlier, or the last day of that month."""
    end = day.replace(day=1) - timedelta(days=1)
    return end.replace(day=min(day.day, end.day))


def read_days(airflow: httpx.Client, last: date) -> None:
    """Let Airflow backfill the days before the newest, for every source."""
    for source in VENDORS:
        airflow_api.backfill(airflow, dag_id(source), last - timedelta(days=DAYS), last - timedelta(days=1))


def published() -> dict[str, tuple[int, int]]:
    """The number of published rows of every mart, and a hash of them without the publication id."""
    marts = [name for (name,) in ask("select tablename from pg_tables where schemaname = 'bi' order by 1")]
    return {
        name: ask(
            f"select count(*), coalesce(sum(hashtext((to_jsonb(whole_row) - 'publication_id')::text)), 0) from bi.{name} as whole_row"
        )[0]
        for name in marts
    }


def ask(query: str) -> list[tuple[Any, ...]]:
    """Rows of a query, asked as the role of BI tools."""
    with psycopg.connect(settings.dsn("bi_reader")) as connection:
        return connection.execute(query.encode()).fetchall()


if __name__ == "__main__":
    main()
