"""Alembic's revisions of the databases of Airflow and Superset: how many of the installed package a database lacks.

They are read from the text of the package's migrations: Superset's can only be imported inside its application.
"""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg

from installation.environments import SUPERSET
from installation.errors import UpgradeError


def pending(service: str, dsn: str) -> int:
    """How many migrations of `airflow` or `superset` the database at this URL lacks; all of them if it is empty.

    Raises UpgradeError if its revision is not known: a newer release of the service has migrated it.
    """
    parents = _parents(_folder(service))
    current = _current(dsn)
    if current and current not in parents:
        raise UpgradeError(
            f"The database of {service} has revision {current}, which the installed {service} does not know: a newer "
            "one has migrated it. Check out the newer release again, or restore the backup that was taken before the "
            "upgrade. docs/runbook.md, section `Upgrade stopped`."
        )
    applied: set[str] = set()
    left = [current] if current else []
    while left:
        revision = left.pop()
        if revision not in applied:
            applied.add(revision)
            left += parents[revision]
    return len(parents) - len(applied)


def _current(dsn: str) -> str | None:
    with psycopg.connect(dsn) as connection:
        if connection.execute("select to_regclass('alembic_version') is null").fetchone() == (True,):
            return None
        found = connection.execute("select version_num from alembic_version").fetchone()
    return str(found[0]) if found else None


def _folder(service: str) -> Path:
    """The folder with the migrations of a package: Airflow's in this environment, Superset's in its own."""
    if service == "superset":
        (package,) = SUPERSET.parents[1].glob("lib/python*/site-packages/superset")
    else:
        spec = find_spec(service)
        package = Path(next(iter(spec.submodule_search_locations or []))) if spec else Path()
    return package / "migrations" / "versions"


def _parents(folder: Path) -> dict[str, tuple[str, ...]]:
    """The revisions before each revision."""
    found = {}
    for path in folder.glob("*.py"):
        assigned = dict(_assigned(ast.parse(path.read_text())))
        if revision := assigned.get("revision"):
            down = assigned.get("down_revision") or ()
            found[str(revision)] = (down,) if isinstance(down, str) else tuple(down)
    return found


def _assigned(module: ast.Module) -> Iterator[tuple[str, str | tuple[str, ...] | None]]:
    for node in module.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
            yield target.id, ast.literal_eval(node.value)  # type: ignore[attr-defined]
