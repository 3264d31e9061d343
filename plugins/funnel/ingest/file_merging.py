"""Merges rows of one record from files that fill different columns.

A file writes the columns that it has and leaves the others as they are. If two files fill the same column of a record,
the later one in the order of files counts (FIL-7). A row stores only the last file that wrote it: if three files with
different columns share a record, an earlier one that arrives late fills empty columns and overwrites nothing. Streams
whose files all fill the same columns are upserted as a whole instead (`load`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel.ingest.landing import LandedRead


@dataclass(frozen=True)
class Writer:
    """A file: its position among the files and the columns that it fills."""

    order: str
    columns: frozenset[str]


def writers(
    connection: psycopg.Connection[Any], landed: LandedRead, files: list[dict[str, Any]], content: Iterable[str]
) -> tuple[list[Writer], list[Writer]]:
    """(the files of this read that have rows, all files of the stream with them), with the columns of `content` that
    they fill.
    """
    every = frozenset(content)
    ours = [Writer(each["file_order"], every & set(each["columns"])) for each in files if each.get("columns")]
    before = connection.execute(
        """
        select path, stream_no, file_order, columns
        from (
            select distinct on (path, stream_no) *
            from ops.files
            where source = %s and connection_id = %s and stream = %s and status = 'loaded'
            order by path, stream_no, fetched_at desc, load_id desc
        ) as newest
        where file_order is not null and rows_loaded > 0
        """,
        (landed.source, landed.connection_id, landed.stream),
    ).fetchall()
    read = {(each["path"], each.get("stream_no", 1)) for each in files}
    return ours, ours + [
        Writer(order, every if columns is None else every & set(columns))
        for path, stream_no, order, columns in before
        if (path, stream_no) not in read
    ]


def differ(known: list[Writer]) -> bool:
    """True if the files of a stream fill different columns."""
    return len({one.columns for one in known}) > 1


def record(connection: psycopg.Connection[Any], load_id: int, files: list[dict[str, Any]]) -> None:
    """Record which columns each file fills, in the file's row of ops.files."""
    for each in files:
        if each.get("columns"):
            connection.execute(
                "update ops.files set file_order = %s, columns = %s "
                "where load_id = %s and path = %s and stream_no = %s",
                (each["file_order"], each["columns"], load_id, each["path"], each.get("stream_no", 1)),
            )


def merge(
    connection: psycopg.Connection[Any],
    table: sql.Identifier,
    incoming: sql.Identifier,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    ours: list[Writer],
    known: list[Writer],
) -> int:
    """Write the incoming rows file by file, the oldest first; returns the number of rows that later files supersede."""
    superseded = 0
    for order in sorted({one.order for one in ours}):
        filled = frozenset().union(*(one.columns for one in ours if one.order == order))
        later: dict[str, frozenset[str]] = {}
        for one in known:
            if one.order > order:
                later[one.order] = later.get(one.order, frozenset()) | one.columns
        rows = sql.SQL(
            "select distinct on ({key}) * from {incoming} where _file_order = {order} order by {key}, ctid desc"
        )
        names: dict[str, sql.Composable] = {
            "table": table,
            "columns": _list(columns),
            "key": _list(key),
            "rows": rows.format(key=_list(key), incoming=incoming, order=order),
            "same_key": sql.SQL(" and ").join(
                sql.SQL("stored.{0} = rows.{0}").format(sql.Identifier(one)) for one in key
            ),
            "over": sql.Literal([one for one, theirs in later.items() if filled <= theirs]),
            "assignments": sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(one), _value(one, order, later)) for one in sorted(filled)
            ),
            "before": _list(sorted(filled), "stored"),
            "after": sql.SQL(", ").join(_value(one, order, later) for one in sorted(filled)),
            "is_newer": _IS_NEWER,
        }
        found = connection.execute(
            sql.SQL(
                "select count(*) from ({rows}) as rows inner join {table} as stored on {same_key} "
                "where stored._file_order = any({over}::text[])"
            ).format(**names)
        ).fetchone()
        superseded += found[0] if found else 0
        connection.execute(
            sql.SQL(
                """
                insert into {table} as stored ({columns})
                select {columns} from ({rows}) as rows
                on conflict ({key}) do update
                set
                    {assignments},
                    _file_order = greatest(stored._file_order, excluded._file_order),
                    _fetched_at = case when {is_newer} then excluded._fetched_at else stored._fetched_at end,
                    _load_id = case
                        when ({before}) is distinct from ({after}) then excluded._load_id else stored._load_id
                    end
                """
            ).format(**names)
        )
    return superseded


_IS_NEWER = sql.SQL("(stored._file_order, stored._fetched_at) <= (excluded._file_order, excluded._fetched_at)")


def _value(column: str, order: str, later: dict[str, frozenset[str]]) -> sql.Composable:
    """The value of a column after a file of this order wrote it."""
    rivals = [other for other, columns in later.items() if column in columns]
    return sql.SQL(
        "case when {is_newer} then excluded.{column} "
        "when stored._file_order = any({rivals}::text[]) then stored.{column} else {otherwise} end"
    ).format(
        is_newer=_IS_NEWER,
        column=sql.Identifier(column),
        rivals=sql.Literal([order, *rivals]),
        otherwise=sql.SQL("coalesce(stored.{0}, excluded.{0})" if rivals else "excluded.{0}").format(
            sql.Identifier(column)
        ),
    )


def _list(columns: Iterable[str], qualifier: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(qualifier, one) if qualifier else sql.Identifier(one) for one in columns)
