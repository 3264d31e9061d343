"""Tasks over Redis by separate workers: the processes of profile `celery`, with real Redis, Airflow and PostgreSQL."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from funnel import ledger, settings, warehouse
from funnel.contract import Window
from funnel.ingest import landing, load
from funnel.sources import SOURCES
from installation import airflow_api, airflow_setup, databases, processes, services, supervision
from installation.ports import free_port
from sandbox import process as sandbox
from tests.servers import system
from tests.servers.system import System
from tests.waiting import await_that

FIRST, LAST = date(2026, 1, 3), date(2026, 1, 10)
DAYS = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
BACKFILLED = ("google_ads", "meta_ads", "linkedin_ads", "hubspot", "salesforce", "shopify")


@pytest.fixture
def idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    with system.running(tmp_path, monkeypatch) as started:
        yield started


def test_a_worker_that_does_not_reach_redis_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert not services.is_healthy("worker")


@pytest.mark.soak
@system.needs_redis
def test_a_worker_is_healthy_as_long_as_it_reaches_redis(idle: System) -> None:
    url = os.environ["REDIS_URL"]
    asked = ["redis-cli", "-u", url.replace(url.split("@")[0], "redis://"), "ping"]
    await_that(lambda: idle.redis.poll() is None and _answers(asked), 10, "Redis answers")
    assert "NOAUTH" in subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    databases.start_database(lambda text: None)
    assert not services.is_healthy("worker")
    worker = idle.start("serve", "worker")
    await_that(lambda: worker.poll() is None and services.is_healthy("worker"), 60, "the worker is healthy")
    system.end(worker)
    assert not services.is_healthy("worker")


@pytest.mark.soak
@pytest.mark.timeout(900)
@system.needs_redis
def test_every_service_works_with_the_secrets_of_its_container(idle: System) -> None:
    home = Path(os.environ["FUNNEL_HOME"])
    prepared = idle.start_container("init")
    assert prepared.wait(300) == 0, (idle.home / "containers.log").read_text()[-3000:]
    assert not (home / "secrets.json").exists()
    for name in ("api-server", "celery-scheduler", "dag-processor", "triggerer", "worker"):
        idle.start_container(name)
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker"):
        await_that(lambda name=name: services.is_healthy(name), 180, f"{name} is healthy")
    # One task with a vendor's connection, the warehouse, and landed files.
    with sandbox.running(scenario="worked_example") as vendors, airflow_api.open_airflow() as airflow:
        fields = vendors.connections()["google_ads"]
        body = {"connection_id": "google_ads", "conn_type": "http", "host": fields["host"]}
        body |= {key: fields[key] for key in ("login", "password") if fields.get(key)}
        airflow.post("/connections", json=body | {"extra": json.dumps(fields.get("extra") or {})}).raise_for_status()
        airflow_api.await_dags(airflow, {"ingest__google_ads"})
        airflow_api.unpause(airflow, "ingest__google_ads")
        conf = {"from": FIRST.isoformat(), "to": LAST.isoformat()}
        run = airflow_api.trigger(airflow, "ingest__google_ads", conf)
        airflow_api.follow(airflow, "ingest__google_ads", run, print, 300)
    [(loaded,)] = _ask("select count(*) from raw.google_ads__campaign_stats")
    assert loaded
    assert not list(home.rglob("passwords.json"))
    assert not (home / "secrets.json").exists()


def _answers(command: list[str]) -> bool:
    return "refused" not in subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.soak
@pytest.mark.timeout(1200)
@system.needs_redis
def test_a_backfill_is_complete_and_correct_though_one_of_two_workers_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        # Detected sooner than on servers, where a minute is short.
        system.running(tmp_path, monkeypatch, LOST_TASK_SECONDS="15"),
        sandbox.running(scenario="worked_example") as vendors,
    ):
        # So short that most tasks are delivered a second time while they run.
        monkeypatch.setenv("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT", "5")
        for name, fields in vendors.connections().items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
        try:
            services.up(print)
            assert airflow_setup.airflow_environment()["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
            assert {row.name for row in services.status() if row.state == "running"} >= {"worker-1", "worker-2"}
            with airflow_api.open_airflow() as airflow:
                airflow_api.await_dags(airflow, {"build_funnel", *(f"ingest__{name}" for name in BACKFILLED)})
                began = time.monotonic()
                for name in BACKFILLED:
                    airflow_api.unpause(airflow, f"ingest__{name}")
                    airflow_api.backfill(airflow, f"ingest__{name}", FIRST, LAST)
                # Midway: some days are loaded, others are being read by the worker that is killed.
                await_that(lambda: _loaded_days() >= 5, 180, "five days are loaded")
                killed = _kill_at_work("worker-1")
                # Its machine is gone with it.
                supervision.stop("worker-1")
                assert killed >= 2
                killed_after = time.monotonic() - began
                await_that(lambda: _are_over(airflow), 600, "all runs of the backfill are over")
                seconds = time.monotonic() - began
                runs = {name: _backfilled(airflow, name) for name in BACKFILLED}
                tries = [
                    task.try_number
                    for each in runs.values()
                    for run in each
                    for task in airflow_api.tasks(airflow, run)
                ]
            assert processes.process("worker-1") is None
            assert {run.state for each in runs.values() for run in each} == {"success"}
            assert {name: len(each) for name, each in runs.items()} == dict.fromkeys(BACKFILLED, len(DAYS))
            # The tasks of the killed worker were retried, once.
            assert any(number > 1 for number in tries)
            assert max(tries) == 2
            again = sum(number > 1 for number in tries)
            logs = "".join(path.read_text() for path in Path(os.environ["FUNNEL_HOME"], "logs").glob("worker-*.log"))
            refused = logs.count("Task already running elsewhere")
            assert refused
            print(
                f"{len(DAYS) * len(BACKFILLED)} runs in {seconds:.0f} s, killed after {killed_after:.0f} s with "
                f"{killed} processes; {again} of {len(tries)} tasks tried again, {refused} delivered twice"
            )
            windows = "source, connection_id, stream, window_from, window_to"
            loads = _ask(f"select distinct {windows} from ops.loads order by {windows}")
            for name in BACKFILLED:
                days = {first for source, _, _, first, last in loads if source == name and last - first == timedelta(1)}
                assert set(DAYS) <= days, name
            orchestrator_rows = _rows()
        finally:
            services.down(lambda text: None)
        # The same windows, read and loaded once more by this process alone, into a warehouse of its own.
        monkeypatch.setenv("WAREHOUSE_DSN", os.environ["WAREHOUSE_DSN"].replace("/warehouse", "/reference"))
        monkeypatch.setenv("FUNNEL_HOME", str(tmp_path / "reference"))
        databases.start_database(lambda text: None)
        ledger.migrate()
        load.create_tables()
        for source, connection_id, stream, first, last in loads:
            read = landing.land(
                SOURCES[source],
                settings.connection(connection_id),
                SOURCES[source].stream(stream),
                Window(first, last),
                "once",
            )
            load.load(read)
        rows = _rows()
        assert sum(map(len, rows.values())) >= 20
        assert orchestrator_rows == rows


def _kill_at_work(name: str) -> int:
    """Kill a worker and all its processes with SIGKILL while it runs tasks; returns the number of tasks."""
    worker = processes.process(name)
    assert worker

    def is_at_work() -> bool:
        return any(pool.children() for pool in worker.children())

    await_that(is_at_work, 60, f"{name} runs a task")
    family = [worker, *worker.children(recursive=True)]
    for member in family:
        member.kill()
    psutil.wait_procs(family, timeout=10)
    return len(family)


def _loaded_days() -> int:
    [(count,)] = _ask("select count(distinct (source, window_from)) from ops.loads where run_id like 'backfill%'")
    return int(count)


def _backfilled(airflow: httpx.Client, name: str) -> list[airflow_api.Run]:
    return [run for run in airflow_api.runs(airflow, f"ingest__{name}") if run.run_id.startswith("backfill")]


def _are_over(airflow: httpx.Client) -> bool:
    runs = [run for name in BACKFILLED for run in _backfilled(airflow, name)]
    return len(runs) == len(DAYS) * len(BACKFILLED) and {run.state for run in runs} <= {"success", "failed"}


def _ask(query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect("admin") as connection:
        return connection.execute(query.encode()).fetchall()


def _rows() -> dict[str, list[str]]:
    """All rows of raw by table, without the columns that depend on the time or the load."""
    tables = [name for (name,) in _ask("select tablename from pg_tables where schemaname = 'raw' order by 1")]
    technical = "array(select column_name::text from information_schema.columns where column_name like E'\\\\_%')"
    query = f"select distinct (to_jsonb(t) - {technical})::text from raw.{{}} as t order by 1"
    rows = {name: [text for (text,) in _ask(query.format(name))] for name in tables}
    # A build creates the tables of streams that were never loaded.
    return {name: found for name, found in rows.items() if found}
