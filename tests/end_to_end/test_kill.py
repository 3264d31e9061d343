"""SIGKILL at random moments of extract, load, build and publish: after a second run, the result is as without it."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import settings
from sandbox import process
from sandbox.process import Handle
from tests.conftest import fresh_warehouse
from tests.end_to_end.phases import PHASES
from tests.end_to_end.pipeline import rows

REPOSITORY = Path(__file__).parents[2]
FIRST_DAY = date(2026, 1, 5)
KILLS_PER_PHASE = int(os.environ.get("KILLS_PER_PHASE", "13"))


@contextmanager
def started(phase: str, day: date, sandbox: Handle) -> Iterator[subprocess.Popen[str]]:
    now = datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(days=1)
    sandbox.set_now(now.isoformat())
    connections = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(entry) for name, entry in sandbox.connections().items()}
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.phases", phase, str(day), now.isoformat()],
        cwd=REPOSITORY,
        env=os.environ
        | connections
        | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'plugins'}", "GX_ANALYTICS_ENABLED": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield worker
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()


def complete(phase: str, day: date, sandbox: Handle) -> float:
    """Run a phase to its end; returns the seconds of its work."""
    with started(phase, day, sandbox) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        began = time.monotonic()
        _, errors = worker.communicate(timeout=240)
        assert worker.returncode == 0, errors[-3000:]
        return time.monotonic() - began


def kill(phase: str, day: date, sandbox: Handle, after: float) -> bool:
    """Kill a phase `after` seconds of work; returns false if it had ended before."""
    with started(phase, day, sandbox) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(after)
        if worker.poll() is not None:
            return False
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        return True


def picture() -> dict[str, list[str]]:
    """Every row of raw, marts, bi and the ledger, without columns of an attempt: ids, moments of loading, paths."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(settings.dsn("admin")) as admin:
        tables = admin.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('raw', 'marts', 'bi') order by 1, 2"
        ).fetchall()
        for schema, table in tables:
            found[f"{schema}.{table}"] = [
                line
                for (line,) in admin.execute(
                    f"select (to_jsonb(t) - '_load_id' - '_fetched_at' - 'publication_id')::text as line "
                    f"from {schema}.{table} as t order by 1".encode()
                )
            ]
        found["ops.loads"] = [
            str(line)
            for line in admin.execute(
                """
                select source, connection_id, stream, window_from, window_to, rows_read, rows_loaded, rows_quarantined,
                    rows_retracted, rows_superseded, rows_duplicated, run_id, fetched_at
                from ops.loads order by 1, 2, 3, 4, 5, 12
                """
            )
        ]
        found["ops.publications"] = [
            str(line)
            for line in admin.execute("select as_of, marts, reverted_at from ops.publications order by publication_id")
        ]
        found["ops.sources"] = [
            str(line)
            for line in admin.execute("select source, first_day, last_day_complete from ops.sources order by 1")
        ]
    return found


class Reader(threading.Thread):
    """Checks without pause, in one query, that the tables of bi are consistent."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.dsn = settings.dsn("bi_reader")
        self.stopped = threading.Event()
        self.looks = 0
        self.mixtures: list[Any] = []

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                self._look()
            except psycopg.errors.UndefinedTable:
                time.sleep(0.05)

    def _look(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            while not self.stopped.is_set():
                found = connection.execute(
                    """
                    select
                        (select sum(spend) from bi.fct_ad_stats_daily) as stats,
                        (select sum(spend) from bi.fct_funnel_daily) as funnel,
                        (select count(*) from bi.fct_leads) as leads,
                        (select sum(leads) from bi.fct_funnel_daily) as funnel_leads,
                        (select max(publication_id) from ops.publications) as newest,
                        (select max(publication_id) from bi.fct_funnel_daily) as shown
                    """
                ).fetchone()
                self.looks += 1
                if found and (found[0] != found[1] or found[2] != found[3] or found[5] > found[4]):
                    self.mixtures.append(found)
                time.sleep(0.01)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_fifty_kills_leave_no_trace(cluster_home: Path, tmp_path: Path) -> None:
    chance = random.Random(20260105)
    days = [FIRST_DAY + timedelta(days=2 * n) for n in range(KILLS_PER_PHASE)]
    sandbox = process.start("worked_example", 7, FIRST_DAY)
    typical: dict[str, float] = {}
    try:
        with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, _folder(tmp_path, "calm")):
            for day in days:
                for phase in PHASES:
                    seconds = complete(phase, day, sandbox)
                    typical[phase] = min(typical.get(phase, seconds), seconds)
            undisturbed = picture()
        killed = dict.fromkeys(PHASES, 0)
        with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, _folder(tmp_path, "killed")):
            reader = Reader()
            reader.start()
            for day in days:
                for phase in PHASES:
                    after = chance.uniform(0, typical[phase])
                    while not kill(phase, day, sandbox, after):
                        after *= 0.7
                    killed[phase] += 1
                    complete(phase, day, sandbox)
            reader.stopped.set()
            reader.join(30)
            survived = picture()
            status = rows("select distinct last_audit_passed from bi.data_status")
    finally:
        sandbox.stop()
    print(f"killed: {killed}; the reader looked {reader.looks} times, mixtures: {len(reader.mixtures)}")
    assert min(killed.values()) == KILLS_PER_PHASE
    assert reader.looks > 50 * KILLS_PER_PHASE
    assert reader.mixtures == []
    assert status == [{"last_audit_passed": True}]
    assert survived.keys() == undisturbed.keys()
    for table, content in undisturbed.items():
        assert survived[table] == content, table


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
