"""The gate of a delivery: the rows that one run loaded of a source.

A delivery is read from ops.loads and raw; results go to ops.checks. A failed delivery stops publication until it is
repaired (BLD-3).
"""

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psycopg

from funnel import warehouse
from funnel.contract import Source, Stream, raw_table
from funnel.gate import currencies, session
from funnel.gate.delivery_rules import rules_of
from funnel.gate.records import record
from funnel.gate.report import Check, CheckReport
from funnel.gate.runner import data_source, evaluate
from funnel.gate.suites import Batch, columns_of, literal, suite
from funnel.ingest import json_rows
from funnel.sources import SOURCES

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def check_raw(source: str, run_id: str) -> CheckReport:
    """Check what one run loaded of a source, and write the results to ops.checks.

    Checked are the run's rows of ops.loads, the days it read of dated streams, and the records it changed of changed
    streams, together with those of deliveries that failed before and were not repaired since: a bad row that the vendor
    sends again unchanged keeps its first load id, and must be checked again nevertheless.
    """
    declared = SOURCES[source]
    with warehouse.connect("loader") as connection:
        loads = warehouse.dicts(connection, _RUN_LOADS, {"source": source, "run_id": run_id})
        suspects = [row for row in open_failures(connection) if row["source"] == source]
    streams = [stream.name for stream in declared.streams]
    batches = _raw_batches(declared, streams, loads, suspects, {})
    with data_source("loader") as data:
        results = tuple(check for batch in batches for check in evaluate(data, batch))
    with warehouse.connect("loader") as connection:
        found = list(currencies.lacking(connection, declared, loads, suspects))
    results += tuple(_currency_check(each) for each in found)
    report = CheckReport(
        subject=f"Delivery of {source} in run {run_id}",
        advice=f"What to do: nothing of this run is published, and builds wait for it. Repair the cause, then run "
        f"ingest__{source} for the same days again; if the data are right and the limit is wrong, change it in "
        f"expectations/ and clear the task.",
        results=results,
    )
    with warehouse.connect("loader") as connection:
        record(connection, report, source=source, run_id=run_id)
    return report


def _currency_check(found: currencies.Lacking) -> Check:
    return Check(
        suite=currencies.SUITE,
        table=found.table,
        column=found.column,
        expectation=currencies.EXPECTATION,
        severity="critical",
        passed=not found.rows,
        observed={"connections": list(found.rows)},
        unexpected_count=sum(found.rows.values()) if found.rows else None,
        notes=found.cure if found.rows else None,
    )


def check_delivery(
    connection: psycopg.Connection[Any],
    source: str,
    connection_id: str,
    run_id: str,
    filled: Mapping[str, frozenset[str]],
) -> CheckReport:
    """Check what an open transaction has loaded of one connection; the results are not written yet.

    `filled` names the columns that the files of an inbox's source fill, by stream. Expectations of other columns are
    skipped.
    """
    declared = SOURCES[source]
    rules = rules_of(declared)
    asked = {"source": source, "run_id": run_id}
    loads = [load for load in warehouse.dicts(connection, _RUN_LOADS, asked) if load["connection_id"] == connection_id]
    suspects = [
        load for load in open_failures(connection) if (load["source"], load["connection_id"]) == (source, connection_id)
    ]
    landed = {load["stream"] for load in loads}
    expected = {stream.name for stream in declared.streams} if rules.has_every_stream else landed
    batches = _raw_batches(declared, sorted(expected), loads, suspects, filled)
    with data_source("loader") as data, session.joined(data, connection) as joined:
        # Its rows are not in raw, so no query there returns them.
        results = tuple(replace(check, rows_query=None) for batch in batches for check in evaluate(joined, batch))
    if rules.currency == "stated":
        lacking = currencies.lacking(connection, declared, loads, suspects)
        results += tuple(_currency_check(each) for each in lacking)
    advice = (
        "What to do: nothing of this delivery is loaded; what was accepted before stays, and the other "
        f"{rules.others} go on. {rules.cure} If the data are right and the limit is wrong, change it in "
        f"expectations/raw/{source}.py."
    )
    return CheckReport(f"Delivery of {connection_id} in run {run_id}", advice, results)


def _raw_batches(
    declared: Source,
    streams: list[str],
    loads: list[dict[str, Any]],
    suspects: list[dict[str, Any]],
    filled: Mapping[str, frozenset[str]],
) -> list[Batch]:
    judged = suite(f"raw/{declared.name}")
    batches = [_deliveries(loads, streams, rules_of(declared).quarantine_limit)]
    for stream in declared.streams:
        mine = [load for load in loads if load["stream"] == stream.name]
        doubtful = [load for load in suspects if load["stream"] == stream.name]
        batch = _delivered(declared, stream, mine, doubtful, judged)
        if stream.name in filled:
            batch = _only_filled(batch, filled[stream.name])
        has_rows = doubtful or any(load["rows_loaded"] for load in mine)
        if (batch.expectations or batch.skipped) and has_rows:
            batches.append(batch)
    return batches


def _only_filled(batch: Batch, columns: frozenset[str]) -> Batch:
    """The batch without the expectations of columns that the source does not fill; these are recorded as skipped."""

    def asks_for_more(expectation: "Expectation") -> bool:
        return not set(columns_of(expectation)) <= columns

    return replace(
        batch,
        critical=[each for each in batch.critical if not asks_for_more(each)],
        warning=[each for each in batch.warning if not asks_for_more(each)],
        skipped=[(severity, each) for severity, each in batch.expectations if asks_for_more(each)],
    )


# The newest load of each window of the run: after a retry only the last attempt is checked.
_RUN_LOADS = """
select distinct on (connection_id, stream, window_from, window_to) *
from ops.loads
where source = %(source)s and run_id = %(run_id)s
order by connection_id, stream, window_from, window_to, load_id desc
"""

_DELIVERIES = """
select
    delivery.load_id,
    delivery.stream,
    delivery.connection_id,
    delivery.rows_read,
    delivery.rows_quarantined,
    delivery.rows_quarantined / nullif(delivery.rows_read, 0)::float8 as quarantined_share,
    delivery.rows_loaded + delivery.rows_retracted as rows_before,
    delivery.rows_retracted / nullif(delivery.rows_loaded + delivery.rows_retracted, 0)::float8 as retracted_share,
    cardinality(delivery.new_fields) as new_fields,
    delivery.values_noted,
    delivery.rows_conflicting,
    delivery.values_noted - usual_notes.most as notes_more,
    usual.rows_per_day * (delivery.window_to - delivery.window_from) as rows_expected,
    -- A whole read does not measure a day.
    case when not delivery.is_whole then delivery.rows_loaded end
    / nullif(usual.rows_per_day * (delivery.window_to - delivery.window_from), 0) as volume_ratio
from ops.loads as delivery
left join lateral (
    select percentile_cont(0.5) within group (order by earlier.rows_per_day) as rows_per_day
    from (
        select load.rows_loaded / (load.window_to - load.window_from)::float8 as rows_per_day
        from ops.loads as load
        where
            load.source = delivery.source
            and load.stream = delivery.stream
            and load.connection_id = delivery.connection_id
            and load.load_id < delivery.load_id
            and load.run_id <> delivery.run_id
            and not load.is_whole
        order by load.load_id desc
        limit 28
    ) as earlier
    having count(*) >= 5
) as usual on true
cross join lateral (
    select coalesce(max(earlier.values_noted), 0) as most
    from (
        select load.values_noted
        from ops.loads as load
        where
            load.source = delivery.source
            and load.stream = delivery.stream
            and load.connection_id = delivery.connection_id
            and load.load_id < delivery.load_id
            and load.run_id <> delivery.run_id
        order by load.load_id desc
        limit 28
    ) as earlier
) as usual_notes
where delivery.load_id = any(array[{load_ids}]::bigint[])
"""


def _deliveries(loads: list[dict[str, Any]], streams: list[str], quarantine_limit: float) -> Batch:
    judged = suite("deliveries")
    return Batch(
        suite="deliveries",
        table="ops.loads",
        key=("load_id",),
        query=_DELIVERIES.format(load_ids=", ".join(str(load["load_id"]) for load in loads)),
        columns=frozenset({"load_id", "stream", "connection_id", "rows_read", "rows_quarantined"}),
        critical=judged.CRITICAL,
        warning=judged.WARNING,
        parameters={"streams": streams, "quarantine_limit": quarantine_limit},
    )


def _delivered(
    source: Source, stream: Stream, loads: list[dict[str, Any]], suspects: list[dict[str, Any]], judged: ModuleType
) -> Batch:
    """The rows of one stream that belong to this delivery, limited to the columns that its suite uses."""
    if stream.kind == "dated":
        scopes = [
            f"(_connection_id = {literal(load['connection_id'])} and {stream.day} >= date '{load['window_from']}' "
            f"and {stream.day} < date '{load['window_to']}')"
            for load in loads
        ]
    else:
        scopes = [f"_load_id = {load['load_id']}" for load in (*loads, *suspects)]
    table = f"raw.{raw_table(source, stream)}"
    key = ("_connection_id", *stream.key)
    columns = {name for name, _ in json_rows.raw_columns(stream)} | {"_connection_id", "_load_id", "_fetched_at"}
    critical, warning = judged.CRITICAL.get(stream.name, []), judged.WARNING.get(stream.name, [])
    wanted = [*key, *sorted(columns & {name for each in (*critical, *warning) for name in columns_of(each)} - set(key))]
    return Batch(
        suite=f"raw/{source.name}",
        table=table,
        key=stream.key,
        # These names and numbers are ours: columns are declared, ids are integers, connection ids are quoted.
        query=f"select {', '.join(wanted)} from {table} where {' or '.join(scopes) or 'false'}",  # noqa: S608
        columns=frozenset(columns),
        critical=critical,
        warning=warning,
    )


# A run failed if its latest check found bad rows. It is repaired when its windows were loaded again by runs that
# passed.
_OPEN_FAILURES = """
with judged_last as (
    select distinct on (audit.source, audit.run_id) audit.source, audit.run_id, audit.checked_at
    from ops.checks as audit
    where
        (audit.source, audit.run_id) in (
            select failed.source, failed.run_id
            from ops.checks as failed
            where not failed.passed and failed.severity = 'critical'
        )
        -- What was checked before it reached raw never did when it failed.
        and audit.connection_id is null
    order by audit.source, audit.run_id, audit.check_id desc
),

failed_runs as (
    select distinct audit.source, audit.run_id
    from ops.checks as audit
    inner join judged_last using (source, run_id, checked_at)
    where
        not audit.passed
        and audit.severity = 'critical'
        and audit.connection_id is null
        and (audit.unexpected_count > 0 or jsonb_exists(audit.observed, 'raised'))
)

select
    load.source,
    load.run_id,
    load.connection_id,
    load.stream,
    load.window_from,
    load.window_to,
    load.load_id
from ops.loads as load
inner join failed_runs using (source, run_id)
where not coalesce((
    select range_agg(daterange(later.window_from, later.window_to)) @> daterange(load.window_from, load.window_to)
    from ops.loads as later
    where
        later.source = load.source
        and later.stream = load.stream
        and later.connection_id = load.connection_id
        and later.load_id > load.load_id
        and later.run_id <> load.run_id
        and (later.source, later.run_id) not in (select failed_runs.source, failed_runs.run_id from failed_runs)
        and exists (
            select from ops.checks as audit where audit.source = later.source and audit.run_id = later.run_id
        )
), false)
order by load.load_id
"""


def open_failures(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """Loads whose rows failed their gate and were not replaced since by a delivery that passed."""
    return warehouse.dicts(connection, _OPEN_FAILURES)
