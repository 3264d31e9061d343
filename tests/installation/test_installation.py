"""A whole installation next to everything else on this machine: real Airflow, real PostgreSQL, simulated vendors.

The tests share one installation, since it takes a while to start; each leaves it running.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from funnel import ledger, secret_store, settings, warehouse
from funnel.reporting import lineage
from funnel.sources import SOURCES
from installation import (
    airflow_api,
    airflow_setup,
    databases,
    environments,
    errors,
    ports,
    postgres,
    processes,
    services,
    supervision,
)
from installation.errors import RunFailed
from sandbox import process as sandbox
from tests.installation.running import ask, backfill, isolate, make, webhook
from tests.waiting import await_that

pytestmark = pytest.mark.timeout(420)

# The small company's days, as the ingest of google_ads is backfilled over them.
FIRST, LAST = date(2026, 1, 11), date(2026, 1, 13)


@dataclass
class Installation:
    home: Path
    vendors: sandbox.Handle
    airflow: httpx.Client
    alerts: list[dict[str, Any]] = field(default_factory=list)
    # The lineage events of Airflow and dbt.
    events: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("installation")
    alerts: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    with (
        pytest.MonkeyPatch.context() as patch,
        sandbox.running(scenario="worked_example") as vendors,
        webhook(alerts) as address,
        webhook(events) as receiver,
    ):
        isolate(patch, home)
        patch.setenv("ALERT_WEBHOOK", address)
        patch.setenv("OPENLINEAGE_URL", receiver.removesuffix("/alerts"))
        for name, fields in vendors.connections().items():
            patch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
        try:
            services.up(lambda text: None)
            with airflow_api.open_airflow() as airflow:
                dag_ids = {"build_funnel", *(f"ingest__{name}" for name in vendors.connections())}
                airflow_api.await_dags(airflow, dag_ids)
                yield Installation(home, vendors, airflow, alerts, events)
        finally:
            services.down(lambda text: None)
            postgres.remove(home)


def test_every_service_runs_and_up_again_changes_none(installation: Installation) -> None:
    before = {row.name: (row.state, row.pid) for row in services.status()}
    assert set(before) == {"postgresql", *airflow_setup.AIRFLOW_SERVICES}
    assert {state for state, _ in before.values()} == {"running"}
    began = time.monotonic()
    services.up(lambda text: None)
    assert time.monotonic() - began < 20
    assert {row.name: (row.state, row.pid) for row in services.status()} == before


def test_the_login_takes_the_generated_password_only(installation: Installation) -> None:
    for password, status in ((secret_store.secret("airflow_admin_password"), 201), ("admin", 401)):
        answer = httpx.post(
            f"{environments.airflow_url()}/auth/token", json={"username": airflow_setup.ADMIN, "password": password}
        )
        assert answer.status_code == status
        assert answer.headers["x-frame-options"] == "DENY"
        assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_guessing_the_password_is_slowed(installation: Installation) -> None:
    wrong = {"username": "guessed", "password": "wrong"}
    answers = [httpx.post(f"{environments.airflow_url()}/auth/token", json=wrong) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_make_dsn_prints_a_working_url_and_nothing_else(installation: Installation) -> None:
    for role, login in (("bi_reader", "bi_reader"), ("pipeline", "pipeline"), ("admin", "postgres")):
        done = make("dsn", f"ROLE={role}")
        assert done.returncode == 0, done.stderr
        [url] = done.stdout.splitlines()
        with psycopg.connect(url) as connection:
            assert connection.execute("select session_user, current_database()").fetchone() == (login, "warehouse")


def test_secrets_are_for_their_owner_only(installation: Installation) -> None:
    for name in ("", "secrets.json", "airflow/passwords.json", "postgres.json"):
        assert (installation.home / name).stat().st_mode & 0o077 == 0, name


def test_another_home_sees_nothing_of_it(installation: Installation, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FUNNEL_HOME", str(tmp_path / "other"))
        assert {row.state for row in services.status()} == {"stopped"}
        services.down(lambda text: None)
    assert {row.state for row in services.status()} == {"running"}


def test_a_port_in_use_is_refused_before_anything_starts(installation: Installation, tmp_path: Path) -> None:
    taken = settings.read().airflow_port
    other = tmp_path / "other"
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, other)
        patch.setenv("SANDBOX", "off")
        patch.setenv("AIRFLOW_PORT", str(taken))
        holder = processes.process("api-server")
        assert holder is None
        with pytest.raises(errors.ServiceError, match=f"Port {taken} .*api-server is taken by .*AIRFLOW_PORT"):
            services.up(lambda text: None)
        assert not postgres.is_running(other)


def test_backfilled_days_are_read_one_by_one_and_published_by_few_builds(installation: Installation) -> None:
    airflow = installation.airflow
    for dag_id in ("ingest__google_ads", "build_funnel"):
        airflow_api.unpause(airflow, dag_id)
    backfill("ingest__google_ads", FIRST, LAST)
    days = (LAST - FIRST).days + 1

    def runs() -> list[airflow_api.Run]:
        return [run for run in airflow_api.runs(airflow, "ingest__google_ads") if run.run_id.startswith("backfill")]

    await_that(lambda: len(runs()) == days and {run.state for run in runs()} <= {"success", "failed"})
    assert [run for run in runs() if run.state != "success"] == []
    windows = ask(
        "select window_from, window_to from ops.loads where run_id like 'backfill%%' and stream = 'campaign_stats' "
        "order by window_from"
    )
    assert windows == [(FIRST + timedelta(n), FIRST + timedelta(n + 1)) for n in range(days)]

    await_that(lambda: not ledger.has_unpublished_loads(), 180)
    [(builds,)] = ask("select count(*) from ops.builds where status = 'published'")
    assert 1 <= builds <= 3
    assert ask("select sum(spend_local), currency_code from bi.fct_ad_stats_daily group by 2") == [(50, "EUR")]


def test_lineage_leads_from_the_vendor_over_raw_to_the_published_mart(installation: Installation) -> None:
    namespace = f"postgres://127.0.0.1:{settings.read().postgres_port}"
    raw, staged = "warehouse.raw.google_ads__campaign_stats", "warehouse.staging.stg_google_ads__campaign_stats"
    mart, shown = "warehouse.marts.fct_ad_stats_daily", "warehouse.bi.fct_ad_stats_daily"

    def made_of() -> dict[tuple[str, str], set[tuple[str, str]]]:
        told: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for event in [event for event in installation.events if event["eventType"] == "COMPLETE"]:
            for output in event["outputs"]:
                inputs = {(each["namespace"], each["name"]) for each in event["inputs"]}
                told.setdefault((output["namespace"], output["name"]), set()).update(inputs)
        return told

    await_that(lambda: (namespace, shown) in made_of(), 30)
    told = made_of()
    assert ("google_ads://google_ads", "campaign_stats") in told[namespace, raw]
    assert (namespace, raw) in told[namespace, staged]
    above, seen = {(namespace, shown)}, set()
    while above - seen:
        seen |= above
        above = {each for name in seen for each in told.get(name, ())}
    assert {
        (namespace, mart),
        (namespace, staged),
        (namespace, raw),
        ("google_ads://google_ads", "campaign_stats"),
    } <= seen

    [columns, *_] = [
        {field["name"]: field["type"] for field in output["facets"]["schema"]["fields"]}
        for event in installation.events
        for output in event["outputs"]
        if output["name"] == raw
    ]
    declared = SOURCES["google_ads"].stream("campaign_stats").columns
    assert columns == dict(pair for column in declared for pair in column.raw_columns)
    [model, *_] = [
        event
        for event in installation.events
        if mart in [each["name"] for each in event["outputs"]] and event["inputs"]
    ]
    assert model["run"]["facets"]["parent"]["job"] == {"namespace": "funnel", "name": "build_funnel.build"}
    assert "spend_local" in {field["name"] for field in model["outputs"][0]["facets"]["schema"]["fields"]}


def test_the_scheduled_run_reads_its_day_and_what_google_restates(installation: Installation) -> None:
    [(first, after, run_id)] = ask(
        "select distinct window_from, window_to, run_id from ops.loads "
        "where run_id like 'scheduled%%' and source = 'google_ads'"
    )
    # A run is named after the midnight that ends its day; the name stays when the next midnight passes meanwhile.
    day = datetime.fromisoformat(run_id.removeprefix("scheduled__")).date() - timedelta(days=1)
    assert (first, after) == (day - timedelta(days=30), day + timedelta(days=1))
    assert datetime.now(UTC).date() - day <= timedelta(days=2)


def test_days_run_again_leave_the_same_rows(installation: Installation) -> None:
    key = ", ".join(SOURCES["google_ads"].stream("campaign_stats").key)
    query = f"select * from raw.google_ads__campaign_stats order by {key}"
    before = ask(query)
    assert before
    backfill("ingest__google_ads", FIRST, FIRST + timedelta(days=2), "--reprocess-behavior", "completed")
    await_that(
        lambda: (
            ask("select count(*) from ops.loads where run_id like 'backfill%%' and stream = 'campaign_stats'")
            == [((LAST - FIRST).days + 1 + 3,)]
        )
    )
    assert ask(query) == before


def test_one_windowed_run_loads_a_long_time(installation: Installation) -> None:
    done = make("ingest", "SOURCE=hubspot", "FROM=2026-01-01", "TO=2026-01-31")
    assert done.returncode == 0, done.stderr
    assert "ingest__hubspot check: success" in done.stdout
    assert ask(
        "select distinct window_from, window_to from ops.loads where run_id like 'manual%%' and source = 'hubspot'"
    ) == [(date(2026, 1, 1), date(2026, 2, 1))]


def test_lineage_contains_names_and_no_contents(installation: Installation) -> None:
    assert installation.events
    for event in installation.events:
        assert not set(lineage.CONTENTS) & {*event["run"]["facets"], *event["job"]["facets"]}, event["job"]["name"]
    text = json.dumps(installation.events)
    with warehouse.connect("admin") as connection:
        keys = [
            key
            for (key,) in connection.execute(
                "select distinct email_key from raw.hubspot__contacts where email_key is not null"
            )
        ]
    assert keys
    for secret in (
        *keys,
        *(value for name, value in secret_store.secrets().items() if not name.startswith("superset")),
    ):
        assert secret not in text
    assert "@" not in text.replace("@task", "")


def test_a_dead_token_fails_at_once_says_what_to_do_and_sends_one_alert(installation: Installation) -> None:
    installation.alerts.clear()
    installation.vendors.misbehave("meta_ads", "session_expired", times=None)
    try:
        airflow_api.trigger(
            installation.airflow, "ingest__meta_ads", {"from": "2026-01-05", "to": "2026-01-05"}, "dead"
        )
        # Its scheduled run would meet the same token: only this run is of interest.
        airflow_api.unpause(installation.airflow, "ingest__meta_ads")
        with pytest.raises(RunFailed, match=r"DeadToken.*new token"):
            airflow_api.follow(installation.airflow, "ingest__meta_ads", "dead", lambda text: None, 90)
    finally:
        installation.vendors.reset()
    [run] = [run for run in airflow_api.runs(installation.airflow, "ingest__meta_ads") if run.run_id == "dead"]
    tries = {task.task_id: (task.state, task.try_number) for task in airflow_api.tasks(installation.airflow, run)}
    assert tries["extract"] == ("failed", 1)
    mine = [alert for alert in installation.alerts if "run dead" in alert["text"]]
    assert [alert["title"] for alert in mine] == ["Extract failed: ingest__meta_ads"]
    assert "docs/connections.md" in mine[0]["text"]


def test_a_quota_of_hours_frees_its_slot_and_burns_no_try(installation: Installation) -> None:
    installation.vendors.misbehave("google_ads", "developer_token_quota", times=None)
    try:
        days = {"from": "2026-01-05", "to": "2026-01-05"}
        airflow_api.trigger(installation.airflow, "ingest__google_ads", days, "quota")

        def extract() -> airflow_api.Task:
            [run] = [
                run for run in airflow_api.runs(installation.airflow, "ingest__google_ads") if run.run_id == "quota"
            ]
            [task] = [task for task in airflow_api.tasks(installation.airflow, run) if task.task_id == "extract"]
            return task

        await_that(lambda: extract().state == "up_for_reschedule", 60)
        asked = len([each for each in installation.vendors.requests() if each["vendor"] == "google_ads"])
        time.sleep(8)
        assert extract().state == "up_for_reschedule"
        assert extract().try_number == 1
        assert len([each for each in installation.vendors.requests() if each["vendor"] == "google_ads"]) == asked
    finally:
        installation.vendors.reset()


SUPERVISED = ("postgresql", *airflow_setup.AIRFLOW_SERVICES)


def pids() -> dict[str, int]:
    """The processes that run now; one that is being started is missing."""
    found = {name: processes.process(name) for name in (supervision.WATCH, *SUPERVISED)}
    return {name: process.pid for name, process in found.items() if process}


def is_whole() -> bool:
    """True if everything runs and Airflow's parts are healthy."""
    try:
        health = httpx.get(f"{environments.airflow_url()}/api/v2/monitor/health", timeout=5).json()
        started = {name: processes.process(name).create_time() for name in SUPERVISED}  # type: ignore[union-attr]
        beats = {
            name: datetime.fromisoformat(health[name.replace("-", "_")][f"latest_{name.replace('-', '_')}_heartbeat"])
            for name in ("scheduler", "dag-processor", "triggerer")
        }
    except (httpx.HTTPError, ValueError, KeyError, AttributeError):
        return False
    return all(beat.timestamp() > started[name] for name, beat in beats.items())


def seconds_of(name: str) -> float:
    """How long a process has run."""
    found = processes.process(name)
    return time.time() - found.create_time() if found else 0.0


def test_every_killed_process_is_back_by_itself_and_reported(installation: Installation) -> None:
    [(loads,)] = ask("select count(*) from ops.loads")
    installation.alerts.clear()
    before = pids()
    assert set(before) == {*SUPERVISED, supervision.WATCH}
    # One that ends sooner counts as not started, and is reported after three tries.
    await_that(lambda: all(seconds_of(name) > supervision.START_SECONDS + 1 for name in SUPERVISED), 30)
    scheduler = processes.process("scheduler")
    assert scheduler
    workers = scheduler.children(recursive=True)
    assert workers
    began = time.monotonic()
    for name in before:
        # Without a database some end by themselves meanwhile.
        await_that(lambda name=name: name in pids(), 60)
        pid = pids()[name]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await_that(lambda name=name, pid=pid: pids().get(name, pid) != pid, 60)
    await_that(is_whole, 120)
    print(f"each process killed in turn: everything healthy after {time.monotonic() - began:.0f} s")
    assert [worker for worker in workers if worker.is_running() and worker.status() != "zombie"] == []
    assert ask("select count(*) from ops.loads") == [(loads,)]
    await_that(lambda: {"scheduler", "postgresql"} <= reported(installation), 30)
    # While the database recovers, some may fail to start three times, which is reported too.
    said = ("was started again", "were started again", "further tries follow")
    assert [alert["text"] for alert in installation.alerts if not any(text in alert["text"] for text in said)] == []


def reported(installation: Installation) -> set[str]:
    """The processes of all alerts `Process ended`."""
    titles = [alert["title"] for alert in installation.alerts]
    return {name for title in titles for name in title.removeprefix("Process ended: ").split(", ")}


@pytest.mark.soak
def test_a_killed_supervisor_is_back_by_itself_with_everything(installation: Installation) -> None:
    installation.alerts.clear()
    before = pids()
    began = time.monotonic()
    os.kill(supervision_pid(installation), signal.SIGKILL)
    await_that(lambda: supervision.is_running() and pids().get("watch") not in (None, before["watch"]), 30)
    await_that(is_whole, 120)
    print(f"supervisord killed: everything healthy after {time.monotonic() - began:.0f} s")
    assert not set(before.values()) & set(pids().values())
    assert "Supervisor ended" in {alert["title"] for alert in installation.alerts}


def test_after_a_reboot_everything_that_ran_is_started(installation: Installation) -> None:
    [(loads,)] = ask("select count(*) from ops.loads")
    # All at once, as when the power fails; then what systemd runs, in an environment of its own.
    watch = processes.process("watch")
    assert watch
    watch.suspend()
    for pid in [supervision_pid(installation), *pids().values()]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await_that(lambda: not postgres.is_running(installation.home) and not pids(), 30)
    began = time.monotonic()
    booted = subprocess.Popen(supervision.command(), cwd="/", env={"PATH": "/usr/bin:/bin"})
    try:
        await_that(is_whole, 120)
        print(f"after a reboot: everything healthy after {time.monotonic() - began:.0f} s")
        assert ask("select count(*) from ops.loads") == [(loads,)]
        assert booted.poll() is None
    finally:
        # The other tests go on with one that is not this test's child.
        services.down(lambda text: None)
        booted.wait(60)
        services.up(lambda text: None)


def supervision_pid(installation: Installation) -> int:
    return int((installation.home / "run" / "supervisord.pid").read_text())


def test_no_list_of_processes_shows_a_secret(installation: Installation) -> None:
    secrets = [value for value in secret_store.secrets().values() if value]
    shown = []
    for process in psutil.process_iter():
        try:
            shown.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    assert any("funnel.orchestration" in line for line in shown)
    assert [line for line in shown if any(secret in line for secret in secrets)] == []


def test_a_process_id_that_another_program_has_by_now_is_not_ours(installation: Installation) -> None:
    note = installation.home / "run" / "triggerer.json"
    kept = note.read_text()
    stranger = subprocess.Popen(["/bin/sleep", "600"])
    try:
        noted = json.loads(kept)
        begun = "started" if "started" in noted else "created"
        note.write_text(json.dumps(noted | {"pid": stranger.pid, begun: noted[begun] - 3600}))
        assert processes.process("triggerer") is None
    finally:
        note.write_text(kept)
        stranger.kill()
        stranger.wait()
    assert processes.process("triggerer")


def test_down_stops_everything_and_up_finds_the_data_again(installation: Installation) -> None:
    [(before,)] = ask("select count(*) from ops.loads")
    services.down(lambda text: None)
    assert {row.state for row in services.status()} == {"stopped"}
    chosen = settings.read()
    assert ports.is_port_free(chosen.airflow_port)
    assert ports.is_port_free(chosen.postgres_port)
    databases.start_database(lambda text: None)
    assert ask("select count(*) from ops.loads") == [(before,)]
