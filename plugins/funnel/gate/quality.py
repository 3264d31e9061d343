"""The gate: whether a delivery, or a build of the marts, may be believed.

Runs the suites of `expectations/` with Great Expectations on what changed, writes one row per expectation to ops.checks
and says in words what failed. It does not decide what happens then: a task calls `require` and stops, or goes on.

Suites are evaluated as booleans first; only what failed is asked again for counts and keys. Keys leave as hashes.
"""

import importlib.util
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from html import escape
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from funnel import ledger, settings, warehouse
from funnel.contract import Source, Stream, raw_table
from funnel.gate import currencies, session
from funnel.ingest import json_rows, privacy
from funnel.sources import SOURCES

if TYPE_CHECKING:
    from great_expectations.datasource.fluent import SQLDatasource
    from great_expectations.expectations.expectation import Expectation

SUITES = settings.REPOSITORY / "expectations"

# A mart with a hundred thousand bad rows is recognised by five of them.
SAMPLES = 5
# An alert is read on a telephone.
TOLD = 12

Severity = Literal["critical", "warning"]

log = logging.getLogger(__name__)


class GateClosed(Exception):
    """A critical expectation failed. The message is the report's text."""


class SuiteError(Exception):
    """A suite cannot be run as it is written. The message names the suite and what to change."""


@dataclass(frozen=True)
class Check:
    """One expectation and its result. `passed` is None when it was skipped: the source fills none of its columns.

    `rows_query` returns the rows that violate it; it is for the log and is not stored.
    """

    suite: str
    table: str
    column: str | None
    expectation: str
    severity: Severity
    passed: bool | None
    observed: Mapping[str, Any] = field(default_factory=dict)
    unexpected_count: int | None = None
    sample_keys: tuple[str, ...] = ()
    notes: str | None = None
    rows_query: str | None = None

    @property
    def text(self) -> str:
        """Which expectation, where, how many rows, which keys, why it matters and where to look."""
        lines = [f"{self.severity.upper()} {self.table}{f'.{self.column}' if self.column else ''}: {self.expectation}"]
        if "raised" in self.observed:
            lines.append(f"could not be evaluated, which counts as failed: {self.observed['raised']}")
        if self.unexpected_count is not None:
            of_all = f" of {self.observed['rows']}" if "rows" in self.observed else ""
            rows = f"{self.unexpected_count}{of_all} rows"
            keys = f" · hashed keys {', '.join(self.sample_keys)}" if self.sample_keys else ""
            days = f" · days {', '.join(self.observed['days'])}" if self.observed.get("days") else ""
            lines.append(rows + keys + days)
        elif "value" in self.observed:
            lines.append(f"observed: {self.observed['value']}")
        if self.notes:
            lines.append(self.notes)
        if self.rows_query:
            lines.append(f"look at: {self.rows_query}")
        return "\n    ".join(lines)


@dataclass(frozen=True)
class CheckReport:
    """What one audit found. `failures` are the failed critical expectations, `warnings` the failed others."""

    subject: str
    advice: str
    results: tuple[Check, ...]

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.results if check.passed is False and check.severity == "critical"]

    @property
    def warnings(self) -> list[Check]:
        return [check for check in self.results if check.passed is False and check.severity == "warning"]

    @property
    def skipped(self) -> list[Check]:
        return [check for check in self.results if check.passed is None]

    @property
    def passed(self) -> bool:
        return not self.failures

    def text(self) -> str:
        """The report for a log or an alert: critical failures first, then warnings, then what to do."""
        asked = [check for check in self.results if check.passed is not None]
        critical = sum(check.severity == "critical" for check in asked)
        skipped = f" {len(self.skipped)} use columns that no file fills and were skipped." if self.skipped else ""
        head = (
            f"{self.subject}: {len(self.failures)} of {critical} critical expectations failed, "
            f"{len(self.warnings)} of {len(asked) - critical} warnings.{skipped}"
        )
        told = [*self.failures, *self.warnings]
        more = [f"… and {len(told) - TOLD} more in ops.checks."] if len(told) > TOLD else []
        advice = [] if self.passed else [self.advice]
        return "\n".join([head, *(check.text for check in told[:TOLD]), *more, *advice])


def extended(report: CheckReport, checks: Sequence[Check]) -> CheckReport:
    """The report with the results of further checks."""
    return replace(report, results=(*report.results, *checks))


def require(report: CheckReport) -> None:
    """Raise GateClosed with the report's text when a critical expectation failed; log it otherwise."""
    if not report.passed:
        raise GateClosed(report.text())
    (log.warning if report.warnings else log.info)(report.text())


# What is looked at -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """The rows of one query, and what is expected of them.

    `key` names a bad row of `table`. Bad rows can be looked at there when the expectation speaks of its `columns` only,
    and of nothing that the query computes.
    """

    suite: str
    table: str
    key: tuple[str, ...]
    query: str
    columns: frozenset[str]
    critical: Sequence["Expectation"] = ()
    warning: Sequence["Expectation"] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    skipped: Sequence[tuple[Severity, "Expectation"]] = ()

    @property
    def expectations(self) -> list[tuple[Severity, "Expectation"]]:
        return [*(("critical", each) for each in self.critical), *(("warning", each) for each in self.warning)]


@cache
def suite(name: str) -> ModuleType:
    """The module `expectations/<name>.py`, for instance `raw/google_ads`. Raises SuiteError when there is none."""
    path = SUITES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"expectations.{name.replace('/', '.')}", path)
    if not path.exists() or spec is None or spec.loader is None:
        raise SuiteError(f"{path} is missing: there is no suite for {name}. Write it.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mart_suites() -> list[str]:
    """Names of the suites of marts, in the order of their files."""
    return [f"marts/{path.stem}" for path in sorted((SUITES / "marts").glob("*.py")) if path.stem != "__init__"]


# A delivery --------------------------------------------------------------------------------------------------------


def check_raw(source: str, run_id: str) -> CheckReport:
    """Check what one run loaded of a source, and write the results to ops.checks.

    Looks at the run's rows of ops.loads, at the days it read of dated streams, and at the records it changed of changed
    streams, together with those of deliveries that failed before and were not repaired since: a bad row that the vendor
    sends again unchanged keeps its first load id, and must not pass for being old.
    """
    declared = SOURCES[source]
    with warehouse.connect("loader") as connection:
        loads = _dicts(connection, _RUN_LOADS, {"source": source, "run_id": run_id})
        suspects = [row for row in open_failures(connection) if row["source"] == source]
    streams = [stream.name for stream in declared.streams]
    batches = _raw_batches(declared, streams, loads, suspects, {})
    with _warehouse("loader") as data:
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
    """Check what an open transaction has loaded of one source of an inbox; the results are not written yet.

    `filled` names the columns that the source's files fill, by stream. What speaks of another column is skipped.
    """
    declared = SOURCES[source]
    loads = [
        load
        for load in _dicts(connection, _RUN_LOADS, {"source": source, "run_id": run_id})
        if load["connection_id"] == connection_id
    ]
    batches = _raw_batches(declared, sorted({load["stream"] for load in loads}), loads, [], filled)
    with _warehouse("loader") as data, session.joined(data, connection) as joined:
        # Its rows are not in raw, so no query there returns them.
        results = tuple(replace(check, rows_query=None) for batch in batches for check in evaluate(joined, batch))
    return CheckReport(
        subject=f"Delivery of {connection_id} in run {run_id}",
        advice="What to do: nothing of this delivery is loaded; what was accepted before stays, and the other sources "
        "go on. Correct the file or the manifest: the next run reads them again. If the data are right and the limit "
        f"is wrong, change it in expectations/raw/{source}.py.",
        results=results,
    )


def _raw_batches(
    declared: Source,
    streams: list[str],
    loads: list[dict[str, Any]],
    suspects: list[dict[str, Any]],
    filled: Mapping[str, frozenset[str]],
) -> list[Batch]:
    judged = suite(f"raw/{declared.name}")
    # How many bad rows a file may have is for its manifest to say; above that nothing of it was loaded.
    limit = 1.0 if declared.is_inbox else settings.read().quarantine_limit
    batches = [_deliveries(loads, streams, limit)]
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
    """The batch without expectations of columns that the source does not fill: these are noted as skipped."""

    def asks_for_more(expectation: "Expectation") -> bool:
        return not set(_columns(expectation)) <= columns

    return replace(
        batch,
        critical=[each for each in batch.critical if not asks_for_more(each)],
        warning=[each for each in batch.warning if not asks_for_more(each)],
        skipped=[(severity, each) for severity, each in batch.expectations if asks_for_more(each)],
    )


# The newest load of each window of the run: an attempt that was repeated is judged by its repetition.
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
    -- A whole read is no measure of a day.
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
    """The rows of one stream that the run answers for, narrowed to the columns its suite speaks of."""
    if stream.kind == "dated":
        scopes = [
            f"(_connection_id = {_literal(load['connection_id'])} and {stream.day} >= date '{load['window_from']}' "
            f"and {stream.day} < date '{load['window_to']}')"
            for load in loads
        ]
    else:
        scopes = [f"_load_id = {load['load_id']}" for load in (*loads, *suspects)]
    table = f"raw.{raw_table(source, stream)}"
    key = ("_connection_id", *stream.key)
    columns = {name for name, _ in json_rows.raw_columns(stream)} | {"_connection_id", "_load_id", "_fetched_at"}
    critical, warning = judged.CRITICAL.get(stream.name, []), judged.WARNING.get(stream.name, [])
    wanted = [*key, *sorted(columns & {name for each in (*critical, *warning) for name in _columns(each)} - set(key))]
    return Batch(
        suite=f"raw/{source.name}",
        table=table,
        key=stream.key,
        # Names and numbers of our own: columns are declared, ids are integers, connection ids are quoted.
        query=f"select {', '.join(wanted)} from {table} where {' or '.join(scopes) or 'false'}",  # noqa: S608
        columns=frozenset(columns),
        critical=critical,
        warning=warning,
    )


# A run failed when its latest judgement found bad rows. It is repaired when its windows were loaded again by runs that
# were judged and passed.
_OPEN_FAILURES = """
with judged_last as (
    select audit.source, audit.run_id, max(audit.checked_at) as checked_at
    from ops.checks as audit
    where
        (audit.source, audit.run_id) in (
            select failed.source, failed.run_id
            from ops.checks as failed
            where not failed.passed and failed.severity = 'critical'
        )
        -- What was checked before it reached raw never did when it failed.
        and audit.connection_id is null
    group by audit.source, audit.run_id
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
    """Loads whose rows failed their gate and were not replaced by a delivery that passed."""
    return _dicts(connection, _OPEN_FAILURES)


# The marts ---------------------------------------------------------------------------------------------------------


def check_marts(build_id: int) -> CheckReport:
    """Judge a build of the marts, and write the judgement to ops.checks.

    Looks at the rows that changed since the publication in effect, by the change lists that publishing copies by, and
    at sums over the days, months and people they touch: the cost follows the change. A full build is looked at whole.
    """
    with warehouse.connect("builder") as connection:
        scope = _scope(connection, build_id)
        batches = [*_inputs(connection), *_marts(connection, scope)]
    with _warehouse("builder") as data:
        results = tuple(check for batch in batches for check in evaluate(data, batch))
    report = CheckReport(
        subject=f"Marts of build {build_id}",
        advice="What to do: readers keep the last publication. Repair the cause and run build_funnel: what was not "
        "published is part of the next build by itself. If the data are right and the limit is wrong, change it in "
        "expectations/ and clear the task.",
        results=results,
    )
    with warehouse.connect("builder") as connection:
        record(connection, report, build_id=build_id)
    return report


@dataclass(frozen=True)
class _Scope:
    """What a build touched, as the words in braces that suites of marts may use in their queries."""

    is_whole: bool
    keys: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, frozenset[str]]
    texts: Mapping[str, tuple[str, ...]]
    words: Mapping[str, str]
    parameters: Mapping[str, Any]

    def changed(self, mart: str) -> str:
        """Rows of a mart, as they are now, that changed since the publication in effect."""
        if self.is_whole or mart not in self.keys:
            return f"marts.{mart}"
        key = ", ".join(self.keys[mart])
        listed = f"select distinct {key} from marts_changes.{mart}"  # noqa: S608
        return f"(select built.* from marts.{mart} as built inner join ({listed}) as listed using ({key}))"  # noqa: S608

    def touched(self, model: str) -> str:
        """Keys and tracked columns of a model's rows that changed, as they were and as they are."""
        if self.is_whole:
            return f"{'intermediate' if model.startswith('int_') else 'marts'}.{model}"
        return f"marts_changes.{model}"

    def is_touched(self, column: str, models: Sequence[str]) -> str:
        """The condition that a key or tracked column is one of a changed row of these models."""
        if self.is_whole:
            return f"{column} is not null"
        listed = " union ".join(f"select {column} from {self.touched(model)}" for model in models)  # noqa: S608
        # As an array the values are looked up in an index; as a subquery the planner may read the whole table.
        return f"{column} = any(array({listed}))"

    def fill(self, query: str) -> str:
        """The query with its words in braces replaced."""
        query = re.sub(r"\{changed\.(\w+)\}", lambda found: self.changed(found[1]), query)
        query = re.sub(
            r"\{is_touched\.(\w+)\.([\w.]+)\}", lambda found: self.is_touched(found[1], found[2].split(".")), query
        )
        query = re.sub(r"\{touched\.(\w+)\}", lambda found: self.touched(found[1]), query)
        return query.format_map(self.words).strip()


def _scope(connection: psycopg.Connection[Any], build_id: int) -> _Scope:
    builds = _dicts(
        connection,
        """
        select *, cast(as_of at time zone reporting_timezone as date) as as_of_date
        from ops.builds
        where build_id = %s
        """,
        (build_id,),
    )
    if not builds:
        raise SuiteError(f"There is no build {build_id} in ops.builds; build the marts first.")
    build = builds[0]
    tables = _dicts(connection, _TABLES)
    if not any(table["name"] == "dim_channels" for table in tables):
        raise SuiteError("marts.dim_channels does not exist; build the marts first.")
    since = build["since_load_id"]
    as_of_date = build["as_of_date"].isoformat()
    return _Scope(
        is_whole=build["is_full"] or ledger.publication_in_effect(connection) is None,
        keys={table["name"]: tuple(table["key"]) for table in tables},
        columns={table["name"]: frozenset(table["columns"]) for table in tables},
        texts={table["name"]: tuple(table["texts"]) for table in tables},
        words={
            "as_of_date": f"date '{as_of_date}'",
            "timezone": _literal(build["reporting_timezone"]),
            "master_crm": _literal(build["master_crm"]),
            "since_load_id": str(since),
            "through_load_id": str(build["through_load_id"]),
            # A day that was read again since the build is judged by the next one.
            "loaded_days": f"array(select date_day from ops.loaded_days where load_id > {since} "  # noqa: S608
            f"and load_id <= {build['through_load_id']})",
        },
        parameters={
            "as_of_date": as_of_date,
            "channels": [row["channel"] for row in _dicts(connection, _CHANNELS)],
        },
    )


_TABLES = """
select
    tables.relname as name,
    array_agg(columns.attname::text order by columns.attnum) as columns,
    coalesce(
        array_agg(columns.attname::text order by columns.attnum) filter (where columns.atttypid = 'text'::regtype), '{}'
    ) as texts,
    coalesce(
        array_agg(columns.attname::text order by array_position(keys.indkey::smallint[], columns.attnum))
        filter (where columns.attnum = any(keys.indkey)),
        '{}'
    ) as key
from pg_class as tables
inner join pg_attribute as columns
    on tables.oid = columns.attrelid and columns.attnum > 0 and not columns.attisdropped
left join pg_index as keys
    on tables.oid = keys.indrelid and keys.indisprimary
where tables.relnamespace = 'marts'::regnamespace and tables.relkind = 'r'
group by tables.relname
"""

# What finds no touch at all lies on a member of its own.
_CHANNELS = "select channel from marts.dim_channels union all select '(unattributed)'"


def _inputs(connection: psycopg.Connection[Any]) -> Iterator[Batch]:
    judged = suite("inputs")
    doubtful = ", ".join(str(load["load_id"]) for load in open_failures(connection))
    yield Batch(
        suite="inputs",
        table="ops.loads",
        key=tuple(judged.KEYS["deliveries"]),
        query=f"select load_id, run_id from ops.loads where load_id = any(array[{doubtful}]::bigint[])",  # noqa: S608
        columns=frozenset({"load_id", "run_id"}),
        critical=judged.CRITICAL["deliveries"],
    )


def _marts(connection: psycopg.Connection[Any], scope: _Scope) -> Iterator[Batch]:
    """The batches of all suites of marts. A table without a suite is refused: nobody said when it may be believed."""
    names = {name.removeprefix("marts/") for name in mart_suites()}
    if unjudged := sorted(set(scope.keys) - names):
        raise SuiteError(
            f"Nothing says when marts.{unjudged[0]} may be believed. Write expectations/marts/{unjudged[0]}.py."
        )
    for mart in sorted(names):
        judged = suite(f"marts/{mart}")
        queries: dict[str, str] = getattr(judged, "BATCHES", {})
        for batch in dict.fromkeys((*judged.CRITICAL, *judged.WARNING)):
            if batch == "rows" and not scope.is_whole and mart in scope.keys and not _has_changed(connection, mart):
                continue
            critical, warning = judged.CRITICAL.get(batch, []), judged.WARNING.get(batch, [])
            key = scope.keys.get(mart, ()) if batch == "rows" else tuple(getattr(judged, "KEYS", {}).get(batch, ()))
            query = scope.fill(queries.get(batch, f"select mart.* from {{changed.{mart}}} as mart"))  # noqa: S608
            if batch == "rows":
                query = _narrowed(query, key, [*critical, *warning], scope.texts.get(mart, ()))
            yield Batch(
                suite=f"marts/{mart}",
                table=f"marts.{mart}",
                key=key,
                query=query,
                columns=scope.columns.get(mart, frozenset()) if batch == "rows" else frozenset(),
                critical=critical,
                warning=warning,
                parameters=scope.parameters,
            )


def _has_changed(connection: psycopg.Connection[Any], mart: str) -> bool:
    listed = sql.SQL("select exists (select from {}) as listed").format(sql.Identifier("marts_changes", mart))
    return bool(_dicts(connection, listed)[0]["listed"])


def _narrowed(query: str, key: tuple[str, ...], stated: list["Expectation"], texts: tuple[str, ...]) -> str:
    """The query with only the columns that are spoken of; `all_text` is every text of the row, one after the other."""
    wanted = dict.fromkeys((*key, *(name for each in stated for name in _columns(each))))
    columns = [
        f"concat_ws(' ', {', '.join(texts) or 'null'}) as all_text" if name == "all_text" else name for name in wanted
    ]
    return f"select {', '.join(columns)} from ({query}) as mart"  # noqa: S608


# Great Expectations ------------------------------------------------------------------------------------------------


def _context() -> Any:
    """Great Expectations without files, without progress bars and without messages to its makers."""
    import great_expectations
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    return great_expectations.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=stores, analytics_enabled=False, progress_bars={"globally": False}
        ),
    )


@contextmanager
def _warehouse(role: settings.Role) -> Iterator["SQLDatasource"]:
    """The warehouse as Great Expectations sees it: one connection, scoped rows copied once into a temporary table."""
    from sqlalchemy.engine import make_url

    url = make_url(settings.dsn(role)).set(drivername="postgresql+psycopg")
    options = f"{url.query.get('options', '')} -c timezone=UTC".strip()
    warehouse = _context().data_sources.add_postgres(
        "warehouse",
        connection_string=url.update_query_dict({"options": options}).render_as_string(hide_password=False),
        create_temp_table=True,
        # Its type of key-value pairs is asked for by each engine anew, and no column has it.
        kwargs={"pool_size": 1, "max_overflow": 0, "use_native_hstore": False},
    )
    try:
        yield warehouse
    finally:
        warehouse.get_engine().dispose()


def evaluate(warehouse: "SQLDatasource", batch: Batch) -> Iterator[Check]:
    """Evaluate all expectations of a batch; as many checks as expectations, in their order, the skipped ones first.

    An expectation that cannot be evaluated has failed, and so have all of a batch that cannot be read: what was not
    checked is not believed.
    """
    from great_expectations import ExpectationSuite
    from great_expectations.validator.v1_validator import Validator

    for severity, expectation in batch.skipped:
        yield _skipped(batch, severity, expectation)
    if not batch.expectations:
        return
    # Each new asset makes Great Expectations write its whole configuration anew: those that were judged are left out.
    warehouse.assets.clear()
    asset = warehouse.add_query_asset(f"{batch.suite}:{batch.table}", query=batch.query)
    # Batch.validate would copy the rows again for every call; this validator keeps them for the second question.
    validator = Validator(batch_definition=asset.add_batch_definition_whole_table("rows"))

    def ask(places: Sequence[int], result_format: Any) -> dict[int, Any]:
        validator.result_format = result_format
        asked = ExpectationSuite(
            name=batch.suite,
            expectations=[
                batch.expectations[place][1].copy(update={"id": None, "meta": {"place": place}}) for place in places
            ],
        )
        answered = validator.validate_expectation_suite(asked, dict(batch.parameters))
        return {result.expectation_config.meta["place"]: result for result in answered.results}

    everything = range(len(batch.expectations))
    try:
        results = ask(everything, "BOOLEAN_ONLY")
    except Exception as error:
        log.exception("Suite %s could not be evaluated on %s", batch.suite, batch.table)
        yield from (_check(batch, place, {"raised": _reason(error)}) for place in everything)
        return
    if sorted(results) != list(everything):
        raise SuiteError(
            f"Suite {batch.suite} on {batch.table} states {len(everything)} expectations, but {len(results)} were "
            "evaluated. Two of them may be the same."
        )
    failed = [place for place in everything if not results[place].success]
    details: dict[int, Any] = {}
    if failed:
        try:
            details = ask(
                failed,
                {
                    "result_format": "SUMMARY",
                    "unexpected_index_column_names": list(batch.key),
                    "partial_unexpected_count": SAMPLES,
                    "return_unexpected_index_query": True,
                },
            )
        except Exception:
            log.exception("Details of suite %s on %s could not be read", batch.suite, batch.table)
    for place in everything:
        if place not in failed:
            yield _check(batch, place, {}, passed=True)
        elif reason := _raised(results[place]):
            yield _check(batch, place, {"raised": reason})
        else:
            yield _check(batch, place, details[place].result if place in details else {})


def _check(batch: Batch, place: int, result: Mapping[str, Any], *, passed: bool = False) -> Check:
    """A result as we keep it: counts, days and hashed keys, but no value of the data."""
    severity, expectation = batch.expectations[place]
    samples = [sample for sample in result.get("partial_unexpected_index_list") or () if isinstance(sample, Mapping)]
    keys = [[sample.get(name) for name in batch.key] for sample in samples]
    secret = privacy.person_key_secret() if keys else b""
    observed: dict[str, Any] = {"type": expectation.expectation_type}
    if "raised" in result:
        observed["raised"] = result["raised"]
    if isinstance(result.get("element_count"), int):
        observed["rows"] = result["element_count"]
    if isinstance(result.get("observed_value"), bool | int | float | Decimal):
        observed["value"] = result["observed_value"]
    if days := sorted({str(value) for key in keys for value in key if _is_day(value)}):
        observed["days"] = days
    rows_query = result.get("unexpected_index_query")
    return Check(
        suite=batch.suite,
        table=batch.table,
        column=", ".join(_columns(expectation)[:2]) or None,
        expectation=expectation.description or expectation.expectation_type,
        severity=severity,
        passed=passed,
        observed=observed,
        unexpected_count=result.get("unexpected_count"),
        sample_keys=tuple(privacy.keyed_hash(secret, ":".join(map(str, key))) for key in keys),
        notes=_notes(expectation),
        rows_query=_on_table(rows_query, batch, expectation) if isinstance(rows_query, str) else None,
    )


def _skipped(batch: Batch, severity: Severity, expectation: "Expectation") -> Check:
    return Check(
        suite=batch.suite,
        table=batch.table,
        column=", ".join(_columns(expectation)[:2]) or None,
        expectation=expectation.description or expectation.expectation_type,
        severity=severity,
        passed=None,
        observed={"type": expectation.expectation_type, "skipped": "no file fills this column"},
    )


def _columns(expectation: "Expectation") -> list[str]:
    """Columns an expectation speaks of, those of its row condition last."""
    named = [getattr(expectation, name, None) for name in ("column", "column_A", "column_B")]
    named += getattr(expectation, "column_list", None) or []
    condition = getattr(expectation, "row_condition", None)
    if condition is not None:
        named.append(condition.column.name)
    return [name for name in named if name]


def _notes(expectation: "Expectation") -> str | None:
    return " ".join(expectation.notes) if isinstance(expectation.notes, list) else expectation.notes


def _is_day(value: Any) -> bool:
    if isinstance(value, str) and len(value) == len("2026-01-05"):
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
        return True
    return isinstance(value, date)


def _on_table(query: str, batch: Batch, expectation: "Expectation") -> str | None:
    """The query for bad rows, on the table that a person can read instead of the copy of its rows in scope."""
    if not {*batch.key, *_columns(expectation)} <= batch.columns:
        return None
    query = re.sub(r"datetime\.date\((\d+), (\d+), (\d+)\)", lambda day: f"'{day[1]}-{day[2]:0>2}-{day[3]:0>2}'", query)
    words = [batch.table if word.startswith("gx_temp_") else word for word in query.rstrip(" ;").split()]
    text = " ".join(words)
    condition = expectation.row_condition if hasattr(expectation, "row_condition") else None
    # Great Expectations leaves the row condition out of the query it shows.
    return f"{text} AND {_condition_text(condition)};" if condition is not None else f"{text};"


def _condition_text(condition: Any) -> str:
    name = condition.column.name
    if hasattr(condition, "is_null"):
        return f"{name} IS {'' if condition.is_null else 'NOT '}NULL"
    value = _literal(condition.parameter) if isinstance(condition.parameter, str) else condition.parameter
    return f"{name} {str(condition.operator).replace('==', '=')} {value}"


def _raised(result: Any) -> str | None:
    """Why an expectation could not be evaluated; None when it was."""
    information = result.exception_info or {}
    # One flat entry, or one per metric that could not be computed.
    entries = [information] if "raised_exception" in information else list(information.values())
    for entry in entries:
        if entry.get("raised_exception"):
            return _shortened(entry.get("exception_message") or "no reason given")
    return None


def _reason(error: BaseException) -> str:
    return _shortened(f"{type(error).__name__}: {error}")


def _shortened(text: str) -> str:
    """The first line without addresses: what follows in a database error quotes statements and values."""
    first = text.strip().splitlines()[0][:300] if text.strip() else "no reason given"
    return re.sub(r"\S+@\S+", "(address)", first)


# The ledger --------------------------------------------------------------------------------------------------------


def record(
    connection: psycopg.Connection[Any],
    report: CheckReport,
    *,
    source: str | None = None,
    connection_id: str | None = None,
    run_id: str | None = None,
    build_id: int | None = None,
) -> None:
    """Write a report to ops.checks; its rows share one checked_at."""
    checked_at = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into ops.checks (
                suite, table_name, column_name, expectation, severity, passed, observed, unexpected_count, sample_keys,
                source, connection_id, run_id, build_id, checked_at
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    check.suite,
                    check.table,
                    check.column,
                    check.expectation,
                    check.severity,
                    check.passed,
                    Jsonb(check.observed),
                    check.unexpected_count,
                    list(check.sample_keys),
                    source,
                    connection_id,
                    run_id,
                    build_id,
                    checked_at,
                )
                for check in report.results
            ],
        )


def _dicts(
    connection: psycopg.Connection[Any], query: str | sql.Composed, parameters: Any = None
) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode() if isinstance(query, str) else query, parameters).fetchall()


def _literal(value: str) -> str:
    return sql.Literal(value).as_string()


# Data Docs ---------------------------------------------------------------------------------------------------------


def build_data_docs(out_dir: Path) -> Path:
    """Write pages of the suites and of the latest judgement of every delivery and of the marts; returns the index.

    The results are those in ops.checks, so no data are read again and no value of them is on a page. The pages work
    without a network: Great Expectations' own styles lie on outside hosts and are replaced by a short sheet.
    """
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    with warehouse.connect("builder") as connection:
        rows = _dicts(connection, _LATEST_REPORTS)
    context = _context()
    out_dir.mkdir(parents=True, exist_ok=True)
    context.add_data_docs_site(
        "local",
        {
            "class_name": "SiteBuilder",
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(out_dir.resolve())},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "show_how_to_buttons": False,
        },
    )
    for name, stated in _stated().items():
        suite_name = name.replace("/", ".").replace(":", ".")
        context.suites.add(ExpectationSuite(name=suite_name, expectations=[each.copy() for each in stated]))
        reports: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in rows:
            if name == f"{row['suite']}:{row['table_name']}":
                source = row["connection_id"] or row["source"]
                reports.setdefault((source, row["run_id"], row["build_id"], row["checked_at"]), []).append(row)
        for (source, run_id, build_id, checked_at), checks in reports.items():
            by_description = {each.description: each for each in stated}
            results = [
                ExpectationValidationResult(
                    success=check["passed"],
                    expectation_config=by_description[check["expectation"]].configuration,
                    result=_shown(check),
                    exception_info={
                        "raised_exception": "raised" in (check["observed"] or {}),
                        "exception_message": (check["observed"] or {}).get("raised"),
                        "exception_traceback": None,
                    },
                )
                for check in checks
                if check["expectation"] in by_description
            ]
            passed = sum(bool(result.success) for result in results)
            label = f"build {build_id}" if build_id is not None else f"{source} {run_id}"
            run = RunIdentifier(run_name=label, run_time=checked_at)
            context.validation_results_store.set(
                ValidationResultIdentifier(ExpectationSuiteIdentifier(suite_name), run, checks[0]["table_name"]),
                ExpectationSuiteValidationResult(
                    results=results,
                    success=passed == len(results),
                    suite_name=suite_name,
                    statistics={
                        "evaluated_expectations": len(results),
                        "successful_expectations": passed,
                        "unsuccessful_expectations": len(results) - passed,
                        "success_percent": 100 * passed / len(results) if results else None,
                    },
                    meta={
                        "run_id": run,
                        "active_batch_definition": {
                            "datasource_name": "warehouse",
                            "data_asset_name": checks[0]["table_name"],
                        },
                        "validation_time": checked_at,
                    },
                ),
            )
    context.build_data_docs()
    _make_readable_offline(out_dir)
    return out_dir / "index.html"


# Styles, scripts and pictures on outside hosts.
_OUTSIDE = re.compile(
    r'<link\b[^>]*\bhref="https?://[^>]*>|<script\b[^>]*\bsrc="https?://[^>]*>\s*</script>|<img\b[^>]*\bsrc="https?://[^>]*>'
)
# An invitation to the makers' newsletter.
_FOOTER = re.compile(r"<footer\b.*?</footer>", re.DOTALL)
_SHEET = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#222}table{border-collapse:collapse;margin:.5rem 0}"
    "td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "a{color:#0b57d0}code,pre{background:#f4f4f4;padding:.1rem .3rem}.collapse{display:block}.modal,.btn{display:none}"
    ".failed,.alert-danger,.text-danger{color:#b3261e}.badge{padding:0 .3rem;border:1px solid #ccc}"
)


def _make_readable_offline(site: Path) -> None:
    """Replace what pages load from outside hosts by a short sheet, and list the pages in the index without a script."""
    for page in site.rglob("*.html"):
        text = _FOOTER.sub("", _OUTSIDE.sub("", page.read_text()))
        if page == site / "index.html":
            text = text.replace("</body>", f"{_judgements(site)}{_suites(site)}</body>", 1)
        page.write_text(text.replace("</head>", f"<style>{_SHEET}</style></head>", 1))


def _judgements(site: Path) -> str:
    """The latest judgement of each table as a table of links, the failed ones first."""
    rows = []
    for page in (site / "validations").rglob("*.html"):
        # Great Expectations lays them out as …/run/time/table.html.
        run, moment, table = (*page.parent.parts[-2:], page.stem)
        verdict = "failed" if re.search(r"Status:</span>.*Failed", page.read_text()) else "passed"
        link = f'<a href="{quote(page.relative_to(site).as_posix())}">{escape(table)}</a>'
        when = datetime.strptime(moment, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
        rows.append((verdict, table, f"{run} ({when:%Y-%m-%d %H:%M} UTC)", link))
    cells = "".join(
        f'<tr><td class="{verdict}">{verdict}</td><td>{link}</td><td>{escape(run)}</td></tr>'
        for verdict, _, run, link in sorted(rows)
    )
    return f"<h2>Latest results</h2><table><tr><th>result</th><th>table</th><th>run</th></tr>{cells}</table>"


def _suites(site: Path) -> str:
    pages = sorted(page.relative_to(site).as_posix() for page in (site / "expectations").rglob("*.html"))
    links = "".join(
        f'<li><a href="{quote(page)}">{escape(page.removeprefix("expectations/").removesuffix(".html"))}</a></li>'
        for page in pages
    )
    return f"<h2>Expectations</h2><ul>{links}</ul>"


_LATEST_REPORTS = """
select audit.*
from ops.checks as audit
inner join (
    select source, connection_id, max(checked_at) as checked_at from ops.checks group by source, connection_id
) as latest
    on
        audit.source is not distinct from latest.source
        and audit.connection_id is not distinct from latest.connection_id
        and audit.checked_at = latest.checked_at
where audit.passed is not null
order by audit.check_id
"""


def _stated() -> dict[str, list["Expectation"]]:
    """All expectations by `suite:table`, as ops.checks names them."""
    judged = suite("deliveries")
    stated = {"deliveries:ops.loads": [*judged.CRITICAL, *judged.WARNING]}
    for source in SOURCES.values():
        judged = suite(f"raw/{source.name}")
        for stream in source.streams:
            stated[f"raw/{source.name}:raw.{raw_table(source, stream)}"] = [
                *judged.CRITICAL.get(stream.name, []),
                *judged.WARNING.get(stream.name, []),
            ]
    for name, table in [("inputs", "ops.loads"), *((each, each.replace("/", ".")) for each in mart_suites())]:
        judged = suite(name)
        stated[f"{name}:{table}"] = [
            each for kind in (judged.CRITICAL, judged.WARNING) for some in kind.values() for each in some
        ]
    return stated


def _shown(check: dict[str, Any]) -> dict[str, Any]:
    observed = check["observed"] or {}
    shown: dict[str, Any] = {}
    if check["unexpected_count"] is not None:
        rows = observed.get("rows") or 0
        share = 100 * check["unexpected_count"] / rows if rows else 0.0
        shown = {
            "element_count": rows,
            "unexpected_count": check["unexpected_count"],
            "unexpected_percent": share,
            "unexpected_percent_total": share,
            "partial_unexpected_list": check["sample_keys"],
            "partial_unexpected_counts": [{"value": key, "count": 1} for key in check["sample_keys"]],
        }
    if "value" in observed:
        shown["observed_value"] = observed["value"]
    return shown
