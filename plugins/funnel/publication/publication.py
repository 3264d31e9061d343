"""Publishing: one transaction makes every table of `bi` equal to `marts`, or changes nothing.

Rows that differ are replaced; what is replaced or removed goes to `bi_history.<mart>` with the publication that
brought it (`publication_id`) and the one that ended it (`replaced_by`). Readers keep the version their query began
with. After an incremental build only the keys in `marts_changes` are compared, so the cost follows the change.
`ops.checks` decides whether a build may be published.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from funnel import ledger, warehouse
from funnel.publication.errors import PublishError
from funnel.publication.mart_tables import Mart, built_marts, differ, name_list, published, same_key


@dataclass(frozen=True)
class Publication:
    """One row of ops.publications. `rows_changed` maps each mart to {"shown": n, "withdrawn": n}."""

    publication_id: int
    build_id: int
    rows_changed: dict[str, dict[str, int]]

    def __str__(self) -> str:
        moved = [counts for counts in self.rows_changed.values() if any(counts.values())]
        rows = {kind: sum(counts.get(kind, 0) for counts in moved) for kind in ("shown", "withdrawn")}
        return (
            f"publication {self.publication_id} shows build {self.build_id}: {rows['shown']:,} rows shown and "
            f"{rows['withdrawn']:,} withdrawn in {len(moved)} of {len(self.rows_changed)} marts "
            "(by mart: rows_changed of ops.publications)"
        )


def publish(build_id: int) -> Publication:
    """Publish a build whose audit passed. Publishing it again returns the existing publication.

    Raises PublishError if it is not the newest build, or its audit failed or did not run.
    """
    with warehouse.connect("publisher") as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (ledger.BUILD_LOCK,))
        build = _one(connection, "select * from ops.builds where build_id = %s", (build_id,))
        if build is None:
            raise PublishError(f"There is no build {build_id} in ops.builds.")
        if build["status"] == "published":
            return _publication_of(connection, build_id)
        audited_at = _assert_may_be_published(connection, build)
        previous = ledger.publication_in_effect(connection)
        publication_id = _number(
            connection, "select nextval(pg_get_serial_sequence('ops.publications', 'publication_id'))"
        )
        whole = build["is_full"] or previous is None
        marts = built_marts(connection)
        rows_changed = {mart.name: _publish_mart(connection, mart, publication_id, whole=whole) for mart in marts}
        connection.execute(
            """
            insert into ops.publications (
                publication_id, build_id, as_of, through_load_id, marts, rows_changed, audited_at, previous_id,
                sources_late
            )
            overriding system value
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                publication_id,
                build_id,
                build["as_of"],
                build["through_load_id"],
                [mart.name for mart in marts],
                Jsonb(rows_changed),
                audited_at,
                previous["publication_id"] if previous else None,
                build["sources_late"],
            ),
        )
        ledger.close_build(connection, build_id, "published")
        return Publication(publication_id, build_id, rows_changed)


def rollback() -> Publication:
    """Return readers to exactly the rows of the publication before the one in effect. The next build will be a full
    one.

    Raises PublishError if there is no earlier publication.
    """
    with warehouse.connect("publisher") as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (ledger.BUILD_LOCK,))
        current = ledger.publication_in_effect(connection)
        if current is None or current["previous_id"] is None:
            raise PublishError("There is no earlier publication to return to; readers see what they saw.")
        identity = current["publication_id"]
        rows_changed = {}
        for mart in published(connection):
            names = mart.identifiers
            # Shown and withdrawn by the same publication: an empty interval, which reports of the past ignore.
            withdrawn = connection.execute(
                sql.SQL(
                    """
                    with withdrawn as (delete from {shown} where publication_id = %(id)s returning {columns})
                    insert into {history} ({columns}, publication_id, replaced_by)
                    select {columns}, %(id)s, %(id)s from withdrawn
                    """
                ).format(**names),
                {"id": identity},
            ).rowcount
            shown = connection.execute(
                sql.SQL(
                    """
                    with restored as (
                        delete from {history} where replaced_by = %(id)s and publication_id <> %(id)s
                        returning {columns}, publication_id
                    )
                    insert into {shown} ({columns}, publication_id) select {columns}, publication_id from restored
                    """
                ).format(**names),
                {"id": identity},
            ).rowcount
            rows_changed[mart.name] = {"shown": shown, "withdrawn": withdrawn}
        connection.execute(
            "update ops.publications set reverted_at = clock_timestamp() where publication_id = %s", (identity,)
        )
        previous = _one(
            connection, "select * from ops.publications where publication_id = %s", (current["previous_id"],)
        )
        return Publication(current["previous_id"], previous["build_id"] if previous else 0, rows_changed)


def _assert_may_be_published(connection: psycopg.Connection[Any], build: dict[str, Any]) -> Any:
    build_id = build["build_id"]
    if build["status"] not in ("built", "audit_failed"):
        raise PublishError(
            f"Build {build_id} is {build['status']}, not built; readers keep what they see. Run `build_funnel` again."
        )
    audit = _one(
        connection,
        """
        select
            count(*) as checks,
            max(checked_at) as audited_at,
            array_agg(table_name || ': ' || expectation) filter (where not passed and severity = 'critical') as failed
        from ops.latest_checks
        where build_id = %s
        """,
        (build_id,),
    )
    if audit is None or not audit["checks"]:
        raise PublishError(f"Build {build_id} was never audited; readers keep what they see. Run its audit first.")
    if audit["failed"]:
        failed = "; ".join(audit["failed"][:5])
        raise PublishError(
            f"Build {build_id} failed its audit ({failed}); readers keep what they see. "
            "Repair the cause shown in ops.checks and run `build_funnel` again."
        )
    return audit["audited_at"]


def _publish_mart(
    connection: psycopg.Connection[Any], mart: Mart, publication_id: int, *, whole: bool
) -> dict[str, int]:
    """Bring one table of `bi` up to date; `whole` compares all rows, otherwise only the keys in the change list."""
    _ensure_shown_table(connection, mart)
    names = mart.identifiers | {
        "same_key": same_key(mart, "shown", "built"),
        "differ": differ(mart),
        "shown_columns": name_list(mart.columns, "shown"),
        "built_columns": name_list(mart.columns, "built"),
        "shown_key": name_list(mart.key, "shown"),
        "limit": sql.SQL("true"),
        "built_limit": sql.SQL("true"),
    }
    if not whole:
        names |= _limits(connection, mart)
    connection.execute(
        sql.SQL(
            """
            create temporary table {leaving} on commit drop as
            select {shown_key}
            from {shown} as shown
            left join {mart} as built on {same_key}
            where {limit} and {differ}
            """
        ).format(**names)
    )
    names["same_leaving"] = same_key(mart, "shown", "leaving")
    withdrawn = connection.execute(
        sql.SQL(
            """
            with withdrawn as (
                delete from {shown} as shown using {leaving} as leaving where {same_leaving}
                returning {shown_columns}, shown.publication_id
            )
            insert into {history} ({columns}, publication_id, replaced_by)
            select {columns}, publication_id, {publication_id} from withdrawn
            """
        ).format(**names, publication_id=sql.Literal(publication_id))
    ).rowcount
    shown = connection.execute(
        sql.SQL(
            """
            insert into {shown} ({columns}, publication_id)
            select {built_columns}, {publication_id}
            from {mart} as built
            where {built_limit} and not exists (select from {shown} as shown where {same_key})
            """
        ).format(**names, publication_id=sql.Literal(publication_id))
    ).rowcount
    return {"shown": shown, "withdrawn": withdrawn}


def _limits(connection: psycopg.Connection[Any], mart: Mart) -> dict[str, sql.Composable]:
    """The conditions that a shown or built row has a key of the change list."""
    touched = sql.Identifier("pg_temp", f"touched__{mart.name}")
    connection.execute(
        sql.SQL("create temporary table {} on commit drop as select distinct {key} from {changes}").format(
            touched, **mart.identifiers
        )
    )
    connection.execute(sql.SQL("analyze {}").format(touched))
    within = "exists (select from {touched} as touched where {same})"
    return {
        "limit": sql.SQL(within).format(touched=touched, same=same_key(mart, "touched", "shown")),
        "built_limit": sql.SQL(within).format(touched=touched, same=same_key(mart, "touched", "built")),
    }


def _ensure_shown_table(connection: psycopg.Connection[Any], mart: Mart) -> None:
    """Give `bi` and `bi_history` the mart's columns: add new ones, drop removed ones, change types."""
    names = mart.identifiers
    stored = warehouse.columns(connection, "bi", mart.name)
    built = warehouse.columns(connection, "marts", mart.name)
    if not stored:
        connection.execute(
            sql.SQL(
                "create table {shown} (like {mart} including indexes including constraints including comments)"
            ).format(**names)
        )
        connection.execute(sql.SQL("alter table {shown} add column publication_id bigint not null").format(**names))
        connection.execute(
            sql.SQL(
                "create table {history} as select built.*, null::bigint as publication_id, null::bigint as replaced_by "
                "from {mart} as built with no data"
            ).format(**names)
        )
        connection.execute(sql.SQL("create index on {history} (replaced_by)").format(**names))
        if "date_day" in built:
            connection.execute(sql.SQL("create index on {history} (date_day)").format(**names))
        return
    if {name: kind for name, kind in stored.items() if name != "publication_id"} == built:
        return
    recorded = warehouse.columns(connection, "bi_history", mart.name)
    for name, kind in built.items():
        column = sql.Identifier(name)
        for table, known in ((names["shown"], stored), (names["history"], recorded)):
            if name not in known:
                connection.execute(sql.SQL("alter table {} add column {} {}").format(table, column, sql.SQL(kind)))
            elif known[name] != kind:
                connection.execute(
                    sql.SQL("alter table {} alter column {} type {} using {}::{}").format(
                        table, column, sql.SQL(kind), column, sql.SQL(kind)
                    )
                )
    for name in stored.keys() - built.keys() - {"publication_id"}:
        connection.execute(sql.SQL("alter table {shown} drop column {}").format(sql.Identifier(name), **names))


def _publication_of(connection: psycopg.Connection[Any], build_id: int) -> Publication:
    row = _one(
        connection,
        "select * from ops.publications where build_id = %s order by publication_id desc limit 1",
        (build_id,),
    )
    if row is None or row["reverted_at"] is not None:
        raise PublishError(f"Build {build_id} was published and rolled back. Run `build_funnel` for a new build.")
    return Publication(row["publication_id"], build_id, row["rows_changed"])


def _one(connection: psycopg.Connection[Any], query: str, parameters: tuple[Any, ...]) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), parameters).fetchone()


def _number(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
