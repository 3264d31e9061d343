"""The databases of this installation on its server: the warehouse, and those of Airflow and Superset."""

import sys
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from funnel import privileges, secret_store, settings
from installation import binaries, postgres, supervision
from installation.cluster import Server
from installation.environments import environment, has_dashboards
from installation.processes import Progress

POSTGRESQL = "postgresql"


def start_database(progress: Progress = print) -> None:
    """Start a server with the databases `warehouse`, Airflow's and Superset's; their contents are created elsewhere."""
    import psycopg

    chosen = settings.read()
    if chosen.warehouse_dsn:
        binaries.check_version(_maintenance_dsn())
    else:
        if not postgres.is_running(chosen.home):
            progress(f"starting PostgreSQL on port {chosen.postgres_port}")
        password = secret_store.secret("admin_password")
        postgres.start(chosen.home, chosen.postgres_port, password=password, run=_run_server)
    with psycopg.connect(_maintenance_dsn(), autocommit=True) as connection:
        if not chosen.warehouse_dsn:
            # Every login may enter these, until it is revoked.
            connection.execute("revoke all on database postgres, template1 from public")
        _ensure_database(connection, _database_name(), None)
        _ensure_database(connection, _airflow_database(), secret_store.secret("airflow_database_password"))
        if has_dashboards():
            _ensure_database(connection, _superset_database(), secret_store.secret("superset_database_password"))


def _run_server(server: Server) -> None:
    """Start the embedded server under supervisord."""
    command = (sys.executable, "-m", "funnel.cli", "serve", POSTGRESQL)
    supervision.start(
        POSTGRESQL, command, server.home, environment(), stop_seconds=120, stop_signal="INT", log=server.log_file
    )
    postgres.await_answer(server)


def report_open_functions(progress: Progress) -> None:
    """Report functions that readers may still call, because this server's administrator is not a superuser."""
    import psycopg

    with psycopg.connect(settings.dsn("admin")) as admin:
        left = privileges.open_functions(admin)
    if left:
        progress(
            f"{len(left)} functions that readers do not need could not be revoked, such as {left[0]}: the "
            "administrator of this server is not a superuser. Row security holds without it; see docs/servers.md, "
            "Who reads what."
        )


def _database_name() -> str:
    return settings.address().path.lstrip("/") or settings.read().warehouse_database


def _airflow_database() -> str:
    """Name of Airflow's database; on a shared server it is derived from the warehouse's name."""
    return f"{_database_name()}_airflow" if settings.read().warehouse_dsn else "airflow"


def _superset_database() -> str:
    return f"{_database_name()}_superset" if settings.read().warehouse_dsn else "superset"


def _maintenance_dsn() -> str:
    return urlunsplit(urlsplit(settings.dsn("admin"))._replace(path="/postgres"))


def other_dsns() -> dict[str, str]:
    """URLs of Airflow's and Superset's databases for the administrator, by service; they may not exist yet."""
    admin = urlsplit(settings.dsn("admin"))
    names = {"airflow": _airflow_database(), "superset": _superset_database()}
    return {service: urlunsplit(admin._replace(path=f"/{name}")) for service, name in names.items()}


def airflow_dsn(scheme: str) -> str:
    """URL of Airflow's database, with this scheme."""
    return _own_dsn(scheme, _airflow_database(), secret_store.secret("airflow_database_password"))


def superset_dsn(scheme: str) -> str:
    """URL of Superset's database, with this scheme."""
    return _own_dsn(scheme, _superset_database(), secret_store.secret("superset_database_password"))


def _own_dsn(scheme: str, name: str, password: str) -> str:
    """URL of a service's own database, whose owner has the same name."""
    at = settings.address()
    login = f"{quote(name)}:{quote(password, safe='')}"
    return urlunsplit((scheme, f"{login}@{at.netloc}", f"/{name}", at.query, ""))


def _ensure_database(connection: Any, name: str, owner_password: str | None) -> None:
    """Create a database if it is missing; with a password also its owner, a login of the same name."""
    from psycopg import sql

    identifier = sql.Identifier(name)
    if owner_password:
        found = connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone()
        verb = sql.SQL("alter" if found else "create")
        connection.execute(
            sql.SQL("{} role {} login password {}").format(verb, identifier, sql.Literal(owner_password))
        )
    if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
        connection.execute(sql.SQL("create database {}").format(identifier))
    if owner_password:
        privileges.reserve_connections(connection, name)
        connection.execute(sql.SQL("grant {} to current_user").format(identifier))
        connection.execute(sql.SQL("alter database {} owner to {}").format(identifier, identifier))
        connection.execute(sql.SQL("revoke all on database {} from public").format(identifier))
