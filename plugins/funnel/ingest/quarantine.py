"""Quarantine: stores unreadable rows with the reason, until a newer read contains them in another form.

The reasons come from `values` (a vendor's value), `json_rows` (a row) and the errors of `inbox` (a cell of a file).
"""

from typing import Any

import psycopg

from funnel.ingest.json_rows import Tally
from funnel.ingest.raw_tables import Loading


def write(loading: Loading, accounts_read: tuple[str, ...] | None, tally: Tally) -> None:
    """Write unreadable rows: hashes, column and reason to `ops`, the payload to `raw`.

    If the same row comes again, only its `load_id` changes. Rows quarantined by earlier reads of these days that this
    newer read no longer contains in that form are marked as replayed; rows of a file only by a newer read of that file,
    rows of an account only by one of that account.
    """
    connection, landed, stream = loading.connection, loading.landed, loading.stream
    _copy(connection, tally)
    read = {
        "load_id": loading.load_id,
        "source": landed.source,
        "connection_id": landed.connection_id,
        "stream": landed.stream,
        "fetched_at": landed.fetched_at,
        "start": landed.window.from_day,
        "end": landed.window.to_day,
        "files": [each["path"] for each in tally.files],
        "accounts": None if accounts_read is None else list(accounts_read),
        "account": stream.account,
        "account_path": next((one.path.split(".") for one in stream.columns if one.name == stream.account), None),
    }
    _insert(connection, read)
    _mark_replayed(connection, read)
    connection.execute("drop table unreadable")


def _copy(connection: psycopg.Connection[Any], tally: Tally) -> None:
    connection.execute(
        "create temporary table unreadable ("
        "hashed_key text, hashed_payload text, column_name text, reason text, payload jsonb, file text, line_no bigint"
        ") on commit drop"
    )
    columns = "hashed_key, hashed_payload, column_name, reason, payload" + (", file, line_no" if tally.files else "")
    tally.unreadable.seek(0)
    with connection.cursor() as cursor, cursor.copy(f"copy unreadable ({columns}) from stdin") as copy:
        while text := tally.unreadable.read(1_000_000):
            copy.write(text)


def _insert(connection: psycopg.Connection[Any], read: dict[str, Any]) -> None:
    connection.execute(
        """
        with written as (
            insert into ops.quarantine (
                load_id, source, connection_id, stream, hashed_key, hashed_payload, column_name, reason, first_seen_at,
                file, line_no
            )
            select distinct on (hashed_payload)
                %(load_id)s, %(source)s, %(connection_id)s, %(stream)s,
                hashed_key, hashed_payload, column_name, reason, %(fetched_at)s, file, line_no
            from unreadable
            on conflict (source, connection_id, stream, hashed_payload) do update
            set
                load_id = greatest(quarantine.load_id, excluded.load_id),
                first_seen_at = least(quarantine.first_seen_at, excluded.first_seen_at),
                column_name = excluded.column_name,
                reason = excluded.reason,
                replayed_at = null
            returning quarantine_id, hashed_payload
        )
        insert into raw.quarantine (quarantine_id, payload)
        select distinct on (written.quarantine_id) written.quarantine_id, unreadable.payload
        from written inner join unreadable using (hashed_payload)
        on conflict (quarantine_id) do nothing
        """,
        read,
    )


def _mark_replayed(connection: psycopg.Connection[Any], read: dict[str, Any]) -> None:
    connection.execute(
        """
        update ops.quarantine
        set replayed_at = %(fetched_at)s
        where source = %(source)s and connection_id = %(connection_id)s and stream = %(stream)s and replayed_at is null
            and hashed_payload not in (select hashed_payload from unreadable)
            and (file is null or file = any(%(files)s))
            and (
                %(accounts)s::text[] is null
                or not exists (
                    select from raw.quarantine as held
                    where held.quarantine_id = quarantine.quarantine_id
                        and coalesce(held.payload #>> %(account_path)s, held.payload ->> %(account)s)
                        <> all(%(accounts)s::text[])
                )
            )
            and load_id in (
                select load_id from ops.loads
                where source = %(source)s and connection_id = %(connection_id)s and stream = %(stream)s
                    and fetched_at <= %(fetched_at)s
                    and (quarantine.file is not null or window_from >= %(start)s and window_to <= %(end)s)
            )
        """,
        read,
    )
