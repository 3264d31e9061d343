"""A test never finds what the test before it left: a changed warehouse is not used again, unless it is as new."""

import psycopg
import pytest

from tests import reuse

UNDONE = (
    "create table raw.left_behind (a int); insert into raw.left_behind values (1)",
    "insert into ops.removals (source, connection_id, stream, reason, rows_removed) values ('a', 'a', 'a', 'a', 1)",
    "select nextval('ops.loads_load_id_seq')",
)
KEPT = (
    "alter table ops.loads add column left_behind int",
    "create policy left_behind on ops.loads using (true)",
    "create view ops.left_behind as select 1 as a",
    "create schema left_behind",
    "grant select on ops.removals to public",
    "comment on schema raw is 'left behind'",
    "create function ops.left_behind() returns int language sql as 'select 1'",
    "alter database {name} set statement_timeout = '1h'",
    "grant create on database {name} to public",
    "delete from public.schema_migrations where ctid = (select min(ctid) from public.schema_migrations)",
)


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as admin:
        admin.execute(statement.format(name=admin.info.dbname).encode())


def test_rows_and_tables_are_removed(warehouse: str) -> None:
    first = reuse.look_at(warehouse)
    for statement in UNDONE:
        execute(warehouse, statement)
    assert reuse.look_at(warehouse) != first
    assert reuse.clear(warehouse, first)
    assert reuse.look_at(warehouse) == first


@pytest.mark.parametrize("statement", KEPT)
def test_what_else_changed_is_found(warehouse: str, statement: str) -> None:
    first = reuse.look_at(warehouse)
    execute(warehouse, statement)
    assert not reuse.clear(warehouse, first)
