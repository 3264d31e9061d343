"""The rows that a build touched: the suites of marts check these."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from funnel import ledger, warehouse
from funnel.gate import macros
from funnel.gate.errors import SuiteError
from funnel.gate.suites import literal


@dataclass(frozen=True)
class Scope:
    """The rows that a build touched, with the values of the macros in queries of suites."""

    is_whole: bool
    keys: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, frozenset[str]]
    texts: Mapping[str, tuple[str, ...]]
    words: Mapping[str, str]
    parameters: Mapping[str, Any]

    def fill(self, query: str) -> str:
        """The query with its macros filled in."""
        return macros.rendered(query, macros.given(is_full=self.is_whole, keys=self.keys, words=self.words))


def of_build(connection: psycopg.Connection[Any], build_id: int) -> Scope:
    """The scope of a build in ops.builds. Raises SuiteError if there is no such build or the marts are not built."""
    builds = warehouse.dicts(
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
    tables = warehouse.dicts(connection, _TABLES)
    if not any(table["name"] == "dim_channels" for table in tables):
        raise SuiteError("marts.dim_channels does not exist; build the marts first.")
    since = build["since_load_id"]
    as_of_date = build["as_of_date"].isoformat()
    return Scope(
        is_whole=build["is_full"] or ledger.publication_in_effect(connection) is None,
        keys={table["name"]: tuple(table["key"]) for table in tables},
        columns={table["name"]: frozenset(table["columns"]) for table in tables},
        texts={table["name"]: tuple(table["texts"]) for table in tables},
        words={
            "as_of_date": f"date '{as_of_date}'",
            "reporting_timezone": literal(build["reporting_timezone"]),
            "master_crm": literal(build["master_crm"]),
            "since_load_id": str(since),
            "through_load_id": str(build["through_load_id"]),
            # A day that was read again after the build is checked with the next build.
            "loaded_days": f"array(select date_day from ops.loaded_days where load_id > {since} "  # noqa: S608
            f"and load_id <= {build['through_load_id']})",
        },
        parameters={
            "as_of_date": as_of_date,
            "channels": [row["channel"] for row in warehouse.dicts(connection, _CHANNELS)],
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

# Rows without any touch have a separate member.
_CHANNELS = "select channel from marts.dim_channels union all select '(unattributed)'"
