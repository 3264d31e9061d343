"""What Airflow's tasks do: `funnel`'s verbs, wrapped in what only Airflow knows.

That is the run and its days, the connections, what a failure asks of the scheduler, and alerts. It holds no rule about
data: the verbs work the same from a Python shell.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    BaseHook,
    BaseOperator,
    Context,
    Param,
    RetryDecision,
    RetryPolicy,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowException, AirflowRescheduleException, AirflowSkipException
from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TaskSuccessEvent

from funnel import contract, rest, settings
from funnel.contract import Source

log = logging.getLogger(__name__)

# The headlines of alerts, by task. docs/runbook.md has one heading for each, word for word.
HEADLINES = {
    "extract": "Extract failed",
    "load": "Load failed",
    "check": "Raw check failed",
    "tell_accounts": "Accounts refused",
    "accept": "Source held back",
    "announce": "Announcement failed",
    "list_inbox": "Inbox failed",
    "tell_refusals": "Files refused",
    "wait_for_ingests": "Wait failed",
    "build": "Build failed",
    "audit": "Audit failed",
    "publish": "Publish failed",
}

REFUSED_MANIFESTS = "refused_manifests"
RATES = "exchange_rates"

# How the tasks of an inbox run. Its sources are small and many: no more of them at once than there are cores, one is
# read while another is accepted. A file does not mend itself: what is tried again is a database that was away, or a
# rate that another source brings. Each task is shown by the name of its source.
INBOX_TASKS: dict[str, Any] = {
    "max_active_tis_per_dagrun": max(1, (os.cpu_count() or 2) // 2),
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "max_retry_delay": timedelta(minutes=1),
    "map_index_template": "{{ task.op_args[1] }}",
}

WINDOW_PARAMS = {
    "from": Param(None, type=["null", "string"], format="date", description="First day of one windowed read."),
    "to": Param(None, type=["null", "string"], format="date", description="Last day of it, included."),
}


def asset(source_name: str) -> Asset:
    """What a source's raw tables are called in Airflow: one event for each delivery that may be believed."""
    return Asset(f"raw/{source_name}")


# --- ingest --------------------------------------------------------------------------------------------------------


@task
def extract(source_name: str, connection_id: str) -> list[str]:
    """Land every stream of a source for the run's days; returns the paths of the landed reads.

    Streams that this run has landed since it started are kept: after a quota of hours, only what is missing is asked.
    """
    from funnel.ingest import kept_logins, plan
    from funnel.sources import SOURCES

    source = SOURCES[source_name]
    context = get_current_context()
    if not source.is_inbox:
        connection = replace(airflow_connection(connection_id), tokens=kept_logins.STORE)
        planned = plan.reads(source, connection, window_of(context, source, connection_id))
        return plan.in_order_of_load(
            [_land(as_read, connection, stream, window, context) for as_read, stream, window in planned]
        )
    with _noted(source_name, connection_id):
        return _land_files(source, connection_id, context)


def _land_files(source: Source, connection_id: str, context: Context) -> list[str]:
    """The entities that the manifest describes; a manifest that is gone by now is refused as a read would."""
    from funnel.ingest import notes
    from funnel.sources import files

    connection = inbox_connection(connection_id)
    described = files.entities(connection.base_url, connection.extra["filesystem"]).get(connection_id)
    window = window_of(context, source, connection_id)
    landed = []
    for stream in source.streams:
        if described is None or stream.name in described:
            connection.extra["known"] = notes.known_files(source.name, connection_id, stream.name)
            landed.append(_land(source, connection, stream, window, context))
    return landed


def _land(
    source: Source, connection: contract.Connection, stream: contract.Stream, window: contract.Window, context: Context
) -> str:
    from funnel import warehouse
    from funnel.ingest import completeness, landing

    run_id, started_at = context["run_id"], context["dag_run"].start_date
    try:
        read = landing.newest_read(source.name, connection.connection_id, stream.name, window, run_id)
    except landing.NothingLanded:
        read = None
    except landing.LandingError as damaged:
        log.warning("%s It is not used again; the vendor is asked.", damaged)
        read = None
    if read is None or started_at is None or read.fetched_at < started_at:
        try:
            moment = None
            try:
                moment = completeness.moment_of_read(source.name, connection.connection_id, stream.name)
            except warehouse.WarehouseError as away:
                log.warning("This worker's clock orders the read, since the warehouse cannot be reached: %s", away)
            read = landing.land(source, connection, stream, window, run_id, moment)
        except rest.QuotaExhausted as exhausted:
            if exhausted.retry_at is None:
                raise
            log.warning("%s Next try at %s; the slot is free until then.", exhausted, exhausted.retry_at)
            raise AirflowRescheduleException(exhausted.retry_at) from exhausted
    log.info(
        "%s %s to %s: %d bodies, %d bytes", stream.name, window.from_day, window.to_day, len(read.files), read.size
    )
    return read.path


@task
def load(landed: list[str]) -> dict[str, int]:
    """Load what was landed, a transaction for each stream; returns the rows loaded by stream."""
    from funnel.ingest import landing
    from funnel.ingest import load as loading

    rows = {}
    for path in landed:
        result = loading.load(landing.read_manifest(path))
        log.info("%s", result)
        if result.new_fields:
            log.warning(
                "%s.%s: new fields, kept in _extra: %s", result.source, result.stream, ", ".join(result.new_fields)
            )
        for column, what, values in result.noted:
            log.warning("%s.%s: %s in %d values of %s", result.source, result.stream, what, values, column)
        rows[result.stream] = result.rows_loaded
    return rows


@task
def list_inbox() -> list[str]:
    """The sources whose manifests lie in the inbox, those that bring exchange rates first; each is read by itself.

    A manifest that cannot be used stops no other: `tell_refusals` says why, unless there is no other.
    """
    from funnel.sources import files

    url, filesystem = _inbox()
    found, refused = files.connections(url, filesystem)
    log.info("inbox %s: %s", settings.read().inbox, ", ".join(found) or "no manifest")
    if not found:
        raise AirflowSkipException(f"There is no manifest in the inbox {settings.read().inbox}.")
    for reason in refused:
        log.error("refused manifest: %s", reason)
    get_current_context()["ti"].xcom_push(REFUSED_MANIFESTS, list(refused))
    described = files.entities(url, filesystem)
    return sorted(found, key=lambda source: (RATES not in described.get(source, ()), source))


@task
def accept(source_name: str, connection_id: str, landed: list[str]) -> dict[str, int]:
    """Load what was landed of one source of the inbox and check it, all or nothing; returns the rows by stream."""
    from funnel.gate import acceptance
    from funnel.gate.quality import GateClosed
    from funnel.ingest import landing

    with _noted(source_name, connection_id):
        try:
            results = acceptance.accept([landing.read_manifest(path) for path in landed])
        except acceptance.RateMissing as missing:
            # Tried again when another source of the inbox may bring the rate in this run.
            if _others_bring_rates(connection_id):
                raise
            raise GateClosed(str(missing)) from None
    for result in results:
        log.info("%s", result)
    return {result.stream: result.rows_loaded for result in results}


@contextmanager
def _noted(source_name: str, connection_id: str) -> Iterator[None]:
    """Write down why a source of the inbox was not taken in, for `tell_refusals`, and go on failing."""
    from funnel import warehouse
    from funnel.ingest import notes

    run_id = get_current_context()["run_id"]
    try:
        yield
    except (AirflowRescheduleException, AirflowSkipException):
        raise
    except Exception as error:
        if type(error).__name__ not in ("GateClosed", "RateMissing"):
            # An error of a library may quote rows; its text is in the task's log alone.
            ours = type(error).__module__.startswith("funnel.")
            reason = str(error) if ours else f"{type(error).__name__}; the log of the task has the whole message"
            try:
                with warehouse.connect("loader") as connection:
                    notes.note_held_back(connection, source_name, connection_id, run_id, reason)
            except Exception as unreachable:
                log.warning("The reason could not be recorded: %s", unreachable)
        raise


def _others_bring_rates(connection_id: str) -> bool:
    from funnel.sources import files

    return any(RATES in brought for source, brought in files.entities(*_inbox()).items() if source != connection_id)


@task(trigger_rule="all_done_min_one_success")
def announce(source_name: str) -> None:
    """Emit the asset once for all that was accepted: builds go on without what was held back."""
    log.info("%s: what was accepted of the inbox may be built", source_name)


@task(trigger_rule="all_done")
def tell_refusals(source_name: str) -> None:
    """Fail when manifests, files or sources were held back in this run, with the reasons: the rest goes on without."""
    from funnel.ingest import notes

    context = get_current_context()
    ti, run_id = context["ti"], context["run_id"]
    manifests = ti.xcom_pull(task_ids="list_inbox", key=REFUSED_MANIFESTS) or []
    held_back = notes.held_back(source_name, run_id)
    accepted = notes.accepted_connections(source_name, run_id)
    for each in ti.xcom_pull(task_ids="list_inbox", key="return_value") or []:
        if each not in accepted:
            held_back.setdefault(each, "its task ended without a result; the task's log says why")
    refused = [
        *manifests,
        *notes.refused_files(source_name, run_id),
        *(
            f"{connection_id} is held back, what was accepted of it before stays: {reason}"
            for connection_id, reason in sorted(held_back.items())
        ),
    ]
    if refused:
        raise FilesRefused("\n".join(refused))


class FilesRefused(Exception):
    """Manifests, files or sources of an inbox were held back. The message names each, with its reasons."""


@task
def check(source_name: str) -> None:
    """Decide whether this run's delivery may be believed; only then does the source's asset get its event."""
    from funnel.gate import quality
    from funnel.ingest import completeness
    from funnel.sources import SOURCES

    run_id = get_current_context()["run_id"]
    quality.require(quality.check_raw(source_name, run_id))
    completeness.complete(SOURCES[source_name], run_id)


@task
def tell_accounts(source_name: str) -> None:
    """Fail when the vendor refused accounts in this run, and name them: what came of the others goes on."""
    from funnel import warehouse
    from funnel.ingest import accounts

    with warehouse.connect("loader") as connection:
        refused = accounts.refused_in(connection, source_name, get_current_context()["run_id"])
    if refused:
        raise AccountsRefused(
            f"{len(refused)} of the accounts of {source_name} were refused; the others are loaded and go on.\n"
            + "\n".join(
                f"Account {account} of connection {connection_id} was not read, its days stay as they are: {reason}"
                for (connection_id, account), reason in refused.items()
            )
        )


class AccountsRefused(Exception):
    """The vendor refused accounts of a connection whose other accounts were read. The message names each."""


def window_of(context: Context, source: Source, connection_id: str) -> contract.Window:
    """The days a run reads of one connection.

    A scheduled run reads its day, as many before it as still change by what the vendor says and what was measured, and
    whatever was missed while nothing ran or while an account that answers again was refused.
    A backfill or a run by hand reads exactly its day, or the days in its parameters.
    """
    from funnel.ingest import completeness

    params = context["params"]
    first, last = params.get("from"), params.get("to")
    if first or last:
        if not (first and last):
            raise settings.ConfigurationError(f"A windowed run needs both days; got from={first!r} and to={last!r}.")
        return _window(date.fromisoformat(first), date.fromisoformat(last))
    start = context.get("data_interval_start")
    if start is None:
        raise settings.ConfigurationError("The run has no day of its own: give it the parameters `from` and `to`.")
    day = date(start.year, start.month, start.day)
    if context["dag_run"].run_type != "scheduled":
        return _window(day, day)
    restated = day - timedelta(days=completeness.days_to_read_again(source, connection_id))
    complete = completeness.last_day_complete(source.name, connection_id)
    missed = complete + timedelta(days=1) if complete else restated
    return _window(min(restated, missed), day)


def _window(first: date, last: date) -> contract.Window:
    """The days first to last, both included; up to now when they end with the newest complete day."""
    to_day = last + timedelta(days=1)
    return contract.Window(first, to_day, until_now=to_day >= settings.now().date())


def airflow_connection(connection_id: str) -> contract.Connection:
    """A vendor connection from wherever this Airflow keeps them: environment, its database or a secrets backend."""
    try:
        found = BaseHook.get_connection(connection_id)
    except AirflowException as error:
        raise settings.ConfigurationError(
            f"Airflow has no connection {connection_id!r} ({error}); docs/connections.md says how to make it."
        ) from None
    if not found.host:
        raise settings.ConfigurationError(f"Connection {connection_id!r} has no host; see docs/connections.md.")
    host = found.host if "://" in found.host else f"https://{found.host}"
    port = f":{found.port}" if found.port else ""
    return contract.Connection(
        connection_id=connection_id,
        base_url=host.rstrip("/") + port,
        login=found.login,
        password=found.password,
        extra=found.extra_dejson,
        origin=connection_origin(connection_id),
    )


def connection_origin(connection_id: str) -> str:
    """Where Airflow found a connection, for messages: the first that has it of backend, environment and database."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    for backend in ensure_secrets_backend_loaded():
        name = type(backend).__name__
        if name == "EnvironmentVariablesBackend":
            if settings.has_connection_variable(connection_id):
                return f"from the environment variable {settings.connection_variable(connection_id)}"
        elif name in ("ExecutionAPISecretsBackend", "MetastoreBackend"):
            return "saved in Airflow"
        elif _has_connection(backend, connection_id):
            return f"from the secrets backend {name}"
    return "saved in Airflow"


def _has_connection(backend: Any, connection_id: str) -> bool:
    try:
        return backend.get_connection(conn_id=connection_id) is not None
    except Exception:
        # As Airflow does: a backend that fails is passed over.
        return False


def inbox_connection(connection_id: str) -> contract.Connection:
    """A source of the inbox, with the file system that ObjectStoragePath opens for it."""
    url, filesystem = _inbox()
    return contract.Connection(connection_id, url, extra={"filesystem": filesystem})


def _inbox() -> tuple[str, Any]:
    """The inbox's folder and, when it lies on object storage, the file system with Airflow's credentials."""
    from airflow.sdk import ObjectStoragePath

    inbox = settings.read().inbox
    if "://" not in inbox:
        return inbox, None
    path = ObjectStoragePath(inbox)
    return path.path, path.fs


# --- build ---------------------------------------------------------------------------------------------------------


class IngestsOver(BaseTrigger):
    """Fires when no run of the given DAGs is queued or running, or when they have been waited for long enough."""

    PAUSE_SECONDS = 2.0

    def __init__(self, dag_ids: list[str], deadline_seconds: float) -> None:
        super().__init__()
        self.dag_ids = dag_ids
        self.deadline_seconds = deadline_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Where the triggerer finds this class, and its arguments."""
        return (
            "funnel.orchestration.tasks.IngestsOver",
            {"dag_ids": self.dag_ids, "deadline_seconds": self.deadline_seconds},
        )

    async def run(self) -> AsyncIterator[TaskSuccessEvent]:
        """Look every two seconds; one event ends the task."""
        deadline = time.monotonic() + self.deadline_seconds
        while late := [dag_id for dag_id in self.dag_ids if await asyncio.to_thread(self._is_active, dag_id)]:
            if time.monotonic() > deadline:
                self.log.warning("not waiting any longer for %s", ", ".join(late))
                break
            await asyncio.sleep(self.PAUSE_SECONDS)
        yield TaskSuccessEvent()

    @staticmethod
    def _is_active(dag_id: str) -> bool:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        return RuntimeTaskInstance.get_dr_count(dag_id=dag_id, states=["queued", "running"]) > 0


class WaitForIngests(BaseOperator):
    """Waits in the triggerer from beginning to end: no worker slot and no process of its own."""

    start_from_trigger = True

    def __init__(self, *, source_names: Iterable[str], deadline_minutes: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        dag_ids = [f"ingest__{name}" for name in source_names]
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="funnel.orchestration.tasks.IngestsOver",
            trigger_kwargs={"dag_ids": dag_ids, "deadline_seconds": deadline_minutes * 60.0},
            next_method="execute",
        )

    def execute(self, context: Context) -> None:
        """Nothing is left to do: the trigger has waited."""


@task
def build() -> int:
    """Build the marts from everything loaded; returns the build's id.

    Runs that were queued by deliveries which an earlier build has published already are skipped.
    """
    from funnel import ledger
    from funnel.build import dbt_run

    context = get_current_context()
    _name_parent(context)
    if context["dag_run"].run_type == "asset_triggered" and not ledger.has_unpublished_loads():
        raise AirflowSkipException("Everything loaded is published already.")
    result = dbt_run.build()
    log.info("%s", result)
    return result.build_id


def _name_parent(context: Context) -> None:
    """Models that are built in this task are told as its children."""
    from funnel.reporting import lineage

    if lineage.is_on():
        from airflow.providers.openlineage.plugins.macros import lineage_parent_id

        lineage.parent.set(lineage_parent_id(context["ti"]))


@task
def audit(build_id: int) -> int:
    """Decide whether the built marts may be believed; returns the build's id."""
    from funnel.gate import quality

    quality.require(quality.check_marts(build_id))
    return build_id


@task
def publish(build_id: int) -> None:
    """Make an audited build visible in `bi`."""
    from funnel.publication import publication

    log.info("%s", publication.publish(build_id))


# --- lineage -------------------------------------------------------------------------------------------------------


def __getattr__(name: str) -> Any:
    """`Lineage`, which OpenLineage's provider asks for the data sets of a task, is made when it is asked for."""
    if name != "Lineage":
        raise AttributeError(name)
    from airflow.providers.openlineage.extractors import BaseExtractor, OperatorLineage

    class Lineage(BaseExtractor):
        @classmethod
        def get_operator_classnames(cls) -> list[str]:
            return ["_PythonDecoratedOperator"]

        def _execute_extraction(self) -> Any:
            # Before it has run, a task's arguments may still be a promise.
            return None

        def extract_on_complete(self, task_instance: Any) -> Any:
            from funnel.reporting import lineage

            # With several connections, tasks stand in a group named after theirs.
            task_name = self.operator.task_id.rpartition(".")[2]
            inputs, outputs = lineage.of_task(task_name, [*self.operator.op_args, *self.operator.op_kwargs.values()])
            return OperatorLineage(inputs=inputs, outputs=outputs)

    return Lineage


# --- failures ------------------------------------------------------------------------------------------------------


SAME_AGAIN = (
    "GateClosed",
    "BuildFailed",
    "ManifestError",
    "FilesRefused",
    "AccountsRefused",
    "LoadError",
    "ListingRefused",
    "LandingError",
)


def _errors_of_rows() -> tuple[type[Exception], ...]:
    """What PostgreSQL refuses whenever it is asked; a server that is away or a lock that is taken is not among it."""
    import psycopg

    return psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError


class FailureRetryPolicy(RetryPolicy):
    """What a failure asks for, by its class; anything unknown is retried as the DAG says."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Fail at once where only a person or other data can help; wait as long as a vendor says."""
        if isinstance(exception, (rest.DeadToken, rest.Refused, settings.ConfigurationError)):
            return RetryDecision.fail(reason=str(exception))
        if type(exception).__name__ in SAME_AGAIN or isinstance(exception, _errors_of_rows()):
            return RetryDecision.fail(reason="the same rows would fail the same way again")
        if isinstance(exception, rest.VendorError) and exception.wait_seconds:
            return RetryDecision.retry(delay=timedelta(seconds=exception.wait_seconds), reason=str(exception))
        return RetryDecision.default()


def alert(context: Context) -> None:
    """Send one alert about a task that has failed for good."""
    from funnel.reporting import alerts

    ti = context["task_instance"]
    # With several connections, tasks stand in a group named after theirs.
    headline = HEADLINES.get(ti.task_id.rpartition(".")[2], "Task failed")
    exception = context.get("exception")
    text = str(exception) if exception else "The task's process ended without an error message; see its log."
    alerts.send(f"{headline}: {ti.dag_id}", f"run {ti.run_id}, task {ti.task_id}\n{text}\nLog: {ti.log_url}")
