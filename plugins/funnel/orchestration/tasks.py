"""Airflow's tasks: the functions of `funnel`, wrapped with Airflow's context.

Rules about data are in `funnel`, whose functions work the same in a Python shell.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    Asset,
    Context,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from funnel import contract, settings
from funnel.contract import Source
from funnel.orchestration.connections import airflow_connection, inbox, inbox_connection
from funnel.orchestration.errors import AccountsRefused, ConnectionsHeldBack, FilesRefused
from funnel.orchestration.windows import window_of
from funnel.rest import errors

if TYPE_CHECKING:
    from funnel.ingest.load import LoadResult

log = logging.getLogger(__name__)
REFUSED_MANIFESTS = "refused_manifests"
RATES = "exchange_rates"

# How the tasks of an inbox run. Its sources are small and many: at most as many at once as there are cores, so that one
# is read while another is accepted. A retry does not mend a file; it helps if the database was down, or if another
# source brings a missing rate. Each task is shown by the name of its source.
INBOX_TASKS: dict[str, Any] = {
    "max_active_tis_per_dagrun": max(1, (os.cpu_count() or 2) // 2),
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "max_retry_delay": timedelta(minutes=1),
    "map_index_template": "{{ task.op_args[1] }}",
}


def asset(source_name: str) -> Asset:
    """The asset of a source's raw tables in Airflow: one event for each delivery that passed its gate."""
    return Asset(f"raw/{source_name}")


@task
def extract(source_name: str, connection_id: str) -> list[str]:
    """Land every stream of a vendor for the run's days; returns the paths of the landed reads.

    Streams that this run has already landed are kept: after hours of waiting for a quota, only the missing ones are
    requested.
    """
    from funnel.ingest import kept_logins, plan
    from funnel.sources import VENDORS

    source = VENDORS[source_name]
    context = get_current_context()
    connection = replace(airflow_connection(connection_id), logins=kept_logins.STORE)
    planned = plan.reads(source, connection, window_of(context, source, connection_id))
    return plan.in_order_of_load(
        [_land(as_read, connection, stream, window, context) for as_read, stream, window in planned]
    )


@task(task_id="extract")
def extract_files(source_name: str, connection_id: str) -> list[str]:
    """Land the entities that a manifest of the inbox describes. A manifest that has vanished since is refused like an
    unusable one.
    """
    from funnel.ingest import notes
    from funnel.sources import INBOX, files

    context = get_current_context()
    with _noted(source_name, connection_id):
        connection = inbox_connection(connection_id)
        described = files.entities(connection.base_url, connection.extra["filesystem"]).get(connection_id)
        window = window_of(context, INBOX, connection_id)
        landed = []
        for stream in INBOX.streams:
            if described is None or stream.name in described:
                connection.extra["known"] = notes.known_files(INBOX.name, connection_id, stream.name)
                landed.append(_land(INBOX, connection, stream, window, context))
    return landed


def _land(
    source: Source, connection: contract.Connection, stream: contract.Stream, window: contract.Window, context: Context
) -> str:
    from funnel import warehouse
    from funnel.ingest import completeness, landing
    from funnel.ingest.errors import LandingError, NothingLanded

    run_id, started_at = context["run_id"], context["dag_run"].start_date
    try:
        read = landing.newest_read(source.name, connection.connection_id, stream.name, window, run_id)
    except NothingLanded:
        read = None
    except LandingError as damaged:
        log.warning("%s It is not used again; the vendor is asked.", damaged)
        read = None
    if read is None or started_at is None or read.fetched_at < started_at:
        try:
            moment = None
            try:
                moment = completeness.moment_of_read(source.name, connection.connection_id, stream.name)
            except warehouse.WarehouseError as away:
                log.warning("This worker's clock orders the read, since the warehouse cannot be reached: %s", away)
            change = _without_forgotten(source, connection.connection_id, stream)
            read = landing.land(source, connection, stream, window, run_id, moment, change)
        except errors.QuotaExhausted as exhausted:
            if exhausted.retry_at is None:
                raise
            log.warning("%s Next try at %s; the slot is free until then.", exhausted, exhausted.retry_at)
            raise AirflowRescheduleException(exhausted.retry_at) from exhausted
    log.info(
        "%s %s to %s: %d bodies, %d bytes", stream.name, window.from_day, window.to_day, len(read.files), read.size
    )
    return read.path


def _without_forgotten(source: Source, connection_id: str, stream: contract.Stream) -> Callable[[bytes], bytes]:
    """What takes forgotten persons out of a body before it is landed. The load does it too, so that a warehouse that
    does not answer now costs nothing but that: `retention` looks at landed files every day.
    """
    from funnel import warehouse
    from funnel.ingest import privacy, reduced_bodies, tombstones

    try:
        with warehouse.connect("loader") as connection:
            known = tombstones.read(connection, privacy.person_key_secret())
    except warehouse.WarehouseError as away:
        log.warning("Landed as received, forgotten persons included, since the warehouse cannot be reached: %s", away)
        return bytes
    return reduced_bodies.of_read(source, connection_id, stream.name, known)


@task
def load(landed: list[str]) -> dict[str, int]:
    """Load what was landed, in one transaction per stream; returns the number of loaded rows by stream."""
    from funnel.ingest import landing
    from funnel.ingest import load as loading

    rows = {}
    for path in landed:
        result = loading.load(landing.read_manifest(path))
        _report_load(result)
        rows[result.stream] = result.rows_loaded
    return rows


def _report_load(result: "LoadResult") -> None:
    log.info("%s", result)
    if result.new_fields:
        log.warning("%s.%s: new fields, kept in _extra: %s", result.source, result.stream, ", ".join(result.new_fields))
    for column, what, values in result.noted:
        log.warning("%s.%s: %s in %d values of %s", result.source, result.stream, what, values, column)


@task
def list_inbox() -> list[str]:
    """The sources whose manifests are in the inbox, those with exchange rates first; each is read separately.

    An unusable manifest does not stop the others: `report_refused_files` names it. Raises ManifestError if all are
    unusable, and AirflowSkipException for an empty inbox.
    """
    from funnel.sources import files

    url, filesystem = inbox()
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
    """Load what was landed of one connection and check it, all or nothing; returns the number of rows by stream.

    Used for the sources of an inbox, and for a vendor with several connections. Raises GateClosed.
    """
    from funnel.gate import acceptance
    from funnel.gate.errors import GateClosed, RateMissing
    from funnel.ingest import landing

    with _noted(source_name, connection_id):
        try:
            results = acceptance.accept([landing.read_manifest(path) for path in landed])
        except RateMissing as missing:
            # Retried if another source of the inbox may bring the rate in this run.
            if _others_bring_rates(connection_id):
                raise
            raise GateClosed(str(missing)) from None
    for result in results:
        _report_load(result)
    return {result.stream: result.rows_loaded for result in results}


@contextmanager
def _noted(source_name: str, connection_id: str) -> Iterator[None]:
    """Record why a connection was not accepted, for the task that reports it, and raise the error again."""
    from funnel import warehouse
    from funnel.gate.errors import GateClosed
    from funnel.ingest import notes

    run_id = get_current_context()["run_id"]
    try:
        yield
    except (AirflowRescheduleException, AirflowSkipException):
        raise
    except Exception as error:
        if not isinstance(error, GateClosed):
            # An error of a library may quote rows; its text is only in the task's log.
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

    return any(RATES in brought for source, brought in files.entities(*inbox()).items() if source != connection_id)


@task(trigger_rule="all_done_min_one_success")
def announce(source_name: str) -> None:
    """Emit the asset event once for all accepted connections: builds continue without those held back."""
    log.info("%s: what was accepted in this run may be built", source_name)


@task(trigger_rule="all_done")
def report_refused_files(source_name: str) -> None:
    """Report manifests, files and sources that were held back in this run; the others continue. Raises FilesRefused."""
    from funnel.ingest import notes

    context = get_current_context()
    ti, run_id = context["ti"], context["run_id"]
    manifests = ti.xcom_pull(task_ids="list_inbox", key=REFUSED_MANIFESTS) or []
    listed = ti.xcom_pull(task_ids="list_inbox", key="return_value") or []
    refused = [
        *manifests,
        *notes.refused_files(source_name, run_id),
        *(
            f"{connection_id} is held back, what was accepted of it before stays: {reason}"
            for connection_id, reason in _held_back(source_name, run_id, listed).items()
        ),
    ]
    if refused:
        raise FilesRefused("\n".join(refused))


@task(trigger_rule="all_done")
def report_held_back(source_name: str, connection_ids: tuple[str, ...]) -> None:
    """Report connections that were held back in this run; the others continue. Raises ConnectionsHeldBack."""
    run_id = get_current_context()["run_id"]
    held_back = _held_back(source_name, run_id, connection_ids)
    if held_back:
        raise ConnectionsHeldBack(
            f"{len(held_back)} of {len(connection_ids)} connections of {source_name} were held back; the others are "
            "loaded and go on.\n"
            + "\n".join(
                f"Connection {connection_id}: nothing of this run is loaded, what was accepted before stays: {reason}"
                for connection_id, reason in held_back.items()
            )
        )


def _held_back(source_name: str, run_id: str, connection_ids: Iterable[str]) -> dict[str, str]:
    """The reasons why connections were not accepted in a run, by connection."""
    from funnel.ingest import notes

    held_back = notes.held_back(source_name, run_id)
    accepted = notes.accepted_connections(source_name, run_id)
    for each in connection_ids:
        if each not in accepted:
            held_back.setdefault(each, "its task ended without a result; the task's log says why")
    return dict(sorted(held_back.items()))


@task
def check(source_name: str) -> None:
    """Run the gate of this run's delivery; only if it passes does the source's asset get its event."""
    from funnel.gate import deliveries, report
    from funnel.ingest import completeness
    from funnel.sources import SOURCES

    run_id = get_current_context()["run_id"]
    report.require(deliveries.check_raw(source_name, run_id))
    completeness.complete(SOURCES[source_name], run_id)


@task
def report_refused_accounts(source_name: str) -> None:
    """Report the accounts that the vendor refused in this run; the others continue. Raises AccountsRefused."""
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


@task
def build() -> int:
    """Build the marts from everything loaded; returns the build's id.

    Raises AirflowSkipException if the deliveries that queued this run are published, or are in a build that waits.
    """
    from funnel import ledger
    from funnel.build import dbt_run
    from funnel.publication import holds

    context = get_current_context()
    _name_parent(context)
    if context["dag_run"].run_type == "asset_triggered":
        if not ledger.has_unpublished_loads():
            raise AirflowSkipException("Everything loaded is published already.")
        if waiting := holds.waiting_words():
            raise AirflowSkipException(waiting)
    result = dbt_run.build()
    log.info("%s", result)
    return result.build_id


def _name_parent(context: Context) -> None:
    """Set this task as the OpenLineage parent of the dbt model runs."""
    from funnel.reporting import lineage

    if lineage.is_on():
        from airflow.providers.openlineage.plugins.macros import lineage_parent_id

        lineage.parent.set(lineage_parent_id(context["ti"]))


@task
def audit(build_id: int) -> int:
    """Audit the built marts; returns the build's id."""
    from funnel.gate import marts, report

    report.require(marts.check_marts(build_id))
    return build_id
