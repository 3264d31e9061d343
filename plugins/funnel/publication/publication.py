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

from funnel import ledger, settings, warehouse
from funnel.publication import approval, contracts, holds, plan, plan_page, readers, row_security, views
from funnel.publication.errors import ApprovalNeeded, PublishError
from funnel.publication.mart_tables import Mart, built_marts, differing, keys, name_list


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


def publish(build_id: int, published_by: str | None = None) -> Publication:
    """Publish a build whose audit passed. Publishing it again returns the existing publication.

    `published_by` is the person who asked for it; None for the schedule. Raises PublicationHeld after a roll-back that
    is not released, ApprovalNeeded if the schedule may not publish such a change without a person, and PublishError if
    it is not the newest build, or its audit failed or did not run.
    """
    asked: list[str] = []
    with warehouse.connect("publisher") as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (ledger.BUILD_LOCK,))
        connection.execute("select pg_advisory_xact_lock(%s)", (ledger.PUBLICATION_LOCK,))
        build = find_build(connection, build_id)
        if build["status"] == "published":
            return _publication_of(connection, build_id)
        audited_at = assert_audited(connection, build)
        holds.require_none(connection, build_id)
        previous = ledger.publication_in_effect(connection)
        if published_by is None and previous and settings.read().publish_asks:
            asked = _ask(connection, build, previous)
        if not asked:
            return _publish(connection, build, previous, audited_at=audited_at, published_by=published_by)
    raise ApprovalNeeded(
        f"Build {build_id} waits for approval: {'; '.join(asked)}.\n"
        "`make plan` shows the whole change; `make publish`, or the DAG `approve`, publishes it."
    )


def plan_of(connection: psycopg.Connection[Any], build: dict[str, Any], previous: dict[str, Any] | None) -> plan.Plan:
    """What publishing the build would change, from the comparison that publishing makes."""
    whole = compares_all(connection, build, previous)
    return plan.compare(connection, built_marts(connection), build, previous, whole=whole)


def _ask(connection: psycopg.Connection[Any], build: dict[str, Any], previous: dict[str, Any]) -> list[str]:
    """The limits that the change of a build passes, stored for bi.data_status; the page of its plan shows them, too."""
    planned = plan_of(connection, build, previous)
    asked = approval.limits_passed(connection, planned, build["as_of"])
    if asked:
        plan_page.write(planned, asked)
        connection.execute(
            """
            insert into ops.approvals (build_id, reasons) values (%s, %s)
            on conflict (build_id) do update set reasons = excluded.reasons
            """,
            (build["build_id"], asked),
        )
    return asked


def _publish(
    connection: psycopg.Connection[Any], build: dict[str, Any], previous: dict[str, Any] | None, **noted: Any
) -> Publication:
    """Make `bi` equal to `marts`, with a row in ops.publications; `noted` are more of its columns."""
    publication_id = _number(connection, "select nextval(pg_get_serial_sequence('ops.publications', 'publication_id'))")
    whole = compares_all(connection, build, previous)
    marts = built_marts(connection)
    readers.end_long_readers(connection)
    changed = [mart.name for mart in marts if _ensure_shown_table(connection, mart)]
    if changed:
        row_security.secure(connection)
    contracts.relax(connection)
    rows_changed = {mart.name: _publish_mart(connection, mart, publication_id, whole=whole) for mart in marts}
    contracts.tighten(connection)
    views.show(connection)
    contracts.describe(connection)
    row = {
        "publication_id": publication_id,
        "build_id": build["build_id"],
        "as_of": build["as_of"],
        "through_load_id": build["through_load_id"],
        "marts": [mart.name for mart in marts],
        "rows_changed": Jsonb(rows_changed),
        "previous_id": previous["publication_id"] if previous else None,
        "sources_late": build["sources_late"],
        **noted,
    }
    connection.execute(
        sql.SQL("insert into ops.publications ({}) overriding system value values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
        ),
        row,
    )
    ledger.close_build(connection, build["build_id"], "published")
    return Publication(publication_id, build["build_id"], rows_changed)


def find_build(connection: psycopg.Connection[Any], build_id: int) -> dict[str, Any]:
    """The row of ops.builds. Raises PublishError if there is none."""
    build = _one(connection, "select * from ops.builds where build_id = %s", (build_id,))
    if build is None:
        raise PublishError(f"There is no build {build_id} in ops.builds.")
    return build


def compares_all(connection: psycopg.Connection[Any], build: dict[str, Any], previous: dict[str, Any] | None) -> bool:
    """True if all rows are compared: after a full build, and after a roll-back, which change lists do not span."""
    if build["is_full"] or previous is None:
        return True
    return bool(
        _one(
            connection,
            "select 1 from ops.publications where publication_id > %s and reverted_at is not null limit 1",
            (previous["publication_id"],),
        )
    )


def assert_audited(connection: psycopg.Connection[Any], build: dict[str, Any]) -> Any:
    """The moment of the audit that a build passed. Raises PublishError if it failed or did not run, or if a newer build
    has changed the marts.
    """
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
    names = mart.identifiers | {"publication_id": sql.Literal(publication_id)}
    if not whole:
        connection.execute(
            sql.SQL(
                "create temporary table {touched} on commit drop as select distinct {key} from {changes};"
                "analyze {touched}"
            ).format(**names)
        )
    rows = differing(mart, mart.columns, None if whole else names["touched"])
    connection.execute(
        sql.SQL(
            "create temporary table {differing} on commit drop as "
            "select shown.place as shown_place, built.place as built_place {rows}"
        ).format(**names, rows=rows)
    )
    withdrawn = connection.execute(
        sql.SQL(
            """
            with withdrawn as (
                delete from {shown} as shown using {differing} as differing where shown.ctid = differing.shown_place
                returning {shown_columns}, shown.publication_id
            )
            insert into {history} ({columns}, publication_id, replaced_by)
            select {columns}, publication_id, {publication_id} from withdrawn
            """
        ).format(**names, shown_columns=name_list(tuple(mart.columns), "shown"))
    ).rowcount
    _ensure_key(connection, mart)
    # In the order of the mart's rows, which are sorted by day.
    shown = connection.execute(
        sql.SQL(
            """
            insert into {shown} ({columns}, publication_id)
            select {built_columns}, {publication_id}
            from {mart} as built
            inner join {differing} as differing on built.ctid = differing.built_place
            order by differing.built_place
            """
        ).format(**names, built_columns=name_list(tuple(mart.columns), "built"))
    ).rowcount
    return {"shown": shown, "withdrawn": withdrawn}


def _ensure_shown_table(connection: psycopg.Connection[Any], mart: Mart) -> bool:
    """Give `bi` and `bi_history` the mart's columns: add new ones, drop removed ones, change types. Returns true if
    something changed.
    """
    names = mart.identifiers
    stored = warehouse.columns(connection, "bi", mart.name)
    built = mart.columns
    if not stored:
        connection.execute(
            sql.SQL(
                "create table {shown} (like {mart} including indexes including constraints including comments)"
            ).format(**names)
        )
        for name in warehouse.columns(connection, "bi", mart.name).keys() - built.keys():
            connection.execute(sql.SQL("alter table {shown} drop column {}").format(sql.Identifier(name), **names))
        connection.execute(sql.SQL("alter table {shown} add column publication_id bigint not null").format(**names))
        connection.execute(
            sql.SQL(
                "create table {history} as select {columns}, null::bigint as publication_id, "
                "null::bigint as replaced_by from {mart} as built with no data"
            ).format(**names)
        )
        connection.execute(sql.SQL("create index on {history} (replaced_by)").format(**names))
        if "date_day" in built:
            connection.execute(sql.SQL("create index on {history} (date_day)").format(**names))
        return True
    if {name: kind for name, kind in stored.items() if name != "publication_id"} == built:
        return False
    views.release(connection)
    readers.lock_from_readers(connection, "bi", mart.name)
    row_security.release_region(connection, mart.name)
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
    return True


def _ensure_key(connection: psycopg.Connection[Any], mart: Mart) -> None:
    """Follow a mart whose key has changed: an index of the new key replaces the primary key.

    A primary key again would keep a roll-back from returning rows of the old key; `marts` ensures that keys are unique.
    """
    shown = mart.identifiers["shown"]
    known = keys(connection, "bi", mart.name)
    if any(columns == mart.key for _, _, columns in known):
        return
    readers.lock_from_readers(connection, "bi", mart.name)
    for name, is_primary, columns in known:
        if is_primary:
            connection.execute(sql.SQL("alter table {} drop constraint {}").format(shown, sql.Identifier(name)))
            for column in columns:
                connection.execute(
                    sql.SQL("alter table {} alter column {} drop not null").format(shown, sql.Identifier(column))
                )
    connection.execute(sql.SQL("create index on {} ({key})").format(shown, **mart.identifiers))


def _publication_of(connection: psycopg.Connection[Any], build_id: int) -> Publication:
    row = _one(
        connection,
        "select * from ops.publications where build_id = %s order by publication_id desc limit 1",
        (build_id,),
    )
    if row is None or row["reverted_at"] is not None:
        raise PublishError(
            f"Build {build_id} was published and rolled back; readers keep what they see. "
            "Correct its cause and run `build_funnel` for a new build."
        )
    return Publication(row["publication_id"], build_id, row["rows_changed"])


def _one(connection: psycopg.Connection[Any], query: str, parameters: tuple[Any, ...]) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), parameters).fetchone()


def _number(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
