"""Tables of `bi` with the columns of the real marts and a row for each region, published and read without dbt or
Superset: what PostgreSQL lets each login see is seen in seconds.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from dashboards import warehouse_logins
from funnel import settings
from funnel.publication import row_security
from installation import readers
from tests.publication.bypasses import mark

MARTS = settings.REPOSITORY / "dbt_project/models/marts"
REGIONS = ("EMEA", "APAC", "Americas", "(all)", "(not split)", "Unknown")
SAMPLE = {"boolean": True, "date": "2026-11-01", "timestamp": "2026-11-01"}
ONLY_FUNNEL = ["Viewer", "Dashboard: funnel"]
EMEA = ["Viewer", "Dashboard: funnel", "Dashboard: money", "Dashboard: pipeline", "Region: EMEA"]
ONLY_LISTS = ["Viewer", "Dashboard: records"]
EMEA_LISTS = [*ONLY_LISTS, "Region: EMEA"]
EMEA_TRUST = ["Viewer", "Dashboard: trust", "Dashboard: alignment", "Region: EMEA"]


def contracts() -> dict[str, dict[str, str]]:
    """The columns of each table of the marts with their types, as the dbt contracts state them."""
    found = {}
    for path in sorted(MARTS.glob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models") or ():
            if model.get("columns") and model["name"] not in views():
                found[model["name"]] = {each["name"]: each["data_type"] for each in model["columns"]}
    return found


def views() -> dict[str, str]:
    """The statement of each view of the marts, over the tables of `bi`."""
    statements = {path.stem: path.read_text() for path in sorted(MARTS.glob("*.sql"))}
    return {
        name: re.sub(r"{{ ref\('(\w+)'\) }}", r"bi.\1", text.partition("}}")[2])
        for name, text in statements.items()
        if "materialized='view'" in text
    }


def show_company() -> None:
    """Create the tables and views of `bi` as publication does, with one row for each region."""
    with psycopg.connect(settings.dsn("publisher")) as publisher:
        for table, columns in contracts().items():
            _create(publisher, table, columns)
        for view, statement in views().items():
            publisher.execute(f"create view bi.{view} with (security_invoker = true) as {statement}".encode())
        row_security.secure(publisher)


def _create(publisher: psycopg.Connection[Any], table: str, columns: dict[str, str]) -> None:
    listed = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))  # type: ignore[arg-type]
        for column, kind in columns.items()
    )
    for schema in ("bi", "bi_history"):
        name = sql.Identifier(schema, table)
        publisher.execute(sql.SQL("create table {} ({}, publication_id bigint)").format(name, listed))
        for region in REGIONS:
            values = [_value(column, kind, schema, table, region) for column, kind in columns.items()]
            places = sql.SQL(", ").join([sql.Placeholder()] * len(values))
            publisher.execute(sql.SQL("insert into {} values ({}, 1)").format(name, places), values)
        publisher.execute(sql.SQL("analyze {}").format(name))


def _value(column: str, kind: str, schema: str, table: str, region: str) -> Any:
    if kind != "text":
        return SAMPLE.get(kind.split(" ")[0], 1)
    if column == "region":
        return region
    # Keys of one thing are the same in every table.
    return f"{column} {region}" if column.endswith("_key") else mark(schema, table, region)


def hide(role: settings.Role, schema: str) -> None:
    """A table that no reader may see, in a schema of the pipeline."""
    with psycopg.connect(settings.dsn(role)) as owner:
        owner.execute(f"create table {schema}.hidden (text text)".encode())
        owner.execute(f"insert into {schema}.hidden values (%s)".encode(), (mark(schema, "hidden", "all"),))


@contextmanager
def shown_company(patch: pytest.MonkeyPatch, dsn: str, extra_users: list[list[str]]) -> Iterator[None]:
    """The company in the warehouse that the environment points at, and the logins of access.yaml and of these users."""
    patch.setenv("WAREHOUSE_DSN", dsn)
    patch.setattr(readers, "_superset_users", lambda: extra_users)
    show_company()
    hide("loader", "raw")
    hide("builder", "marts")
    readers.prepare_readers()
    yield


def connect(roles: list[str], **arguments: Any) -> psycopg.Connection[Any]:
    """A connection with the login of a user with these roles of Superset."""
    return connect_as(warehouse_logins.reading(roles).login, **arguments)


def connect_as(login: str, **arguments: Any) -> psycopg.Connection[Any]:
    """A connection with a login of the dashboards."""
    secret = warehouse_logins.password(readers.login_secret(), login)
    return psycopg.connect(settings.dsn("admin"), user=login, password=secret, autocommit=True, **arguments)
