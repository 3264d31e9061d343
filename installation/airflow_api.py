"""Client of Airflow's REST API: triggers runs, follows them, and reports why one failed.

It does not start Airflow (`installation.services` does) and does not read its database.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx

from funnel import secret_store, warehouse
from installation import airflow_setup, environments, errors
from installation.errors import RunFailed

PAUSE_SECONDS = 0.5


# Airflow answers 500 while its database is down, and not at all during a restart: requests are retried for this long.
PATIENCE_SECONDS = 120.0


RETRY_PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Run:
    """One DAG run as Airflow reports it."""

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
    map_index: int = -1
    label: str | None = None

    @property
    def name(self) -> str:
        """The task, with its map label if there are several instances."""
        return self.task_id if self.map_index < 0 else f"{self.task_id} [{self.label or self.map_index}]"


def open_airflow() -> httpx.Client:
    """A client logged in as administrator. Raises ServiceError if Airflow does not answer."""
    url = environments.airflow_url()
    login = {"username": airflow_setup.ADMIN, "password": secret_store.secret("airflow_admin_password")}
    # Nothing listens: it is not starting, so that waiting would not help.
    try:
        httpx.head(url, timeout=30)
    except httpx.ConnectError:
        raise errors.ServiceError(f"Airflow does not answer at {url}, nothing listens. `make up` starts it.") from None
    except httpx.HTTPError:
        pass
    with httpx.Client(timeout=30) as anonymous:
        answer = _asked(anonymous, "POST", f"{url}/auth/token", json=login)
    if answer.is_error:
        raise errors.ServiceError(
            f"Airflow at {url} refused the login of {airflow_setup.ADMIN} ({answer.status_code}). Its password is "
            "airflow_admin_password in FUNNEL_HOME/secrets.json; `make down`, then `make up` sets it again."
        )
    token = answer.json()["access_token"]
    return httpx.Client(base_url=f"{url}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def await_dags(airflow: httpx.Client, dag_ids: set[str], seconds: float = 90) -> None:
    """Wait until Airflow has parsed all these DAGs. Raises ServiceError, which names the missing ones."""
    deadline = time.monotonic() + seconds
    while missing := dag_ids - {dag["dag_id"] for dag in _get(airflow, "/dags")["dags"]}:
        if time.monotonic() > deadline:
            traces = [error["stack_trace"] for error in _get(airflow, "/importErrors")["import_errors"]]
            raise errors.ServiceError(f"Airflow has not read {', '.join(sorted(missing))}.\n" + "\n".join(traces))
        time.sleep(PAUSE_SECONDS)


def unpause(airflow: httpx.Client, dag_id: str) -> None:
    """Unpause a DAG: its runs start, and its schedule creates new ones."""
    answer = _asked(airflow, "PATCH", f"/dags/{dag_id}", json={"is_paused": False})
    if answer.is_error:
        raise errors.ServiceError(f"Airflow refused to unpause {dag_id} ({answer.status_code}): {answer.text[:500]}")


def trigger(
    airflow: httpx.Client,
    dag_id: str,
    conf: Mapping[str, str],
    run_id: str | None = None,
    interval: tuple[date, date] | None = None,
) -> str:
    """Create a run with these parameters; returns its id. With `interval` it is the scheduled run of that interval.

    The id is chosen before the request: if the answer is lost, a retry does not create a second run. Raises
    ServiceError.
    """
    run_id = run_id or f"manual__{datetime.now(UTC).isoformat()}"
    body: dict[str, Any] = {"logical_date": None, "conf": dict(conf), "dag_run_id": run_id}
    if interval:
        start, end = (datetime.combine(day, datetime.min.time(), UTC).isoformat() for day in interval)
        body |= {"logical_date": start, "data_interval_start": start, "data_interval_end": end}
    answer = _asked(airflow, "POST", f"/dags/{dag_id}/dagRuns", json=body)
    is_made = answer.status_code == httpx.codes.CONFLICT and any(one.run_id == run_id for one in runs(airflow, dag_id))
    if answer.is_error and not is_made:
        raise errors.ServiceError(f"Airflow refused a run of {dag_id} ({answer.status_code}): {answer.text[:500]}")
    return run_id


def load_days(source: str, first: date, last: date) -> None:
    """Load days of a source in one run, both included; says what happens. Raises RunFailed."""
    dag_id = f"ingest__{source}"
    with open_airflow() as airflow:
        unpause(airflow, dag_id)
        run_id = trigger(airflow, dag_id, {"from": first.isoformat(), "to": last.isoformat()})
        follow(airflow, dag_id, run_id, print)
    print(f"loaded {source} {first} to {last}; build_funnel starts automatically unless it is paused")


def backfill(airflow: httpx.Client, dag_id: str, first: date, last: date) -> None:
    """Create a run of every day from first to last that has none; returns before they have run. Raises ServiceError."""
    body = {"dag_id": dag_id, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    answer = _asked(airflow, "POST", "/backfills", json=body)
    if answer.is_error:
        raise errors.ServiceError(f"Airflow refused a backfill of {dag_id} ({answer.status_code}): {answer.text}")


def runs(airflow: httpx.Client, dag_id: str, state: str | None = None) -> list[Run]:
    """The newest hundred runs of a DAG, newest first."""
    query = {"order_by": "-run_after", "limit": 100, **({"state": state} if state else {})}
    return [_run(found) for found in _get(airflow, f"/dags/{dag_id}/dagRuns", query)["dag_runs"]]


def count_active(airflow: httpx.Client, dag_id_pattern: str) -> int:
    """The number of queued or running runs of the DAGs like `ingest__%`."""
    query = {"state": ["queued", "running"], "dag_id_pattern": dag_id_pattern, "limit": 1}
    counted: int = _get(airflow, "/dags/~/dagRuns", query)["total_entries"]
    return counted


def tasks(airflow: httpx.Client, run: Run) -> list[Task]:
    """The tasks of a run."""
    found = _get(airflow, f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances")["task_instances"]
    return [
        Task(
            *(each["task_id"], each["state"], each["try_number"], each["duration"]),
            *(each.get("map_index", -1), each.get("rendered_map_index")),
        )
        for each in found
    ]


def follow(airflow: httpx.Client, dag_id: str, run_id: str, tell: Callable[[str], None], seconds: float = 3600) -> Run:
    """Wait until a run has ended; report each task that ends or waits. Raises RunFailed if the run does not succeed."""
    deadline = time.monotonic() + seconds
    told: set[tuple[str, str | None, int]] = set()
    while True:
        run = _run(_get(airflow, f"/dags/{dag_id}/dagRuns/{run_id}"))
        for each in tasks(airflow, run):
            news = (each.name, each.state, each.try_number)
            if each.state in (*ENDED, *WAITING) and news not in told:
                told.add(news)
                tell(f"{dag_id} {each.name}: {_news(airflow, run, each)}")
        if run.state == "success":
            return run
        if run.state == "failed":
            raise RunFailed(explain_failure(airflow, run))
        if time.monotonic() > deadline:
            raise RunFailed(
                f"Run {run_id} of {dag_id} is still {run.state} after {seconds:.0f} s; "
                f"see {environments.airflow_url()}."
            )
        time.sleep(PAUSE_SECONDS)


# What a task's log says before it waits.
NEXT_TRY = re.compile(r"Next try at [0-9T:+. -]*[0-9](?: UTC)?(?:, in [0-9,]+ s)?")
ENDED = ("success", "failed", "upstream_failed", "skipped")


WAITING = {
    "up_for_retry": "failed; Airflow will retry it",
    "up_for_reschedule": "is waiting, for example for a quota, and will continue automatically",
}


def _news(airflow: httpx.Client, run: Run, task: Task) -> str:
    if task.state in WAITING:
        events = _log_of(airflow, run, task)
        return f"{WAITING[task.state]} (try {task.try_number}): {_next_try(events)}{_short(_error_in(events))}"
    return f"{task.state} ({task.seconds or 0:.1f} s)"


def _short(text: str, most: int = 300) -> str:
    first = text.strip().partition("\n")[0]
    return first if len(first) <= most else f"{first[:most]} …"


def explain_failure(airflow: httpx.Client, run: Run) -> str:
    """The failed task of a run with the error in its log; for an inbox, everything that was held back."""
    failed = [each for each in tasks(airflow, run) if each.state == "failed"]
    if not failed:
        return f"Run {run.run_id} of {run.dag_id} failed without a failed task; see {environments.airflow_url()}."
    # This task reports what every other task has found.
    first = next((each for each in failed if each.task_id == "report_refused_files"), failed[0])
    return f"Task {first.name} of {run.dag_id} (run {run.run_id}) failed.\n{_said(airflow, run, first)}"


def _said(airflow: httpx.Client, run: Run, task: Task) -> str:
    """The error of a task, from its log."""
    return _error_in(_log_of(airflow, run, task))


def _log_of(airflow: httpx.Client, run: Run, task: Task) -> list[dict[str, Any]]:
    path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task.task_id}/logs/{max(1, task.try_number)}"
    return [event for event in _get(airflow, path, {"map_index": task.map_index})["content"] if isinstance(event, dict)]


def _next_try(events: list[dict[str, Any]]) -> str:
    """When the task is tried again, as its log says; empty if it does not say."""
    told = [str(event.get(field, "")) for event in events for field in ("reason", "event")]
    found = [match[0] for text in told if (match := NEXT_TRY.search(text))]
    return f"{found[-1]}. " if found else ""


def _error_in(events: list[dict[str, Any]]) -> str:
    raised = [
        text
        for event in events
        for text in (
            *(detail["exc_value"] for detail in event.get("error_detail") or []),
            *([event["event"]] if event.get("error_class") else []),
        )
    ]
    errors = [event["event"] for event in events if event.get("level") in ("error", "critical")]
    return str((raised[:1] or errors[-1:] or ["Its log holds no error."])[0])


def _run(found: Mapping[str, Any]) -> Run:
    return Run(found["dag_id"], found["dag_run_id"], found["state"], found.get("duration"))


def _get(airflow: httpx.Client, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
    answer = _asked(airflow, "GET", path, params=query)
    if answer.is_error:
        raise errors.ServiceError(f"Airflow refused {path} ({answer.status_code}): {answer.text[:500]}")
    parsed: dict[str, Any] = answer.json()
    return parsed


def _asked(airflow: httpx.Client, method: str, path: str, **arguments: Any) -> httpx.Response:
    """Airflow's answer. Raises ServiceError if there is none for longer than a restart takes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = airflow.request(method, path, **arguments)
        except httpx.TransportError as error:
            trouble = type(error).__name__
        else:
            if not answer.is_server_error:
                return answer
            trouble = f"HTTP {answer.status_code}"
        if time.monotonic() > deadline:
            raise errors.ServiceError(_no_answer(trouble))
        time.sleep(RETRY_PAUSE_SECONDS)


def _no_answer(trouble: str) -> str:
    """The message for an unreachable Airflow: it keeps its state in PostgreSQL, so that is checked first."""
    try:
        warehouse.connect("bi_reader").close()
    except warehouse.WarehouseError:
        cause = "PostgreSQL does not answer either, and Airflow cannot work without it. Start both"
    else:
        cause = "PostgreSQL answers. Start Airflow again"
    return (
        f"Airflow does not answer at {environments.airflow_url()} ({trouble} for {PATIENCE_SECONDS:.0f} s). {cause} by "
        "`make up`, then repeat the command: it waits for the run that is under way, and what was loaded is not read "
        "again. The logs are in FUNNEL_HOME/logs; docs/runbook.md, section `Airflow does not answer`."
    )
