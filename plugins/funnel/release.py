"""The release of this checkout: its version (`pyproject.toml`) and its commit.

`ops.releases` records which releases an installation has had.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

REPOSITORY = Path(__file__).resolve().parents[2]
# The last release that did not record itself.
FIRST = "0.1.0"


@cache
def version() -> str:
    """The version of this checkout, such as 0.2.0."""
    found = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    return str(found["project"]["version"])


@cache
def commit() -> str:
    """Commit of the checkout, read from .git without running git; `unknown` in an installation without one."""
    git = REPOSITORY / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head[:12]
        return (git / head[5:]).read_text().strip()[:12]
    except OSError:
        return "unknown"


def order(release: str) -> tuple[int, ...]:
    """The key by which releases are ordered."""
    return tuple(int(part) for part in release.split("."))


def installed(connection: psycopg.Connection[Any]) -> str | None:
    """The release that last migrated this warehouse; None if none did."""
    recorded = connection.execute("select to_regclass('ops.releases') is not null").fetchone()
    if recorded == (True,):
        newest = connection.execute("select release from ops.releases order by release_id desc limit 1").fetchone()
        if newest:
            return str(newest[0])
    migrated = connection.execute("select to_regclass('public.schema_migrations') is not null").fetchone()
    return FIRST if migrated == (True,) else None


def record(connection: psycopg.Connection[Any], code_version: str) -> None:
    """Record that this release has migrated the warehouse, unless it is the newest one recorded."""
    connection.execute(
        """
        insert into ops.releases (release, code_version)
        select %(release)s, %(code_version)s
        where %(release)s is distinct from (select release from ops.releases order by release_id desc limit 1)
        """,
        {"release": version(), "code_version": code_version},
    )
