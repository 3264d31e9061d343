"""Superset's environment, and loading of `dashboards/` into it."""

import hashlib
import subprocess
from collections.abc import Mapping
from urllib.parse import urlunsplit

from dashboards import warehouse_logins
from funnel import secret_store, settings
from funnel.settings import REPOSITORY
from installation.databases import superset_dsn
from installation.environments import DASHBOARDS, SUPERSET, environment, superset_url
from installation.errors import ServiceError
from installation.processes import Progress, Service, tail
from installation.readers import access_file, prepare_readers

VIEWER = "viewer"
ANALYST = "analyst"
REGIONAL_VIEWER = "emea"
# Of Superset's users; only the bootstrap needs them.
PASSWORDS = (
    "SUPERSET_ADMIN_PASSWORD",
    "SUPERSET_VIEWER_PASSWORD",
    "SUPERSET_ANALYST_PASSWORD",
    "SUPERSET_EMEA_PASSWORD",
)


def superset_environment() -> dict[str, str]:
    """The environment of Superset. It stores the warehouse's URL: it names a login that reads
    nothing, and no password.
    """
    chosen, at = settings.read(), settings.address()
    return {
        **environment(),
        "PYTHONPATH": str(DASHBOARDS),
        "SUPERSET_CONFIG_PATH": str(DASHBOARDS / "superset_config.py"),
        "SUPERSET_HOME": str(chosen.home / "superset"),
        "SUPERSET_BIND": chosen.bind_address,
        "SUPERSET_DATABASE_URI": superset_dsn("postgresql+psycopg2"),
        "SUPERSET_SECRET_KEY": secret_store.secret("superset_secret_key"),
        "WAREHOUSE_READER_URI": urlunsplit(at._replace(netloc=f"{warehouse_logins.NO_GRANTS}@{at.netloc}")),
        "REPORTING_CURRENCY": chosen.reporting_currency,
        "REPORTING_TIMEZONE": chosen.reporting_timezone,
        "FLASK_APP": "superset.app:create_app()",
    }


def superset() -> Service:
    """The service Superset: its command and ports."""
    command = (str(SUPERSET), "-m", "gunicorn", "--config", str(DASHBOARDS / "gunicorn_config.py"))
    return Service("superset", command, {"SUPERSET_PORT": settings.read().superset_port})


def bootstrap_superset(progress: Progress, *, again: bool) -> bool:
    """Make the logins of the dashboards, then load `dashboards/` into Superset unless nothing seems to have changed;
    returns true if it was loaded. Raises ServiceError.
    """
    import psycopg
    from psycopg import sql

    prepare_readers()
    passwords = {name: secret_store.secret(name.lower()) for name in PASSWORDS}
    environment = {**superset_environment(), **passwords, "REPORTING_CURRENCY": _shown_currency()}
    mark = f"bootstrapped {_dashboards_fingerprint(environment)}"
    with psycopg.connect(superset_dsn("postgresql"), autocommit=True) as connection:
        name = connection.info.dbname
        query = "select shobj_description(oid, 'pg_database') from pg_database where datname = %s"
        if not again and connection.execute(query, (name,)).fetchone() == (mark,):
            return False
        progress("bringing the dashboards into Superset")
        log = settings.read().home / "logs" / "superset-bootstrap.log"
        with log.open("w") as output:
            command = [str(SUPERSET), str(DASHBOARDS / "bootstrap.py")]
            done = subprocess.run(
                command, cwd=DASHBOARDS, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                check=False,
            )  # fmt: skip
        if done.returncode:
            raise ServiceError(f"Dashboards could not be brought into Superset; the end of {log}:\n{tail(log)}")
        progress(tail(log, 1))
        statement = sql.SQL("comment on database {} is {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(mark)))
        return True


def _shown_currency() -> str:
    """The currency of the figures that readers see: a changed setting counts from its first publication on."""
    import psycopg

    with psycopg.connect(settings.dsn("admin")) as connection:
        shown = connection.execute("select max(reporting_currency) from bi.data_status").fetchone()
    return (shown and shown[0]) or settings.read().reporting_currency


def _dashboards_fingerprint(environment: Mapping[str, str]) -> str:
    """Hash of everything that the bootstrap reads: files, metrics, regions, and the settings that end up
    in Superset.
    """
    digest = hashlib.sha256()
    kinds = (".py", ".yaml", ".css", ".html", ".svg", ".lock")
    files = [path for path in DASHBOARDS.rglob("*") if path.suffix in kinds]
    files = [path for path in files if ".venv" not in path.parts]
    files += [*(REPOSITORY / "dbt_project/models/semantic").glob("*.yml")]
    for path in sorted([*files, REPOSITORY / "dbt_project" / "seeds" / "country_regions.csv"]):
        digest.update(path.name.encode() + path.read_bytes())
    for name in ("WAREHOUSE_READER_URI", "SUPERSET_SECRET_KEY", "REPORTING_CURRENCY"):
        digest.update(environment[name].encode())
    for name in PASSWORDS:
        digest.update(environment[name].encode())
    digest.update(access_file().read_bytes())
    return digest.hexdigest()[:16]


def is_superset_healthy() -> bool:
    """True if Superset answers its health check."""
    import httpx

    try:
        return httpx.get(f"{superset_url()}/health", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False
