"""The DAGs as Airflow reads them: which exist, when they run, and rules for all of them."""

import ast
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from funnel import settings, sources
from funnel.sources import SOURCES

DAGS = settings.REPOSITORY / "dags"
INGESTS = [f"ingest__{name}" for name in SOURCES]
VENDORS = [f"ingest__{name}" for name in sources.VENDORS]


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS))
    assert not bag.import_errors
    return dict(bag.dags)


def test_there_is_one_ingest_for_each_source_and_one_build(dags: dict[str, Any]) -> None:
    assert set(dags) == {*INGESTS, "build_funnel", "rollback", "resume", "approve", "retention"}


def test_every_dag_has_an_owner_tags_and_a_runbook(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag.default_args["owner"], dag.dag_id
        assert dag.tags, dag.dag_id
        assert f"### {dag.dag_id}" in dag.doc_md, "the runbook names its DAG"
        assert "**When it fails.**" in dag.doc_md, dag.dag_id
        assert "{" not in dag.doc_md.replace('{"from"', ""), "a placeholder was left unfilled"


def test_every_task_has_retries_a_timeout_a_retry_policy_and_an_alert(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag.dagrun_timeout, dag.dag_id
        for task in dag.tasks:
            assert task.retries >= 1, task
            assert task.execution_timeout, task
            assert task.execution_timeout < dag.dagrun_timeout
            assert type(task.retry_policy).__name__ == "FailureRetryPolicy", task
            assert [call.__name__ for call in task.on_failure_callback] == ["alert"], task
            assert [call.__name__ for call in task.on_retry_callback] == ["say_why_it_is_retried"], task


def test_every_task_has_a_headline_that_the_runbook_explains(dags: dict[str, Any]) -> None:
    from funnel.orchestration import failures

    runbook = (settings.REPOSITORY / "docs" / "runbook.md").read_text().splitlines()
    for dag in dags.values():
        for task in dag.tasks:
            assert task.task_id.rpartition(".")[2] in failures.HEADLINES, task
    for headline in failures.HEADLINES.values():
        assert any(line.startswith("## ") and line.removeprefix("## ") == headline for line in runbook), headline


def test_ingests_run_daily_on_data_intervals_that_are_days(dags: dict[str, Any]) -> None:
    for dag_id in INGESTS:
        dag = dags[dag_id]
        assert type(dag.timetable).__name__ == "CronDataIntervalTimetable"
        assert dag.timetable.expression == "0 0 * * *"
        assert str(dag.timetable.timezone) == "UTC"
        assert not dag.catchup


def test_an_ingest_extracts_loads_and_checks_in_this_order(dags: dict[str, Any]) -> None:
    """If a connection has accounts, the last task names the refused ones."""
    for dag_id in VENDORS:
        order = [task.task_id for task in dags[dag_id].topological_sort()]
        has_accounts = any(stream.account for stream in SOURCES[dag_id.removeprefix("ingest__")].streams)
        assert order == ["extract", "load", "check", *["report_refused_accounts"] * has_accounts]
        assert dags[dag_id].get_task("check").upstream_task_ids == {"load"}


def test_the_inbox_is_listed_first_and_refusals_are_reported_last(dags: dict[str, Any]) -> None:
    dag = dags["ingest__files"]
    order = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert order == {
        "list_inbox": set(),
        "take_in.extract": {"list_inbox"},
        "take_in.accept": {"list_inbox", "take_in.extract"},
        "announce": {"take_in.accept"},
        "report_refused_files": {"take_in.accept"},
    }
    assert dag.get_task("report_refused_files").trigger_rule == "all_done", "refusals are told whatever was accepted"
    assert dag.get_task("announce").trigger_rule == "all_done_min_one_success", "one source is enough for a build"


def test_many_sources_of_an_inbox_start_few_processes(dags: dict[str, Any]) -> None:
    tasks = [dags["ingest__files"].get_task(f"take_in.{name}") for name in ("extract", "accept")]
    assert sum(task.max_active_tis_per_dagrun for task in tasks) <= max(2, os.cpu_count() or 1)


def test_only_what_was_checked_emits_the_sources_asset(dags: dict[str, Any]) -> None:
    for name, source in SOURCES.items():
        emitted = {
            task.task_id: [outlet.name for outlet in task.outlets]
            for task in dags[f"ingest__{name}"].tasks
            if task.outlets
        }
        assert emitted == {"announce" if source.is_inbox else "check": [f"raw/{name}"]}


def test_any_source_alone_triggers_the_build_which_is_alone(dags: dict[str, Any]) -> None:
    dag = dags["build_funnel"]
    condition = dag.timetable.asset_condition
    assert type(condition).__name__ == "AssetAny"
    assert {asset.name for asset in condition.objects} == {f"raw/{name}" for name in SOURCES}
    assert dag.max_active_runs == 1
    assert [task.task_id for task in dag.topological_sort()] == ["wait_for_ingests", "build", "audit", "publish"]


def test_the_build_waits_for_every_ingest_in_the_triggerer(dags: dict[str, Any]) -> None:
    wait = dags["build_funnel"].get_task("wait_for_ingests")
    assert wait.start_from_trigger
    assert wait.start_trigger_args.trigger_kwargs["dag_ids"] == INGESTS
    assert wait.start_trigger_args.trigger_kwargs["deadline_seconds"] == settings.read().build_deadline_minutes * 60


def test_several_connections_of_a_source_are_accepted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("FUNNEL_CONNECTIONS", json.dumps({"google_ads": ["google_ads", "google_ads__emea"]}))
    bag = DagBag(str(DAGS))
    assert not bag.import_errors
    dag = bag.dags["ingest__google_ads"]
    accepts = {"google_ads.accept", "google_ads__emea.accept"}
    assert {task.task_id for task in dag.tasks} == {
        *("google_ads.extract", "google_ads__emea.extract", *accepts),
        *("announce", "report_held_back", "report_refused_accounts"),
    }
    assert dag.get_task("announce").upstream_task_ids == accepts
    assert dag.get_task("report_held_back").upstream_task_ids == accepts
    assert [task.task_id for task in dag.tasks if task.outlets] == ["announce"]
    assert dag.get_task("google_ads__emea.extract").op_args == ("google_ads", "google_ads__emea")


def test_dag_files_hold_wiring_only() -> None:
    allowed = {"datetime", "airflow", "funnel"}
    for path in DAGS.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed, path
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.lower().lstrip().startswith(("select ", "insert ", "delete ", "http")), path
            assert not (isinstance(node, ast.Attribute) and node.attr == "environ"), path


def test_reading_the_dags_imports_nothing_slow() -> None:
    code = (
        "import sys; from airflow.dag_processing.dagbag import DagBag; before = set(sys.modules);"
        f"bag = DagBag({str(DAGS)!r}); assert bag.dags and not bag.import_errors;"
        "slow = {'great_expectations', 'dbt', 'pandas'} & (set(sys.modules) - before); print(sorted(slow))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def _environment() -> dict[str, str]:
    paths = [str(settings.REPOSITORY / "plugins"), str(settings.REPOSITORY)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def test_a_run_with_days_of_its_own_reads_exactly_these() -> None:
    assert days_of({"from": "2026-01-05", "to": "2026-01-07"}, "manual") == ("2026-01-05", "2026-01-08")


def test_a_backfilled_day_is_read_alone() -> None:
    for run_type in ("backfill", "manual"):
        assert days_of({}, run_type) == ("2026-01-10", "2026-01-11")


def test_a_scheduled_run_reads_what_the_vendor_still_restates() -> None:
    assert days_of({}, "scheduled", complete="2026-01-09") == ("2025-12-11", "2026-01-11")


def test_a_scheduled_run_reads_the_days_that_were_missed() -> None:
    assert days_of({}, "scheduled", complete="2025-11-01") == ("2025-11-02", "2026-01-11")


def test_a_first_scheduled_run_reads_no_further_back_than_the_restatement() -> None:
    assert days_of({}, "scheduled", complete=None) == ("2025-12-11", "2026-01-11")


def test_days_in_the_parameters_of_a_backfill_are_refused() -> None:
    """Its own range counts; each of its runs would read these days again."""
    with pytest.raises(settings.ConfigurationError, match="its own date range"):
        days_of({"from": "2026-01-05", "to": "2026-01-07"}, "backfill")


def test_the_form_says_which_dates_of_a_backfill_count(dags: dict[str, Any]) -> None:
    for dag_id in INGESTS:
        for name in ("from", "to"):
            description = dags[dag_id].params.get_param(name).description
            assert "Single run: " in description
            assert "Backfill: leave" in description


@pytest.mark.parametrize("params", [{"from": "2026-01-05"}, {"to": "2026-01-05"}])
def test_half_a_window_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(settings.ConfigurationError, match="both days"):
        days_of(params, "manual")


def test_only_a_read_that_ends_with_the_newest_day_runs_up_to_now(monkeypatch: pytest.MonkeyPatch) -> None:
    today = date(2028, 2, 29)
    monkeypatch.setenv("FUNNEL_TODAY", today.isoformat())
    for last_day, runs_on in ((today - timedelta(days=2), False), (today - timedelta(days=1), True), (today, True)):
        window = window_of({"from": str(today - timedelta(days=5)), "to": str(last_day)}, "manual")
        assert window.until_now is runs_on, last_day


def test_a_scheduled_run_reads_further_back_when_older_days_were_seen_to_change() -> None:
    assert days_of({}, "scheduled", complete="2026-01-09", restated=37) == ("2025-12-04", "2026-01-11")


def days_of(params: dict[str, str], run_type: str, complete: str | None = None, restated: int = 30) -> tuple[str, str]:
    window = window_of(params, run_type, complete, restated)
    return str(window.from_day), str(window.to_day)


def window_of(params: dict[str, str], run_type: str, complete: str | None = None, restated: int = 30) -> Any:
    from types import SimpleNamespace

    from funnel.ingest import completeness
    from funnel.orchestration import windows

    context: Any = {
        "params": {"from": None, "to": None, **params},
        "dag_run": SimpleNamespace(run_type=run_type),
        "data_interval_start": datetime.fromisoformat("2026-01-10T00:00:00+00:00"),
    }
    with pytest.MonkeyPatch.context() as patch:
        known = datetime.fromisoformat(complete).date() if complete else None
        patch.setattr(completeness, "last_day_complete", lambda source, connection: known)
        patch.setattr(completeness, "days_to_read_again", lambda source, connection: restated)
        return windows.window_of(context, SOURCES["google_ads"], "google_ads")


def test_failures_that_only_a_person_can_mend_are_not_retried() -> None:
    from funnel.build.errors import BuildFailed
    from funnel.gate.errors import GateClosed
    from funnel.ingest.errors import LandingError
    from funnel.rest.errors import DeadToken, Refused

    for error in (
        LandingError("000001.json.zst is altered"),
        DeadToken("revoked"),
        Refused("no permission"),
        settings.ConfigurationError("no connection"),
        GateClosed("3 rows"),
        BuildFailed("model x"),
    ):
        assert decide(error) == ("fail", None), error


def test_a_damaged_read_is_not_used_again_and_the_vendor_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dataclasses import replace
    from types import SimpleNamespace

    from funnel.contract import Connection, Window
    from funnel.ingest import landing
    from funnel.orchestration.tasks import _land

    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    source = replace(SOURCES["google_ads"], fetch=lambda *_: iter([b'{"results": []}']))
    context: Any = {"run_id": "r1", "dag_run": SimpleNamespace(start_date=datetime(2026, 1, 1, tzinfo=UTC))}

    def land() -> str:
        window = Window(date(2026, 1, 1), date(2026, 1, 2))
        return _land(source, Connection("google_ads", ""), source.stream("campaigns"), window, context)

    first = land()
    assert land() == first
    body = landing.root() / first / "000001.json.zst"
    body.write_bytes(body.read_bytes()[:-1])
    second = land()
    assert second != first
    assert land() == second


def test_a_throttle_is_retried_when_the_vendor_says() -> None:
    from funnel.rest.errors import Unavailable

    assert decide(Unavailable("503", wait_seconds=90.0)) == ("retry", timedelta(seconds=90))


def test_anything_unknown_is_retried_as_the_dag_says() -> None:
    assert decide(OSError("disk")) == ("default", None)


def decide(error: Exception) -> tuple[str, timedelta | None]:
    from funnel.orchestration import failures

    decision = failures.FailureRetryPolicy().evaluate(error, 1, 4)
    return decision.action.value, decision.retry_delay


def test_the_alert_names_dag_task_and_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from funnel.orchestration import failures
    from funnel.reporting import alerts

    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(alerts, "send", lambda title, text: sent.append((title, text)))
    ti = SimpleNamespace(dag_id="ingest__hubspot", task_id="hubspot__emea.load", run_id="r1", log_url="http://x/log")
    context: Any = {"task_instance": ti, "exception": ValueError("row 7 is bad")}
    failures.alert(context)
    assert sent[0][0] == "Load failed: ingest__hubspot"
    for part in ("hubspot__emea.load", "r1", "row 7 is bad", "http://x/log"):
        assert part in sent[0][1]


def test_the_wait_ends_when_no_ingest_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wait_through(monkeypatch, [["a"], ["a", "b"], ["b"], []], deadline=60.0)
    assert asked == 4


def test_the_wait_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wait_through(monkeypatch, [["a"]] * 1000, deadline=0.2)
    assert 2 <= asked < 100


def wait_through(monkeypatch: pytest.MonkeyPatch, active: list[list[str]], deadline: float) -> int:
    """The number of checks until the trigger fired, if these DAGs were active at each check."""
    import asyncio

    from funnel.orchestration import waiting

    looks = iter(active)
    count = 0
    now: list[str] = []

    def is_active(dag_id: str) -> bool:
        nonlocal count, now
        if dag_id == "a":
            count += 1
            now = next(looks)
        return dag_id in now

    monkeypatch.setattr(waiting.IngestsOver, "PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(waiting.IngestsOver, "_is_active", staticmethod(is_active))
    trigger = waiting.IngestsOver(["a", "b"], deadline)
    rebuilt = waiting.IngestsOver(**trigger.serialize()[1])

    async def collect() -> list[Any]:
        return [event async for event in rebuilt.run()]

    events = asyncio.run(collect())
    assert [type(event).__name__ for event in events] == ["TaskSuccessEvent"]
    return count


def test_a_host_without_a_scheme_means_https(monkeypatch: pytest.MonkeyPatch) -> None:
    assert base_url(monkeypatch, "graph.facebook.com") == "https://graph.facebook.com"
    assert base_url(monkeypatch, "http://127.0.0.1:8090/") == "http://127.0.0.1:8090"
    assert base_url(monkeypatch, "127.0.0.1", port=8090) == "https://127.0.0.1:8090"


def test_a_connection_without_a_host_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(settings.ConfigurationError, match="'meta_ads' has no host"):
        base_url(monkeypatch, None)


def base_url(monkeypatch: pytest.MonkeyPatch, host: str | None, port: int | None = None) -> str:
    from airflow.sdk import BaseHook, Connection

    from funnel.orchestration import connections

    made = Connection(conn_id="meta_ads", conn_type="http", host=host, port=port, extra='{"version": "v26.0"}')
    monkeypatch.setattr(BaseHook, "get_connection", classmethod(lambda cls, conn_id: made))
    found = connections.airflow_connection("meta_ads")
    assert found.extra == {"version": "v26.0"}
    return found.base_url


def test_an_edit_of_ours_reaches_the_next_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks are forked from the scheduler: modules of ours that it had imported would not be imported again."""
    import airflow.__main__

    from funnel.orchestration import __main__ as command_line

    held: list[str] = []
    monkeypatch.setattr(command_line, "SLOW_IMPORTS", ())
    monkeypatch.setattr(sys, "argv", ["scheduler"])
    monkeypatch.setattr(
        airflow.__main__, "main", lambda: held.extend(name for name in sys.modules if name.startswith("funnel"))
    )
    before = dict(sys.modules)
    try:
        command_line.main()
    finally:
        sys.modules.update(before)
    assert held == []


def test_errors_say_where_the_connection_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.execution_time import supervisor
    from airflow.sdk.execution_time.secrets.execution_api import ExecutionAPISecretsBackend
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend

    from funnel.orchestration import connections
    from funnel.rest.errors import refuse

    class Vault:
        known: ClassVar[set[str]] = set()

        def get_connection(self, conn_id: str) -> object | None:
            return object() if conn_id in self.known else None

    backends = [Vault(), EnvironmentVariablesBackend(), ExecutionAPISecretsBackend()]
    monkeypatch.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: backends)
    assert connections.connection_origin("hubspot") == "saved in Airflow"
    monkeypatch.setenv("AIRFLOW_CONN_HUBSPOT", '{"conn_type": "http", "host": "https://api.hubapi.com"}')
    assert connections.connection_origin("hubspot") == "from the environment variable AIRFLOW_CONN_HUBSPOT"
    Vault.known.add("hubspot")
    assert connections.connection_origin("hubspot") == "from the secrets backend Vault"

    monkeypatch.setattr(Vault, "known", set())
    connection = connections.airflow_connection("hubspot")
    refused = refuse("hubspot", connection, "the key is missing", "Write it.")
    assert "(connection hubspot from the environment variable AIRFLOW_CONN_HUBSPOT)" in str(refused)
