"""One Airflow DAG per source: read the vendor, load the responses, check the delivery.

Wiring only. The tasks are in `funnel.orchestration.tasks`, the sources in `funnel.sources`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, XComArg, task_group

from funnel import settings
from funnel.contract import Source
from funnel.orchestration import failures, tasks, windows
from funnel.sources import INBOX, VENDORS

RUNBOOK = """
### ingest__{name}

**Owner** {owner} · **Emits** `raw/{name}` · **Alerts** see docs/runbook.md

Reads {name} for one day and loads it into `raw.{name}__*`. A scheduled run also reads the {restatement_days} days
before, which the vendor says it may still change, and more if older days were measured to change (`ops.sources`,
`ops.restatement`). Backfills and manual runs read exactly the requested days.

**Normal.** One run a day, taking seconds to minutes. A run in `up_for_reschedule` waits for a quota of hours; it
continues automatically and uses no slot. `up_for_retry` with a delay is a throttle.

**One long first load.** Trigger with `{{"from": "2026-08-01", "to": "2026-10-31"}}`; the last day is included.

**Days again.** `airflow backfill create --dag-id ingest__{name} --from-date 2026-08-01 --to-date 2026-08-31`, with
`--reprocess-behavior completed` for days that were loaded before. Any window may be run again, in any order: the
newest read of a day counts.

**When it fails.** `extract`: a dead token or a refused permission fails at once and says what to renew
(docs/connections.md); clear the task afterwards. `load`: nothing of the failing stream was loaded; clear the task,
the vendor is not asked again. `check`: the delivery failed its gate and no asset was emitted; the message names the
expectation, the rows and their hashed keys. Correct it at the vendor, or change the expectation, then clear the run.
`accept` and `report_held_back`, of a source with several connections: each is loaded and checked in one transaction.
One that fails is held back, the others are loaded and built; the message names it and what to do.
`report_refused_accounts`, of sources whose connection reads several accounts: the vendor refused some of them. The
others are loaded and built, the refused ones keep their days (`ops.accounts`); the message says what to do about each.
"""


def ingest(source: Source, *, runs_at_once: int) -> DAG:
    """The DAG of one source, still without tasks."""
    return DAG(
        dag_id=f"ingest__{source.name}",
        # A run reads one day: the interval's start names it, and one missed run is one missed day.
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=runs_at_once,
        dagrun_timeout=timedelta(hours=36),
        params=windows.WINDOW_PARAMS,
        tags=["ingest", source.name],
        doc_md=RUNBOOK.format(name=source.name, owner=source.owner, restatement_days=source.restatement_days),
        default_args={
            "owner": source.owner,
            "retries": 4,
            "retry_delay": timedelta(minutes=2),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(hours=1),
            "retry_policy": failures.FailureRetryPolicy(),
            "execution_timeout": timedelta(hours=3),
            "on_retry_callback": failures.say_why_it_is_retried,
            "on_failure_callback": failures.alert,
        },
    )


def read_vendor(source: Source) -> None:
    """The tasks of a vendor; each of several connections is accepted by itself."""
    connection_ids = settings.connection_ids(source.name)
    if len(connection_ids) == 1:
        checked = tasks.check.override(outlets=[tasks.asset(source.name)])(source.name)
        tasks.load(tasks.extract(source.name, connection_ids[0])) >> checked
    else:
        checked = read_connections(source, connection_ids)
    if any(stream.account for stream in source.streams):
        # After the asset: the accepted accounts are built.
        checked >> tasks.report_refused_accounts(source.name)


def read_connections(source: Source, connection_ids: tuple[str, ...]) -> XComArg:
    """The tasks of a source with several connections; returns the task that emits the asset.

    Each connection is accepted or held back by itself; accepted ones are announced even if others failed, and the run
    fails.
    """
    accepted = []
    for connection_id in connection_ids:
        with TaskGroup(connection_id):
            landed = tasks.extract(source.name, connection_id)
            accepted.append(tasks.accept(source.name, connection_id, landed))
    announced = tasks.announce.override(outlets=[tasks.asset(source.name)])(source.name)
    accepted >> announced
    accepted >> tasks.report_held_back(source.name, connection_ids)
    return announced


def read_inbox(source: Source) -> None:
    """The tasks of files: its sources are known only when the inbox is read.

    Each source is accepted or held back by itself; accepted ones are announced even if others failed, and the run
    fails.
    """

    extract = tasks.extract_files.override(**tasks.INBOX_TASKS)
    accept = tasks.accept.override(**tasks.INBOX_TASKS)

    @task_group
    def take_in(connection_id: str) -> None:
        accept(source.name, connection_id, extract(source.name, connection_id))

    taken = take_in.expand(connection_id=tasks.list_inbox())
    taken >> tasks.announce.override(outlets=[tasks.asset(source.name)])(source.name)
    taken >> tasks.report_refused_files(source.name)


for each in VENDORS.values():
    # A backfill brings its own limit, and loads of one stream take turns anyway.
    with ingest(each, runs_at_once=4):
        read_vendor(each)
# Two runs of an inbox at once would read the same files twice.
with ingest(INBOX, runs_at_once=1):
    read_inbox(INBOX)
