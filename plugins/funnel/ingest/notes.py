"""Records of loads in `ops`: repaired values, the files of an inbox, and its sources that were held back."""

import json
from collections.abc import Iterable
from typing import Any

import psycopg

from funnel import warehouse
from funnel.ingest.landing import LandedRead


def note_values(connection: psycopg.Connection[Any], load_id: int, found: Iterable[tuple[str, str, int]]) -> None:
    """Record which values a load repaired or left out: (column, what was done, number of values)."""
    for column, what, values in found:
        connection.execute("insert into ops.noted_values values (%s, %s, %s, %s)", (load_id, column, what, values))


def note_files(
    connection: psycopg.Connection[Any], landed: LandedRead, load_id: int, files: list[dict[str, Any]]
) -> None:
    """Record the result of each file of an inbox in a load."""
    for each in files:
        connection.execute(
            """
            insert into ops.files (
                load_id, source, connection_id, stream, path, stream_no, fingerprint, bytes, modified_at, status,
                reason, reasons,
                rows_read, rows_loaded, rows_quarantined, rows_merged, first_day, last_day, settings, unmapped, notes,
                fetched_at
            )
            values (
                %(load_id)s, %(source)s, %(connection_id)s, %(stream)s, %(path)s, %(stream_no)s, %(fingerprint)s,
                %(size)s, %(modified_at)s, %(status)s, %(reason)s, %(reasons)s, %(rows_read)s, %(rows_loaded)s,
                %(rows_quarantined)s, %(rows_merged)s, %(first_day)s, %(last_day)s, %(settings)s, %(unmapped)s,
                %(notes)s, %(fetched_at)s
            )
            """,
            {
                "stream_no": 1,
                # Files landed before these counts existed lack them.
                "rows_merged": 0,
                "notes": [],
                **each,
                "settings": json.dumps(each["settings"]),
                "load_id": load_id,
                "source": landed.source,
                "connection_id": landed.connection_id,
                "stream": landed.stream,
                "fetched_at": landed.fetched_at,
            },
        )


def known_files(source_name: str, connection_id: str, stream_name: str) -> dict[str, str]:
    """The fingerprint of each file of an inbox by path, from its last read, if that read was fully accepted."""
    with warehouse.connect("loader") as connection:
        return dict(
            connection.execute(
                """
                select path, min(fingerprint)
                from (
                    select
                        path, fingerprint, status,
                        rank() over (partition by path order by fetched_at desc, load_id desc) as place
                    from ops.files
                    where source = %s and connection_id = %s and stream = %s
                ) as reads
                where place = 1
                group by path
                having bool_and(status = 'loaded')
                """,
                (source_name, connection_id, stream_name),
            ).fetchall()
        )


def refused_files(source_name: str, run_id: str) -> list[str]:
    """The files of an inbox that a run refused, in words: each file with its reason and the first reasons of rows."""
    with warehouse.connect("loader") as connection:
        refused = connection.execute(
            """
            select files.path, files.reason, files.reasons
            from ops.files as files
            inner join ops.loads as loads on files.load_id = loads.load_id
            where files.source = %s and loads.run_id = %s and files.status = 'refused'
            order by files.path
            """,
            (source_name, run_id),
        ).fetchall()
    return [
        f"{path} is refused whole: {reason}." + "".join(f"\n  {each}" for each in reasons)
        for path, reason, reasons in refused
    ]


def note_held_back(
    connection: psycopg.Connection[Any], source_name: str, connection_id: str, run_id: str, reason: str
) -> None:
    """Record why a run has loaded nothing of a source of an inbox."""
    connection.execute(
        """
        insert into ops.held_back (source, connection_id, run_id, reason) values (%s, %s, %s, %s)
        on conflict (source, connection_id, run_id) do update
        set reason = excluded.reason, held_back_at = clock_timestamp()
        """,
        (source_name, connection_id, run_id, reason),
    )


def forget_held_back(connection: psycopg.Connection[Any], source_name: str, connection_id: str, run_id: str) -> None:
    """Delete the record of a source that was held back and is accepted later in the same run."""
    connection.execute(
        "delete from ops.held_back where source = %s and connection_id = %s and run_id = %s",
        (source_name, connection_id, run_id),
    )


def accepted_connections(source_name: str, run_id: str) -> set[str]:
    """The connections of a source of which a run has loaded a read, even one without changes."""
    with warehouse.connect("loader") as connection:
        return {
            connection_id
            for (connection_id,) in connection.execute(
                "select distinct connection_id from ops.loads where source = %s and run_id = %s", (source_name, run_id)
            )
        }


def held_back(source_name: str, run_id: str) -> dict[str, str]:
    """The reasons why a run has loaded nothing of a source of an inbox, by source."""
    with warehouse.connect("loader") as connection:
        return dict(
            connection.execute(
                "select connection_id, reason from ops.held_back where source = %s and run_id = %s order by 1",
                (source_name, run_id),
            ).fetchall()
        )
