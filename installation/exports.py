"""`make files`: from a folder of exports and manifests to a published funnel.

It starts PostgreSQL and Airflow, no vendor sandbox, and works as in production: Airflow's runs load, build, audit and
publish. A second run with the same files changes nothing.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from funnel import settings, warehouse
from funnel.inbox.filling import FILLED_BY
from funnel.inbox.printable import printable
from funnel.ingest import notes
from installation import airflow_api, demo, processes, services
from installation.errors import RunFailed

FIRST_REASONS = 3
DAG_ID = "ingest__files"


def run(inbox: str) -> int:
    """Load the files of a folder, build, audit, publish and print.

    Returns 1 if manifests, files or sources were held back: the rest is published. Raises ConfigurationError if there
    is no manifest.
    """
    from funnel.sources import files

    url = inbox if "://" in inbox else str(Path(inbox).expanduser().resolve())
    # Before anything starts: an unusable manifest is reported at once.
    sources, refused_manifests = files.connections(url)
    if not sources:
        raise settings.ConfigurationError(
            f"There is no manifest in {inbox}: no .yml file with `source:` and `streams:`. docs/files.md shows one."
        )
    for reason in refused_manifests:
        print(printable(f"REFUSED: {reason}"), flush=True)
    _keep_inbox(url)
    started = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    services.up(tell)
    with demo.dashboards_meanwhile(tell), airflow_api.open_airflow() as airflow:
        run_id = _take_in(airflow, sources, url, tell)
        demo.publish_loads(airflow, tell)
    for reason in refused_manifests:
        print(printable(f"\nREFUSED: {reason}"))
    _print(run_id)
    held_back = notes.held_back("files", run_id)
    for source, reason in held_back.items():
        print(f"\nHELD BACK: {source}. What was accepted of it before stays, the others are published.\n{reason}")
    demo.print_funnel()
    _print_won_without_deals()
    _print_missing()
    demo.print_doors()
    return 1 if refused_manifests or held_back or notes.refused_files("files", run_id) else 0


def _take_in(airflow: httpx.Client, sources: Sequence[str], url: str, tell: demo.Tell) -> str:
    """Let Airflow read the inbox once; returns the run id. Raises RunFailed if nothing was accepted.

    Airflow runs one at a time: a current run is waited for first, so that no file is read twice at once.
    """
    airflow_api.await_dags(airflow, {DAG_ID, "build_funnel"})
    airflow_api.unpause(airflow, "build_funnel")
    earlier = airflow_api.runs(airflow, DAG_ID)
    for run in earlier:
        if run.state in demo.ACTIVE:
            tell(f"waiting for run {run.run_id}, which is already reading the inbox")
    tell(f"taking in {', '.join(sources)} from {url}")
    day = demo.newest_day()
    # The first one replaces the day's scheduled run, which would read the same files again.
    interval = None if earlier else demo.newest_interval()
    conf = {"from": day.isoformat(), "to": day.isoformat()}
    run_id = airflow_api.trigger(airflow, DAG_ID, conf, interval=interval)
    airflow_api.unpause(airflow, DAG_ID)
    try:
        airflow_api.follow(airflow, DAG_ID, run_id, tell)
    except RunFailed:
        if not notes.accepted_connections("files", run_id):
            raise
    return run_id


def withdraw(source: str, *, is_confirmed: bool = False) -> int:
    """Remove the rows of a source whose folder was removed, after they were counted and the owner has confirmed. Raises
    WithdrawalRefused.
    """
    from funnel.ingest import errors, withdrawal

    if manifest := _manifest_in_inbox(source):
        raise errors.WithdrawalRefused(
            f"The inbox still holds {manifest}, which the next run would load again. "
            f"Take it out of {settings.read().inbox}, then run make withdraw SOURCE={source} again."
        )
    counted = withdrawal.count(source)
    print(f"Rows of {source} in the warehouse")
    for entity, rows in counted.items():
        print(f"  {entity:20} {rows:>12,}")
    if not is_confirmed and not _agrees(f"Remove these rows of {source}? [y/N] "):
        print("Nothing was removed. To skip the question: make withdraw SOURCE=… YES=1")
        return 1
    removed = withdrawal.withdraw(source)
    print(
        f"{sum(removed.values()):,} rows of {source} are removed. The next build drops them from the marts: "
        "make files, or trigger build_funnel, or make build and make publish. What was published stays in bi_history."
    )
    return 0


def _manifest_in_inbox(source: str) -> str | None:
    """The manifest in the inbox that describes a source; None without one, and for a remote inbox."""
    from funnel.inbox import folder
    from funnel.inbox.errors import ManifestError
    from funnel.sources import files

    inbox = settings.read().inbox
    if folder.is_remote(inbox):
        return None
    try:
        found, _ = folder.find_manifests(folder.open_folder(inbox), files.VENDORS)
    except ManifestError:
        return None
    return next((one.path for one in found if one.source == source), None)


def _agrees(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _keep_inbox(url: str) -> None:
    """Store the inbox, with which Airflow's processes are started; `make up` uses it too."""
    if settings.keep_inbox(url) and processes.process("scheduler"):
        # Running processes keep the folder that they were started with.
        services.down()


def _print(run_id: str) -> None:
    print("\nFiles")
    rows = _ask(
        """
        select distinct on (files.connection_id, files.stream, files.path)
            files.connection_id, files.stream, files.path, files.status, files.reason, files.reasons, files.rows_read,
            files.rows_loaded, files.rows_quarantined, files.rows_merged, files.first_day, files.last_day, files.notes
        from ops.files as files
        order by files.connection_id, files.stream, files.path, files.load_id desc
        """
    )
    for source, stream, path, status, reason, reasons, read, loaded, quarantined, merged, first, last, noted in rows:
        if status == "refused":
            print(printable(f"  {source} {stream}: {path} REFUSED: {reason}"))
            for each in reasons[:FIRST_REASONS]:
                print(printable(f"      {each}"))
            continue
        span = f", {first} to {last}" if first else ""
        counts = f"{read:,} read = {loaded:,} loaded + {quarantined:,} quarantined"
        counts += f" + {merged:,} merged" if merged else ""
        print(printable(f"  {source} {stream}: {path}: {counts}{span}"))
        for note in noted:
            print(printable(f"      note: {note}"))
    bad = _ask(
        """
        select file, line_no, column_name, reason
        from ops.quarantine where source = 'files' and replayed_at is null
        order by quarantine_id limit 10
        """
    )
    for path, line, column, reason in bad:
        print(printable(f"      {path} line {line}{f', {column}' if column else ''}: {reason}"))
    changed = _ask(
        """
        select coalesce(sum(rows_read), 0)
        from ops.loads where source = 'files' and run_id = %(run_id)s
        """,
        {"run_id": run_id},
    )[0][0]
    if not changed:
        print("  nothing new: no file has changed since it was loaded")


def _print_won_without_deals() -> None:
    """Print leads that are won by their own status: the funnel counts won deals, so it lacks them."""
    rows = _ask(
        """
        select leads.source_system, count(*)
        from bi.fct_leads as leads
        where leads.outcome = 'won'
            and not exists (
                select from bi.fct_opportunities as deals where deals.lead_key = leads.lead_key and deals.is_won
            )
        group by leads.source_system
        order by leads.source_system
        """
    )
    for source, leads in rows:
        print(
            f"\nNot in the funnel's won: {leads:,} leads of {source} whose status is won and that have no won deal. "
            "The funnel counts deals: map opportunities with their lead_id to count them."
        )


def _print_missing() -> None:
    """Print the marts that stay empty, and what would fill each."""
    empty = [name for name in _marts() if not _ask(f'select exists (select from bi."{name}")')[0][0]]  # noqa: S608
    if empty:
        print("\nEmpty marts, and what would fill them")
        for name in empty:
            print(f"  {name:26} {FILLED_BY.get(name, 'see docs/files.md')}")


def _marts() -> list[str]:
    with warehouse.connect("bi_reader") as connection:
        return warehouse.tables(connection, "bi")


def _ask(query: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with warehouse.connect("bi_reader") as connection:
        return connection.execute(query.encode(), parameters).fetchall()
