"""Keeps one row for each observed change of a record, for streams with `keep_versions`."""

from datetime import datetime

from psycopg import sql

from funnel.ingest.raw_tables import Loading


def append(loading: Loading) -> None:
    """Keep one row per observed change.

    A late read is inserted between its neighbours: the state that the next read saw is stored first, so that the late
    version ends where that read began.
    """
    target = loading.target
    if next_read := _next_read(loading):
        _write_down(loading, next_read)
    loading.connection.execute(
        sql.SQL("insert into {table} ({columns}) select {columns} from {incoming} on conflict do nothing").format(
            table=target.table, incoming=target.incoming, columns=target.names(target.columns)
        )
    )
    _drop_repeated(loading)


def _next_read(loading: Loading) -> datetime | None:
    """The time of the first loaded read after this one."""
    landed = loading.landed
    row = loading.connection.execute(
        """
        select min(fetched_at) from ops.loads
        where source = %s and connection_id = %s and stream = %s and fetched_at > %s
        """,
        (landed.source, landed.connection_id, landed.stream, landed.fetched_at),
    ).fetchone()
    return row[0] if row else None


def _write_down(loading: Loading, next_read: datetime) -> None:
    """Store the state of each incoming record as the next read saw it."""
    connection, target = loading.connection, loading.target
    others = [column for column in target.columns if column != "_fetched_at"]
    connection.execute(
        sql.SQL(
            """
            insert into {table} ({others}, _fetched_at)
            select distinct on ({key}) {others_stored}, {next_read}
            from {table} as stored
            where stored._fetched_at <= {next_read}
                and exists (select from {incoming} as incoming where {same_key})
            order by {key}, stored._fetched_at desc
            on conflict do nothing
            """
        ).format(
            table=target.table,
            incoming=target.incoming,
            others=target.names(others),
            others_stored=target.names(others, "stored"),
            key=target.names(target.key, "stored"),
            same_key=target.same_key("stored", "incoming"),
            next_read=sql.Literal(next_read),
        )
    )


def _drop_repeated(loading: Loading) -> None:
    """Remove versions of the incoming records that equal the version before them."""
    connection, target = loading.connection, loading.target
    connection.execute(
        sql.SQL(
            """
            delete from {table} as stored using (
                select
                    {key},
                    version._fetched_at,
                    row_number() over earlier > 1
                    and ({content}) is not distinct from ({content_before}) as says_the_same
                from {table} as version
                where exists (select from {incoming} as incoming where {same_key})
                window earlier as (partition by {key} order by version._fetched_at)
            ) as repeated
            where repeated.says_the_same and stored._fetched_at = repeated._fetched_at and {same_row}
            """
        ).format(
            table=target.table,
            incoming=target.incoming,
            key=target.names(target.key, "version"),
            content=target.names(target.content, "version"),
            content_before=sql.SQL(", ").join(
                sql.SQL("lag(version.{}) over earlier").format(sql.Identifier(column)) for column in target.content
            ),
            same_key=target.same_key("version", "incoming"),
            same_row=target.same_key("stored", "repeated"),
        )
    )
