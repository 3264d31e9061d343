"""The environment of every process of this installation, and the URLs by which they reach each other."""

import os

from funnel import settings
from funnel.settings import REPOSITORY

DASHBOARDS = REPOSITORY / "dashboards"
SUPERSET = DASHBOARDS / ".venv" / "bin" / "python"


def has_dashboards() -> bool:
    """True if Superset is installed and DASHBOARDS is not off."""
    return settings.read().with_dashboards and SUPERSET.exists()


def airflow_url() -> str:
    """URL of Airflow's user interface."""
    return settings.read().airflow_url


def superset_url() -> str:
    """URL of the dashboards."""
    return f"http://127.0.0.1:{settings.read().superset_port}"


def sandbox_url() -> str:
    """URL of the vendor sandbox."""
    return settings.read().sandbox_url


def environment() -> dict[str, str]:
    """The environment of every process of this installation: the caller's, with every setting made explicit."""
    chosen = settings.read()
    # The checkout's own modules: `expectations` is next to the plugins.
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
