"""Tables that hold exactly the rows a suite calls believable, or its poison."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from funnel import ledger, load
from funnel.config import Role
from funnel.sources import SOURCES

Row = Mapping[str, Any]
Deliver = Callable[..., list[int]]

FETCHED_AT = "2026-01-06 03:00+00"


def lay(role: Role, table: str, rows: Iterable[Row]) -> None:
    """Insert rows into `schema.name`; columns that a row does not name stay null or take their default."""
    with ledger.connect(role) as connection:
        for row in rows:
            values = [Jsonb(value) if _is_json(value) else value for value in row.values()]
            connection.execute(
                sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier(*table.split(".")),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() for _ in row),
                ),
                values,
            )


def _is_json(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


@pytest.fixture
def deliver(warehouse: str) -> Deliver:
    """deliver(source, {stream: rows}, run_id=…, loads=[…]): what the loader would have stored, without landed files."""
    numbers = itertools.count(1)

    def make(
        source_name: str,
        rows_by_stream: Mapping[str, Iterable[Row]],
        *,
        run_id: str = "run",
        window: tuple[str, str] = ("2026-01-05", "2026-01-06"),
        loads: Iterable[Row] | None = None,
    ) -> list[int]:
        source = SOURCES[source_name]
        with ledger.connect("loader") as connection:
            for stream in source.streams:
                load._ensure_table(connection, source, stream)
                connection.execute(f"drop table pg_temp.incoming__{source_name}__{stream.name}")
        ids: list[int] = []
        rows_by_stream = {name: list(rows) for name, rows in rows_by_stream.items()}
        if loads is None:
            loads = [{"stream": stream.name} for stream in source.streams]
        for asked in loads:
            name = asked["stream"]
            number = next(numbers)
            count = len(rows_by_stream.get(name, []))
            lay(
                "loader",
                "ops.loads",
                [
                    {
                        "source": source_name,
                        "connection_id": source_name,
                        "window_from": window[0],
                        "window_to": window[1],
                        "rows_read": count,
                        "rows_loaded": count,
                        "rows_quarantined": 0,
                        "rows_retracted": 0,
                        "rows_superseded": 0,
                        "rows_duplicated": 0,
                        "bytes": 0,
                        "fetched_at": FETCHED_AT,
                        "started_at": FETCHED_AT,
                        "finished_at": FETCHED_AT,
                        "run_id": run_id,
                        "landing": f"landed/{number}",
                        "code_version": "test",
                        **asked,
                    }
                ],
            )
            with ledger.connect("loader") as connection:
                ids.append(connection.execute("select max(load_id) from ops.loads").fetchone()[0])
            system = {"_connection_id": source_name, "_load_id": ids[-1], "_fetched_at": FETCHED_AT}
            lay("loader", f"raw.{source_name}__{name}", [{**system, **row} for row in rows_by_stream.pop(name, [])])
        return ids

    return make
