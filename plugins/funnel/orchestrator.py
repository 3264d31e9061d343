"""What a person would do in Airflow's user interface, over its REST API: trigger runs, follow them, say why one failed.

It does not start Airflow (`funnel.services` does) and does not look into its database.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx

from funnel import config, services

PAUSE_SECONDS = 0.5


class RunFailed(Exception):
    """A run that was followed did not succeed. The message names its task and the end of that task's log."""


@dataclass(frozen=True)
class Run:
    """One DAG run as Airflow tells it."""

    dag_id: str
    run_id: str
    state: str
    seconds: float | None


@dataclass(frozen=True)
class Task:
    """One task of a run."""

    task_id: str
    state: str | None
    try_number: int
    seconds: float | None


def open_airflow() -> httpx.Client:
    """A client that is logged in as the administrator. Raises ServiceError when Airflow does not answer."""
    url = services.airflow_url()
    login = {"username": services.ADMIN, "password": config.secrets()["airflow_admin_password"]}
    try:
        token = httpx.post(f"{url}/auth/token", json=login, timeout=30).raise_for_status().json()["access_token"]
    except httpx.HTTPError as error:
        raise services.ServiceError(f"Airflow does not answer at {url} ({error}). `make up` starts it.") from None
    return httpx.Client(base_url=f"{url}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def await_dags(airflow: httpx.Client, dag_ids: set[str], seconds: float = 90) -> None:
    """Return when Airflow has read all these DAGs. Raises ServiceError naming those that it has not."""
    deadline = time.monotonic() + seconds
    while missing := dag_ids - {dag["dag_id"] for dag in _get(airflow, "/dags")["dags"]}:
        if time.monotonic() > deadline:
            errors = [error["stack_trace"] for error in _get(airflow, "/importErrors")["import_errors"]]
            raise services.ServiceError(f"Airflow has not read {', '.join(sorted(missing))}.\n" + "\n".join(errors))
        time.sleep(PAUSE_SECONDS)


def unpause(airflow: httpx.Client, dag_id: str) -> None:
    """Let a DAG's runs start, and its schedule make new ones."""
    airflow.patch(f"/dags/{dag_id}", json={"is_paused": False}).raise_for_status()


def trigger(
    airflow: httpx.Client,
    dag_id: str,
    conf: Mapping[str, str],
    run_id: str | None = None,
    interval: tuple[date, date] | None = None,
) -> str:
    """Make a run with these parameters; returns its id. With an interval it is the run of that interval."""
    body: dict[str, Any] = {"logical_date": None, "conf": dict(conf)}
    if run_id:
        body["dag_run_id"] = run_id
    if interval:
        start, end = (datetime.combine(day, datetime.min.time(), UTC).isoformat() for day in interval)
        body |= {"logical_date": start, "data_interval_start": start, "data_interval_end": end}
    answer = airflow.post(f"/dags/{dag_id}/dagRuns", json=body)
    if answer.is_error:
        raise services.ServiceError(f"Airflow refused a run of {dag_id} ({answer.status_code}): {answer.text}")
    made: str = answer.json()["dag_run_id"]
    return made


def backfill(airflow: httpx.Client, dag_id: str, first: date, last: date) -> None:
    """Have Airflow make a run of every day from first to last that has none; returns before they have run."""
    body = {"dag_id": dag_id, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    answer = airflow.post("/backfills", json=body)
    if answer.is_error:
        raise services.ServiceError(f"Airflow refused a backfill of {dag_id} ({answer.status_code}): {answer.text}")


def runs(airflow: httpx.Client, dag_id: str, state: str | None = None) -> list[Run]:
    """The newest hundred runs of a DAG, newest first."""
    query = {"order_by": "-run_after", "limit": 100, **({"state": state} if state else {})}
    return [_run(found) for found in _get(airflow, f"/dags/{dag_id}/dagRuns", query)["dag_runs"]]


def count_active(airflow: httpx.Client, dag_id_pattern: str) -> int:
    """How many runs of the DAGs like `ingest__%` are queued or running."""
    query = {"state": ["queued", "running"], "dag_id_pattern": dag_id_pattern, "limit": 1}
    counted: int = _get(airflow, "/dags/~/dagRuns", query)["total_entries"]
    return counted


def tasks(airflow: httpx.Client, run: Run) -> list[Task]:
    """The tasks of a run."""
    found = _get(airflow, f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances")["task_instances"]
    return [Task(each["task_id"], each["state"], each["try_number"], each["duration"]) for each in found]


def follow(airflow: httpx.Client, dag_id: str, run_id: str, tell: Callable[[str], None], seconds: float = 3600) -> Run:
    """Wait until a run has ended, telling each task that ends. Raises RunFailed when it does not succeed."""
    deadline = time.monotonic() + seconds
    told: set[str] = set()
    while True:
        run = _run(_get(airflow, f"/dags/{dag_id}/dagRuns/{run_id}"))
        for each in tasks(airflow, run):
            if each.state in ("success", "failed", "upstream_failed", "skipped") and each.task_id not in told:
                told.add(each.task_id)
                tell(f"{dag_id} {each.task_id}: {each.state} ({each.seconds or 0:.1f} s)")
        if run.state == "success":
            return run
        if run.state == "failed":
            raise RunFailed(explain_failure(airflow, run))
        if time.monotonic() > deadline:
            raise RunFailed(
                f"Run {run_id} of {dag_id} is still {run.state} after {seconds:.0f} s; see {services.airflow_url()}."
            )
        time.sleep(PAUSE_SECONDS)


def failed_tasks(airflow: httpx.Client, dag_id: str, run_id: str) -> set[str]:
    """The tasks that failed in a run, without those that were not tried because of them."""
    run = _run(_get(airflow, f"/dags/{dag_id}/dagRuns/{run_id}"))
    return {each.task_id for each in tasks(airflow, run) if each.state == "failed"}


def explain_failure(airflow: httpx.Client, run: Run) -> str:
    """Which task of a run failed, with what its log says about it."""
    failed = next((each for each in tasks(airflow, run) if each.state == "failed"), None)
    if failed is None:
        return f"Run {run.run_id} of {run.dag_id} failed without a failed task; see {services.airflow_url()}."
    path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{failed.task_id}/logs/{failed.try_number}"
    events = [event for event in _get(airflow, path)["content"] if isinstance(event, dict)]
    raised = [detail["exc_value"] for event in events for detail in event.get("error_detail") or []]
    errors = [event["event"] for event in events if event.get("level") in ("error", "critical")]
    said = (raised[:1] or errors[-1:] or ["Its log holds no error."])[0]
    return f"Task {failed.task_id} of {run.dag_id} (run {run.run_id}) failed.\n{said}"


def _run(found: Mapping[str, Any]) -> Run:
    return Run(found["dag_id"], found["dag_run_id"], found["state"], found.get("duration"))


def _get(airflow: httpx.Client, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
    answer = airflow.get(path, params=query)
    answer.raise_for_status()
    parsed: dict[str, Any] = answer.json()
    return parsed
