"""Loads this folder into Superset, in one process: migrate, roles, users, assets, grants, row-level security.

A second run changes nothing. Assets that were removed from the folder are deleted; assets made in Superset are kept
(DSH-2). The password of the warehouse is not stored: libpq and all others take it from the environment.

Run by `python -m funnel.cli dashboards` in Superset's own environment, with the settings of installation.services.
"""

import csv
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from contents import complete

HERE = Path(__file__).resolve().parent
REGIONS = HERE.parent / "dbt_project" / "seeds" / "country_regions.csv"


def main() -> None:
    """Read this folder, then load it into Superset."""
    access = yaml.safe_load(Path(os.environ.get("DASHBOARDS_ACCESS") or HERE / "access.yaml").read_text())

    from superset.app import create_app

    app = create_app()
    with app.app_context():
        from superset import db

        _migrate()
        _synchronise_permissions()
        roles = _roles(access)
        _users(access["users"], roles)
        contents = complete(os.environ["WAREHOUSE_READER_URI"], os.environ["REPORTING_CURRENCY"])
        _import(contents)
        removed = _remove_what_left(contents)
        _grant(roles)
        _secure_rows(access, roles)
        db.session.commit()
    counts = {
        kind: sum(path.startswith(f"{kind}/") for path in contents) for kind in ("datasets", "charts", "dashboards")
    }
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()) + f" imported, {removed} removed")


# --- what Superset brings ------------------------------------------------------------------------------------------


def _migrate() -> None:
    import superset
    from flask_migrate import upgrade

    upgrade(directory=str(Path(superset.__file__).parent / "migrations"))


def _synchronise_permissions() -> None:
    """Run `superset init`, unless this version has already done it here: it takes most of the time."""
    from superset import appbuilder, security_manager
    from superset.extensions import db

    if _is_new_version():
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        db.session.commit()


def _is_new_version() -> bool:
    """True if the permissions in the database are those of another version; the version is stored as a database
    comment.
    """
    from importlib.metadata import version

    from sqlalchemy import text
    from superset.extensions import db

    mark = f"permissions of superset {version('apache-superset')}"
    found = db.session.execute(text("select obj_description('ab_permission'::regclass)")).scalar()
    if found == mark:
        return False
    db.session.execute(text(f"comment on table ab_permission is '{mark}'"))
    return True


# --- who ------------------------------------------------------------------------------------------------------------


def _slugs() -> list[str]:
    return sorted(yaml.safe_load(path.read_text())["slug"] for path in (HERE / "assets" / "dashboards").glob("*.yaml"))


def _regions() -> list[str]:
    with REGIONS.open() as file:
        return sorted({row["region"] for row in csv.DictReader(file)})


def _roles(access: dict[str, Any]) -> dict[str, Any]:
    """Every role that this folder names. The permissions of Viewer become exactly those listed."""
    from superset import security_manager

    names = ["Viewer", *(f"Dashboard: {slug}" for slug in _slugs()), *(f"Region: {name}" for name in _regions())]
    roles = {name: security_manager.find_role(name) or security_manager.add_role(name) for name in names}
    wanted, unknown = [], []
    for permission, view in access["viewer_permissions"]:
        found = security_manager.find_permission_view_menu(permission, view)
        (wanted if found else unknown).append(found or f"{permission} on {view}")
    if unknown:
        sys.exit(f"access.yaml names permissions that this Superset does not know: {', '.join(map(str, unknown))}.")
    _become(roles["Viewer"].permissions, wanted)
    return roles


def _users(users: Iterable[dict[str, Any]], roles: dict[str, Any]) -> None:
    from superset import security_manager
    from werkzeug.security import check_password_hash, generate_password_hash

    for wanted in users:
        name, password = wanted["username"], os.environ[wanted["password_from"]]
        held = [roles.get(role) or security_manager.find_role(role) for role in wanted["roles"]]
        if None in held:
            sys.exit(f"access.yaml gives {name} a role that does not exist: one of {', '.join(wanted['roles'])}.")
        user = security_manager.find_user(username=name)
        if user is None:
            user = security_manager.add_user(name, name.capitalize(), "", f"{name}@localhost", held, password=password)
            if not user:
                sys.exit(f"The user {name} could not be made; the log above says why.")
            continue
        _become(user.roles, held)
        if not check_password_hash(user.password, password):
            user.password = generate_password_hash(password)


def _become(present: list[Any], wanted: list[Any]) -> None:
    """Write a relation only if it differs, so that a second run writes nothing."""
    for each in [each for each in present if each not in wanted]:
        present.remove(each)
    present.extend(each for each in wanted if each not in present)


# --- what -----------------------------------------------------------------------------------------------------------


def _import(contents: dict[str, str]) -> None:
    from superset import security_manager
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    with override_user(security_manager.find_user(username="admin")):
        ImportAssetsCommand(contents).run()


def _remove_what_left(contents: dict[str, str]) -> int:
    """Delete assets of an earlier import that no file describes any more."""
    from superset.connectors.sqla.models import SqlaTable
    from superset.extensions import db
    from superset.models.core import Database
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    kept = {yaml.safe_load(text).get("uuid") for text in contents.values()}
    removed = 0
    for model in (Dashboard, Slice, SqlaTable, Database):
        for each in db.session.query(model).filter_by(is_managed_externally=True):
            if str(each.uuid) not in kept:
                db.session.delete(each)
                removed += 1
        db.session.flush()
    return removed


# --- who sees what --------------------------------------------------------------------------------------------------


def _grant(roles: dict[str, Any]) -> None:
    """Grant a dashboard and its data to the role of the same name, and nothing else."""
    from superset import security_manager
    from superset.extensions import db
    from superset.models.dashboard import Dashboard

    for slug in _slugs():
        dashboard = db.session.query(Dashboard).filter_by(slug=slug).one()
        role = roles[f"Dashboard: {slug}"]
        _become(dashboard.roles, [role])
        perms = sorted({dataset.perm for dataset in dashboard.datasources})
        wanted = [security_manager.add_permission_view_menu("datasource_access", perm) for perm in perms]
        _become(role.permissions, wanted)


def _secure_rows(access: dict[str, Any], roles: dict[str, Any]) -> None:
    """The role of a region sees the region's rows, and none of tables without regions."""
    from superset.connectors.sqla.models import RowLevelSecurityFilter, SqlaTable
    from superset.extensions import db

    datasets = db.session.query(SqlaTable).filter_by(is_managed_externally=True).all()
    regional = [each for each in datasets if "region" in each.column_names]
    closed = [each for each in datasets if each not in regional and each.table_name not in access["open_to_regions"]]
    rules = {
        f"Region: {name}": (f"region = '{name.replace(chr(39), chr(39) * 2)}'", [roles[f"Region: {name}"]], regional)
        for name in _regions()
    }
    rules["Tables without a region"] = ("1 = 0", [roles[f"Region: {name}"] for name in _regions()], closed)
    present = {each.name: each for each in db.session.query(RowLevelSecurityFilter)}
    for name, (clause, held, tables) in rules.items():
        rule = present.get(name)
        if rule is None:
            rule = RowLevelSecurityFilter(name=name, filter_type="Regular", clause=clause)
            db.session.add(rule)
        rule.clause = clause
        # Rules of one group are combined with OR: a user with two regions sees both. All closed tables share one rule.
        rule.group_key = "region"
        _become(rule.roles, held)
        _become(rule.tables, tables)


if __name__ == "__main__":
    main()
