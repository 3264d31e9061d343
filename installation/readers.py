"""The warehouse's logins of the dashboards: made, changed and removed as `dashboards/access.yaml` and Superset's users
say (DSH-10).

A login is a member of the role of each of its regions, or of "All regions"; funnel.publication.row_security gives the
tables their policies and each login its columns. Rows of Superset's own database are read, never written.
"""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql

from dashboards import layout, warehouse_logins
from dashboards.warehouse_logins import IN_EFFECT, NO_GRANTS, PUBLICATION, Reading
from funnel import privileges, secret_store, settings
from funnel.publication import row_security
from funnel.settings import REPOSITORY
from installation.databases import superset_dsn
from installation.environments import DASHBOARDS

REGIONS = REPOSITORY / "dbt_project" / "seeds" / "country_regions.csv"
# For a file of access rights without them: regional users then see whether the numbers are fresh, and no name.
OPEN_TABLES = {"data_status": "true"}
GROUP, ALL_REGIONS = privileges.READER_GROUPS

USERS = """
    select array_agg(role.name)
    from ab_user as member
    inner join ab_user_role as held on held.user_id = member.id
    inner join ab_role as role on role.id = held.role_id
    where member.active
    group by member.id
"""


def prepare_readers() -> None:
    """Bring the logins, their regions, datasets and grants to what the files and Superset's users say. A second run
    changes nothing.
    """
    access = yaml.safe_load(access_file().read_text())
    readings = {warehouse_logins.reading(roles) for roles in [*_listed(access), *_superset_users()]}
    with psycopg.connect(settings.dsn("admin")) as admin:
        # A publication waits for this transaction, or this one for it: no table is left out between the two.
        admin.execute("select pg_advisory_xact_lock(%s)", (row_security.LOCK,))
        regions = _ensure_regions(admin)
        _ensure_logins(admin, readings, regions)
        _write_access(admin, access, readings, regions)
        for schema in ("bi", "ops"):
            row_security.secure(admin, schema)
        _remove_logins(admin, {NO_GRANTS, PUBLICATION, *(each.login for each in readings)})


def access_file() -> Path:
    """The file of access rights: that of `dashboards/`, or the one that DASHBOARDS_ACCESS names."""
    return Path(os.environ.get("DASHBOARDS_ACCESS") or DASHBOARDS / "access.yaml")


def login_secret() -> str:
    """The secret from which the passwords of all logins are derived: only Superset and the installation have it."""
    return secret_store.secret("superset_secret_key")


def _listed(access: dict[str, Any]) -> Iterable[list[str]]:
    return [user["roles"] for user in access["users"]]


def _superset_users() -> Iterable[list[str]]:
    """The roles of each active user of Superset; nothing before Superset's first start."""
    with psycopg.connect(superset_dsn("postgresql")) as superset:
        exists = superset.execute("select to_regclass('ab_user_role') is not null").fetchone()
        return [roles for (roles,) in superset.execute(USERS)] if exists and exists[0] else []


def _ensure_regions(admin: psycopg.Connection[Any]) -> dict[str, str]:
    """A role for each region of the seed, named as Superset's; returns the names by region."""
    with REGIONS.open() as file:
        names = sorted({row["region"] for row in csv.DictReader(file)})
    regions = {name: f"{warehouse_logins.REGION}{name}" for name in names}
    for role in regions.values():
        if not _exists(admin, role):
            admin.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
    return regions


def _ensure_logins(admin: psycopg.Connection[Any], readings: set[Reading], regions: dict[str, str]) -> None:
    database = sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("grant connect on database {} to {}").format(database, sql.Identifier(GROUP)))
    _ensure_login(admin, NO_GRANTS, "nothing", {GROUP})
    _ensure_login(admin, PUBLICATION, "the number of the publication in effect", {GROUP})
    for reading in readings:
        if reading.login == NO_GRANTS:
            continue
        # An unknown region is not one of the seed: its login then sees no row of any region.
        places = {regions[name] for name in reading.regions if name in regions} if reading.regions else {ALL_REGIONS}
        reads_all = {"bi_reader"} if reading.reads_all and not reading.regions else set()
        _ensure_login(admin, reading.login, str(reading), {GROUP, *places, *reads_all})


def _ensure_login(admin: psycopg.Connection[Any], login: str, meaning: str, groups: set[str]) -> None:
    name = sql.Identifier(login)
    if not _exists(admin, login):
        admin.execute(sql.SQL("create role {}").format(name))
    secret = sql.Literal(warehouse_logins.password(login_secret(), login))
    admin.execute(sql.SQL("alter role {} login inherit password {}").format(name, secret))
    admin.execute(sql.SQL("comment on role {} is {}").format(name, sql.Literal(f"Dashboards: {meaning}")))
    privileges.limit(admin, login, privileges.DASHBOARDS, privileges.CONNECTIONS["dashboards"])
    query = """
        select held.rolname from pg_auth_members as membership
        inner join pg_roles as held on held.oid = membership.roleid
        where membership.member = %s::regrole
    """
    present = {role for (role,) in admin.execute(query, (f'"{login}"',))}
    for role in present - groups:
        admin.execute(sql.SQL("revoke {} from {}").format(sql.Identifier(role), name))
    for role in groups - present:
        admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), name))


def _remove_logins(admin: psycopg.Connection[Any], wanted: set[str]) -> None:
    """Remove logins that no user has any more. One that another database of the server still names cannot log in."""
    query = "select rolname from pg_roles where starts_with(rolname, %s) and rolname <> all(%s)"
    for (login,) in admin.execute(query, (warehouse_logins.PREFIX, list(wanted))).fetchall():
        name = sql.Identifier(login)
        admin.execute(sql.SQL("alter role {} nologin").format(name))
        for schema in ("bi", "ops"):
            _revoke_columns(admin, schema, login)
        try:
            with admin.transaction():
                admin.execute(sql.SQL("drop role {}").format(name))
        except psycopg.errors.DependentObjectsStillExist:
            continue


def _revoke_columns(admin: psycopg.Connection[Any], schema: str, login: str) -> None:
    for table, column, _ in admin.execute(row_security.GRANTED, (schema, [login])).fetchall():
        admin.execute(
            sql.SQL("revoke select ({}) on {} from {}").format(
                sql.Identifier(column), sql.Identifier(schema, table), sql.Identifier(login)
            )
        )


def _write_access(
    admin: psycopg.Connection[Any], access: dict[str, Any], readings: set[Reading], regions: dict[str, str]
) -> None:
    """Write what the policies and grants are computed from: publication needs it for new tables."""
    boards = datasets_of_dashboards()
    every = sorted({name for names in boards.values() for name in names})
    logins = [(PUBLICATION, False, [PUBLICATION])]
    for reading in readings:
        names = {name for board in reading.dashboards for name in boards.get(board, ())}
        logins.append((reading.login, bool(reading.regions), every if reading.reads_all else sorted(names)))
    rows: dict[str, list[tuple[Any, ...]]] = {
        "regions": list(regions.items()),
        "datasets": [(PUBLICATION, [IN_EFFECT]), *queries_of_datasets().items()],
        "logins": logins,
        "open_tables": list(access.get("tables_open_to_regions", OPEN_TABLES).items()),
    }
    for table, wanted in rows.items():
        name = sql.Identifier("access", table)
        if sorted(admin.execute(sql.SQL("select * from {}").format(name)).fetchall()) == sorted(wanted):
            continue
        admin.execute(sql.SQL("delete from {}").format(name))
        for row in wanted:
            values = sql.SQL(", ").join(map(sql.Placeholder, [""] * len(row)))
            admin.execute(sql.SQL("insert into {} values ({})").format(name, values), row)


def datasets_of_dashboards() -> dict[str, list[str]]:
    """The uuids of the datasets that each dashboard's charts and filters read, by its slug."""
    assets = layout.Assets(DASHBOARDS / "assets")
    boards = {}
    for board in assets.boards:
        of_charts = {assets.charts[name]["dataset_uuid"] for name in layout.placed(board)}
        of_filters = {assets.datasets[each["dataset"]]["uuid"] for each in board["filters"] if "dataset" in each}
        boards[board["slug"]] = sorted(of_charts | of_filters)
    return boards


def queries_of_datasets() -> dict[str, list[str]]:
    """SQL that reads every column which a dataset, or one of its metrics, may read, by the dataset's uuid."""
    return {dataset["uuid"]: _queries(dataset) for dataset in _assets("datasets")}


def _queries(dataset: dict[str, Any]) -> list[str]:
    if dataset["sql"]:
        return [f"select * from ({dataset['sql'].rstrip().rstrip(';')}\n) as dataset"]  # noqa: S608
    table = f'"{dataset["schema"]}"."{dataset["table_name"]}"'
    columns = ", ".join(f'"{column["column_name"]}"' for column in dataset["columns"] if not column.get("expression"))
    return [f"select {columns} from {table}"]  # noqa: S608


def _assets(kind: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in sorted((DASHBOARDS / "assets" / kind).rglob("*.yaml"))]


def _exists(admin: psycopg.Connection[Any], role: str) -> bool:
    return admin.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone() is not None
