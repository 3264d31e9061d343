"""The raw table of a stream, its indexes, and the table of incoming rows during a load."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Stream


@dataclass(frozen=True)
class Target:
    """Names of one stream's raw table, composed once."""

    table: sql.Identifier
    incoming: sql.Identifier
    columns: tuple[str, ...]
    key: tuple[str, ...]
    content: tuple[str, ...]

    def names(self, columns: Iterable[str], qualifier: str | None = None) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(qualifier, c) if qualifier else sql.Identifier(c) for c in columns)

    def same_key(self, left: str, right: str) -> sql.Composed:
        return sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in self.key
        )

    def differ(self, left: str, right: str) -> sql.Composed:
        return sql.SQL("({}) is distinct from ({})").format(
            self.names(self.content, left), self.names(self.content, right)
        )


def create_index_of_loads(connection: psycopg.Connection[Any], target: Target, first_load: int = 0) -> None:
    """The index on _load_id skips the first load: it would cover every row and nothing filters on it.

    It is made before the rows of that load are copied: each of them is passed over then, and none read again.
    """
    connection.execute(
        sql.SQL("create index on {} (_load_id) where _load_id > {}").format(target.table, sql.Literal(first_load))
    )


def create_indexes(
    connection: psycopg.Connection[Any], stream: Stream, target: Target, primary_key: tuple[str, ...]
) -> None:
    """The unique key and what rows are looked up by.

    Free texts of a key are in its index as one hash (ING-21): an index row is limited to 2,704 bytes.
    """
    free = [column.name for column in stream.columns if column.free_text and column.name in primary_key]
    if free:
        hashes = sql.SQL(" || ").join(sql.SQL("md5({})").format(sql.Identifier(name)) for name in free)
        connection.execute(
            sql.SQL("create unique index on {} ({}, md5({}))").format(
                target.table,
                target.names(name for name in primary_key if name not in free),
                hashes,
            )
        )
    else:
        connection.execute(
            sql.SQL("alter table {} add primary key ({})").format(target.table, target.names(primary_key))
        )
    for indexed in stream.lookups:
        connection.execute(sql.SQL("create index on {} ({})").format(target.table, sql.Identifier(indexed)))


def drop_indexes(connection: psycopg.Connection[Any], target: Target) -> None:
    """All indexes of the raw table, which stays locked until the transaction ends."""
    indexes = connection.execute(
        """
        select index.indexrelid::regclass::text, index.indisprimary, pg_constraint.conname
        from pg_index as index left join pg_constraint on index.indexrelid = pg_constraint.conindid
        where index.indrelid = %s::regclass
        """,
        (target.table.as_string(connection),),
    ).fetchall()
    for name, is_primary, constraint in indexes:
        if is_primary:
            drop = sql.SQL("alter table {} drop constraint {}").format(target.table, sql.Identifier(constraint))
        else:
            drop = sql.SQL("drop index {}").format(sql.SQL(name))
        connection.execute(drop)


def drop_duplicates(connection: psycopg.Connection[Any], stream: Stream, target: Target) -> int:
    """Keep one incoming row per key: the newest by `modified`, then the one received last (the order of the copy)."""
    newest_first: list[sql.Composable] = [sql.SQL("ctid desc")]
    if stream.modified:
        newest_first.insert(0, sql.SQL("{} desc").format(sql.Identifier(stream.modified)))
    has_duplicates = connection.execute(
        sql.SQL("select exists (select from {} group by {} having count(*) > 1)").format(
            target.incoming, target.names(target.key)
        )
    ).fetchone()
    if has_duplicates == (False,):
        return 0
    return connection.execute(
        sql.SQL(
            """
            delete from {incoming} where ctid in (
                select ctid
                from (
                    select ctid, row_number() over (partition by {key} order by {newest_first}) as place from {incoming}
                ) as ranked
                where place > 1
            )
            """
        ).format(incoming=target.incoming, key=target.names(target.key), newest_first=sql.SQL(", ").join(newest_first))
    ).rowcount
