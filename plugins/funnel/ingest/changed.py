"""Upserts a read of a changed stream: of two states of a record, the newer one counts."""

from psycopg import sql

from funnel.ingest.raw_tables import Loading


def upsert(loading: Loading) -> int:
    """Upsert by key; the newest (modified, fetched_at) wins. Returns the number of rows superseded by a stored one.

    A stored row with equal content keeps its `_load_id`, but takes the later `_fetched_at`, which orders later reads.
    """
    connection, stream, target = loading.connection, loading.stream, loading.target
    newer_first = [stream.modified, "_fetched_at"] if stream.modified else ["_fetched_at"]
    superseded = connection.execute(
        sql.SQL(
            "delete from {incoming} as incoming using {table} as stored where {same_key} and ({theirs}) < ({ours})"
        ).format(
            incoming=target.incoming,
            table=target.table,
            same_key=target.same_key("stored", "incoming"),
            theirs=target.names(newer_first, "incoming"),
            ours=target.names(newer_first, "stored"),
        )
    ).rowcount
    order = [stream.modified] if stream.modified and stream.modified not in target.content else []
    # A record that was marked as removed and is read again exists.
    revived, was_removed = (sql.SQL(", _removed_at = null"), sql.SQL("stored._removed_at is not null"))
    if not stream.reconcile:
        revived, was_removed = sql.SQL(""), sql.SQL("false")
    assignments = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
        for column in (*target.content, *order, "_fetched_at")
    )
    connection.execute(
        sql.SQL(
            """
            insert into {table} as stored ({columns})
            select {columns} from {incoming}
            on conflict ({key}) do update
            set {assignments}{revived},
                _load_id = case when {differ} or {was_removed} then excluded._load_id else stored._load_id end
            """
        ).format(
            table=target.table,
            columns=target.names(target.columns),
            incoming=target.incoming,
            key=target.names(target.key),
            assignments=assignments,
            revived=revived,
            was_removed=was_removed,
            differ=target.differ("stored", "excluded"),
        )
    )
    return superseded
