"""Who reads which rows and columns of `bi`, held by PostgreSQL itself (DSH-10).

Every table of `bi` has row security. The people's role, the builder and logins of all regions see every row; a login
of some regions sees the rows of these, and of a table without a region nothing, unless `access.open_tables` opens it.
The logins of the dashboards may read the columns that their datasets read: PostgreSQL names them, because it records
the columns that a view depends on. Schema `access` holds the logins; installation.readers writes it.
"""

import hashlib
import logging
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from funnel import ledger, warehouse
from funnel.publication.readers import lock_from_readers

log = logging.getLogger(__name__)

ALL_REGIONS = "All regions"
OPEN = "Open to regions"
# Publication and installation hold it while they change policies or grants of `bi`, to the end of the transaction.
LOCK = ledger.BUILD_LOCK + 3

COLUMNS_OF_PROBE: LiteralString = """
    select distinct namespace.nspname, class.relname, attribute.attname
    from pg_rewrite as rule
    inner join pg_depend as dependency
        on
            dependency.classid = 'pg_rewrite'::regclass
            and dependency.objid = rule.oid
            and dependency.refclassid = 'pg_class'::regclass
            and dependency.refobjid <> rule.ev_class
    inner join pg_attribute as attribute
        on attribute.attrelid = dependency.refobjid and attribute.attnum = dependency.refobjsubid
    inner join pg_class as class on class.oid = dependency.refobjid
    inner join pg_namespace as namespace on namespace.oid = class.relnamespace
    where rule.ev_class = 'pg_temp.probe'::regclass
"""
GRANTED: LiteralString = """
    select class.relname, attribute.attname, role.rolname
    from pg_class as class
    inner join pg_attribute as attribute on attribute.attrelid = class.oid
    cross join lateral aclexplode(attribute.attacl) as given
    inner join pg_roles as role on role.oid = given.grantee
    where class.relnamespace = %s::regnamespace and role.rolname = any(%s) and given.privilege_type = 'SELECT'
"""

Columns = set[tuple[str, str, str]]


def secure(connection: psycopg.Connection[Any], schema: str = "bi") -> None:
    """Give every table of `bi` its policies and each login the columns it may read of the schema. Changes nothing that
    is already so. Runs as the owner of the schema's tables, within the caller's transaction.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
    if schema == "bi":
        for table in warehouse.tables(connection, "bi"):
            _ensure_policies(connection, table)
    _grant_columns(connection, schema)


def release_region(connection: psycopg.Connection[Any], table: str) -> None:
    """Remove the policies that depend on the table's columns, so that these can be changed; regional logins see nothing
    of it until `secure`.
    """
    query = """
        select tablename, policyname from pg_policies
        where schemaname = 'bi' and policyname <> %s and (tablename = %s or starts_with(policyname, %s))
    """
    for other, policy in connection.execute(query, (ALL_REGIONS, table, OPEN)).fetchall():
        _drop(connection, other, policy)


def _ensure_policies(connection: psycopg.Connection[Any], table: str) -> None:
    shown = sql.Identifier("bi", table)
    row = connection.execute(
        "select relrowsecurity from pg_class where oid = format('bi.%%I', %s::text)::regclass", (table,)
    ).fetchone()
    is_secured = bool(row and row[0])
    wanted = _wanted_policies(connection, table)
    present = _policies(connection, table)
    if is_secured and present == wanted.keys():
        return
    lock_from_readers(connection, "bi", table)
    if not is_secured:
        connection.execute(sql.SQL("alter table {} enable row level security").format(shown))
    for name in present - wanted.keys():
        _drop(connection, table, name)
    for name in wanted.keys() - present:
        roles, condition = wanted[name]
        statement = sql.SQL("create policy {} on {} for select to {} using ({})").format(
            sql.Identifier(name), shown, sql.SQL(", ").join(map(sql.Identifier, roles)), condition
        )
        try:
            with connection.transaction():
                connection.execute(statement)
        except psycopg.errors.UndefinedTable as error:
            log.info("bi.%s stays closed to regional logins: %s", table, str(error).partition("\n")[0])


def _wanted_policies(connection: psycopg.Connection[Any], table: str) -> dict[str, tuple[list[str], sql.Composable]]:
    """The roles and the condition of each policy by its name, which changes with them."""
    wanted: dict[str, tuple[list[str], sql.Composable]] = {
        ALL_REGIONS: (["bi_reader", "builder", ALL_REGIONS], sql.SQL("true"))
    }
    regions = connection.execute("select region, role_name from access.regions order by region").fetchall()
    opened = connection.execute("select condition from access.open_tables where table_name = %s", (table,)).fetchone()
    if "region" in warehouse.columns(connection, "bi", table):
        for region, role in regions:
            wanted[role] = ([role], sql.SQL("region = {}").format(sql.Literal(region)))
    elif opened and regions:
        # access.yaml is a file of the installation, as the models are.
        digest = hashlib.sha256(opened[0].encode()).hexdigest()[:8]
        wanted[f"{OPEN}: {digest}"] = ([role for _, role in regions], sql.SQL(opened[0]))
    return wanted


def _policies(connection: psycopg.Connection[Any], table: str) -> set[str]:
    query = "select policyname from pg_policies where schemaname = 'bi' and tablename = %s"
    return {name for (name,) in connection.execute(query, (table,)).fetchall()}


def _drop(connection: psycopg.Connection[Any], table: str, policy: str) -> None:
    statement = sql.SQL("drop policy {} on {}")
    connection.execute(statement.format(sql.Identifier(policy), sql.Identifier("bi", table)))


def _grant_columns(connection: psycopg.Connection[Any], schema: str) -> None:
    wanted = _wanted_columns(connection, schema)
    logins = [login for (login,) in connection.execute("select login from access.logins").fetchall()]
    granted: Columns = set(connection.execute(GRANTED, (schema, logins)).fetchall())
    for verb, columns in (("revoke {} on {} from {}", granted - wanted), ("grant {} on {} to {}", wanted - granted)):
        by_table: dict[tuple[str, str], list[str]] = {}
        for table, column, login in sorted(columns):
            by_table.setdefault((table, login), []).append(column)
        for (table, login), names in by_table.items():
            listed = sql.SQL(", ").join(sql.SQL("select ({})").format(sql.Identifier(name)) for name in names)
            statement = sql.SQL(verb)  # type: ignore[arg-type]
            connection.execute(statement.format(listed, sql.Identifier(schema, table), sql.Identifier(login)))


def _wanted_columns(connection: psycopg.Connection[Any], schema: str) -> Columns:
    """Table, column and login of every grant in this schema. A regional login gets tables with
    row security and the views that `access.open_tables` names.
    """
    tables = set(warehouse.tables(connection, schema))
    opened = dict(connection.execute("select table_name, condition from access.open_tables").fetchall())
    compared = {table: _columns_read(connection, _with_condition(table, opened[table])) for table in opened}
    read = {
        dataset: {column for query in queries for column in _columns_read(connection, query)}
        for dataset, queries in connection.execute("select dataset, queries from access.datasets").fetchall()
    }
    wanted: Columns = set()
    for login, is_regional, datasets in connection.execute("select * from access.logins").fetchall():
        for dataset in datasets:
            for place, table, column in read.get(dataset, ()):
                is_narrowed = place == "bi" and (table in tables or table in opened)
                if place == schema and (is_narrowed or not is_regional):
                    wanted.add((table, column, login))
                if place == schema and is_regional and table in tables:
                    # PostgreSQL evaluates a policy with the rights of the reader.
                    wanted |= {(other, key, login) for at, other, key in compared.get(table, ()) if at == schema}
    return wanted


def _with_condition(table: str, condition: str) -> str:
    return f'select 1 as one from bi."{table}" where {condition}'  # noqa: S608


def _columns_read(connection: psycopg.Connection[Any], query: str) -> list[tuple[str, str, str]]:
    """Schema, table and column of all that a query reads; nothing while PostgreSQL refuses it."""
    found: list[tuple[str, str, str]] = []
    try:
        with connection.transaction() as probe:
            connection.execute(b"create temporary view probe as " + query.encode())
            found = connection.execute(COLUMNS_OF_PROBE).fetchall()
            raise psycopg.Rollback(probe)
    except psycopg.ProgrammingError as error:
        # A dataset may be early or wrong: it gets no column, and what is right is published.
        is_early = isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn)
        level = logging.INFO if is_early else logging.WARNING
        log.log(level, "No login may read a dataset of the dashboards yet: %s", str(error).partition("\n")[0])
    return found
