"""The environment of every process of this installation, and the addresses where they meet."""

import os

from funnel import settings
from funnel.settings import REPOSITORY

DASHBOARDS = REPOSITORY / "dashboards"
SUPERSET = DASHBOARDS / ".venv" / "bin" / "python"


def has_dashboards() -> bool:
    """Whether Superset is installed, and DASHBOARDS=off does not leave it out."""
    return settings.read().with_dashboards and SUPERSET.exists()


def airflow_url() -> str:
    """Where Airflow's user interface is."""
    return settings.read().airflow_url


def superset_url() -> str:
    """Where the dashboards are."""
    return f"http://127.0.0.1:{settings.read().superset_port}"


def sandbox_url() -> str:
    """Where the vendor sandbox answers."""
    return settings.read().sandbox_url


def environment() -> dict[str, str]:
    """The environment of every process of this installation: the caller's, with all settings spelt out."""
    chosen = settings.read()
    # The checkout's own modules; `expectations` is next to the plugins.
    paths = [str(REPOSITORY / "plugins"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "FUNNEL_HOME": str(chosen.home),
        "FUNNEL_INBOX": chosen.inbox,
        "POSTGRES_PORT": str(chosen.postgres_port),
        "SANDBOX_PORT": str(chosen.sandbox_port),
        "SANDBOX_TLS_PORT": str(chosen.sandbox_tls_port),
        "AIRFLOW_PORT": str(chosen.airflow_port),
        "SUPERSET_PORT": str(chosen.superset_port),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONUNBUFFERED": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Forked tasks on macOS must not ask the system for proxies.
        "NO_PROXY": os.environ.get("NO_PROXY", "127.0.0.1,localhost"),
    }
