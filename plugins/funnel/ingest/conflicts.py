"""Finds different rows with the same key in one read. One of them is kept; only the vendor can say which
one is right.
"""

import logging
from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Stream
from funnel.ingest.json_rows import Conflicts, raw_columns
from funnel.ingest.privacy import keyed_hash, person_key_secret

log = logging.getLogger(__name__)

# The number of conflicts that are logged; their total is stored as well.
TOLD = 10


def find(connection: psycopg.Connection[Any], stream: Stream, incoming: sql.Identifier) -> Conflicts:
    """Compare the rows with the same key and day in a dated read; differences are also logged."""
    if stream.kind != "dated" or stream.day is None:
        return Conflicts()
    content = [name for name, _ in raw_columns(stream) if name not in stream.key] + ["_extra"]
    numbers = [name for name, kind in raw_columns(stream) if kind in ("bigint", "numeric") and name not in stream.key]
    figures = sql.SQL(", ").join(
        sql.SQL("{}, {}::text").format(sql.Literal(name), sql.Identifier(name)) for name in numbers
    )
    found = connection.execute(
        sql.SQL(
            """
            select {key}, {day}, jsonb_agg(jsonb_build_object({figures}) order by ctid), count(*) over ()
            from {incoming}
            group by {key}
            having count(*) > 1 and count(distinct ({content})::text) > 1
            order by {key}
            limit {most}
            """
        ).format(
            key=sql.SQL(", ").join(map(sql.Identifier, stream.key)),
            day=sql.Identifier(stream.day),
            figures=figures,
            incoming=incoming,
            content=sql.SQL(", ").join(map(sql.Identifier, content)),
            most=TOLD,
        )
    ).fetchall()
    if not found:
        return Conflicts()
    secret = person_key_secret()
    first = tuple(
        {"hashed_key": keyed_hash(secret, ":".join(map(str, key))), "day": str(day), "figures": figures}
        for *key, day, figures, _ in found
    )
    keys = found[0][-1]
    log.warning("%s: %d keys have different rows in one read, the last is kept: %s", stream.name, keys, first)
    return Conflicts(keys, first)
