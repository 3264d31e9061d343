"""A used warehouse brought back to its first state, which costs a tenth of a new database.

That is possible if a test did no more than write rows and create tables, as loads and publications do.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

# Everything that a statement can create, change or drop in a database: a changed row of a catalogue has another xmin.
CATALOGUES = (
    *("pg_attrdef", "pg_attribute", "pg_constraint", "pg_default_acl", "pg_depend", "pg_description", "pg_extension"),
    *("pg_index", "pg_inherits", "pg_namespace", "pg_policy", "pg_proc", "pg_publication", "pg_rewrite"),
    *("pg_sequence", "pg_statistic_ext", "pg_trigger", "pg_type", "pg_event_trigger", "pg_cast", "pg_largeobject"),
)
# `truncate` and `vacuum` write other columns of pg_class.
CLASSES = """
    select sum(hashtextextended(row(oid, relname, relnamespace, relowner, relkind, relacl, reloptions, relrowsecurity,
        relforcerowsecurity, relpersistence, relnatts, relchecks, relreplident, reltablespace)::text, 0))
    from pg_class
"""
SETTINGS = """
    select row(
        datacl, array(select row(setrole, setconfig)::text from pg_db_role_setting where setdatabase = oid order by 1)
    )::text
    from pg_database where datname = current_database()
"""
TABLES = "select schemaname, tablename from pg_tables where schemaname !~ '^pg_|^information_schema$' order by 1, 2"
FILLED = f"select * from ({TABLES}) as t where pg_relation_size(format('%I.%I', schemaname, tablename)) > 0"
Name = tuple[str, str]


@dataclass(frozen=True)
class State:
    """What a new database contains: hashes of its catalogues and of the rows of its filled tables, its sequences and
    its tables.
    """

    catalogues: tuple[Any, ...]
    contents: dict[Name, Any]
    sequences: list[tuple[Any, ...]]
    tables: list[Name]


def look_at(url: str) -> State:
    """The state of a database."""
    with psycopg.connect(url) as admin:
        return _state(admin)


def clear(url: str, first: State) -> bool:
    """Remove new rows and tables; returns False if the database differs from its first state in more."""
    try:
        with psycopg.connect(url) as admin:
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
            _drop(admin, [name for name in _tables(admin) if name not in first.tables])
            _truncate(admin, [name for name in _filled(admin) if name not in first.contents])
            # One that was asked for a number of a row that was rolled back.
            for schema, name, _ in set(_sequences(admin)) - set(first.sequences):
                admin.execute(
                    "select setval(format('%%I.%%I', %s::text, %s::text)::regclass, 1, false)", (schema, name)
                )
            return _state(admin) == first
    except psycopg.Error:
        return False


def _state(admin: psycopg.Connection[Any]) -> State:
    hashes = [
        f"(select sum(hashtextextended({KEYS.get(name, 'oid')} || ' ' || xmin::text, 0)) from {SHOWN.get(name, name)})"
        for name in CATALOGUES
    ]
    catalogues = admin.execute(f"select {', '.join(hashes)}, ({CLASSES}), ({SETTINGS})".encode()).fetchone()
    assert catalogues
    contents = {
        name: admin.execute(
            sql.SQL("select sum(hashtextextended(filled::text, 0)) from {} as filled").format(sql.Identifier(*name))
        ).fetchone()
        for name in _filled(admin)
    }
    return State(
        catalogues,
        {name: found for name, found in contents.items() if found != (None,)},
        _sequences(admin),
        _tables(admin),
    )


# Sessions leave their empty schemas of temporary tables.
SHOWN = {"pg_namespace": "pg_namespace where nspname !~ '^pg_(toast_)?temp'"}
# Catalogues whose rows have no number of their own.
KEYS = {
    "pg_attribute": "attrelid || ' ' || attnum",
    "pg_depend": "classid || ' ' || objid || ' ' || objsubid || ' ' || refobjid || ' ' || refobjsubid",
    "pg_description": "classoid || ' ' || objoid || ' ' || objsubid",
    "pg_index": "indexrelid",
    "pg_inherits": "inhrelid || ' ' || inhparent",
    "pg_largeobject": "loid || ' ' || pageno",
    "pg_sequence": "seqrelid",
}


def _sequences(admin: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return admin.execute("select schemaname, sequencename, last_value from pg_sequences order by 1, 2").fetchall()


def _tables(admin: psycopg.Connection[Any]) -> list[Name]:
    return admin.execute(TABLES.encode()).fetchall()


def _filled(admin: psycopg.Connection[Any]) -> list[Name]:
    return admin.execute(FILLED.encode()).fetchall()


def _drop(admin: psycopg.Connection[Any], names: list[Name]) -> None:
    if names:
        admin.execute(sql.SQL("drop table {} cascade").format(_list(names)))


def _truncate(admin: psycopg.Connection[Any], names: list[Name]) -> None:
    if names:
        admin.execute(sql.SQL("truncate {} restart identity cascade").format(_list(names)))


def _list(names: list[Name]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(*name) for name in names)
