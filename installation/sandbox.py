"""The sandbox: when it simulates the vendors, its connections and files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from funnel import settings
from funnel.settings import REPOSITORY
from installation.environments import environment, sandbox_url
from installation.errors import ServiceError

SEED = 7


def needs_sandbox() -> bool:
    """True if the sandbox simulates the vendors: unless SANDBOX=off, or a source's connection is in the environment.

    It never simulates only some of them: simulated figures beside real ones would look real.
    """
    from funnel.sources import SOURCES

    ids = [connection_id for source in SOURCES for connection_id in settings.connection_ids(source)]
    given = {
        name: os.environ[f"AIRFLOW_CONN_{name.upper()}"] for name in ids if f"AIRFLOW_CONN_{name.upper()}" in os.environ
    }
    # A shell that ran `make env`, maybe days ago, has the sandbox's own connections in its environment.
    kept = _kept_connections().get("connections", {})
    return settings.read().with_sandbox and all(
        name in kept and _host(kept[name]) == _host(text) for name, text in given.items()
    )


def _host(connection: str) -> Any:
    """The host of a connection in JSON form; any other form is returned unchanged."""
    try:
        return json.loads(connection)["host"]
    except (ValueError, KeyError, TypeError):
        return connection


def anchor() -> str:
    """The day on which the sandbox's company was generated, fixed at its first start so that a restart gives the same
    company.
    """
    path = settings.read().home / "sandbox.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"anchor": settings.now().date().isoformat()}))
    day: str = json.loads(path.read_text())["anchor"]
    return day


def company() -> tuple[str, ...]:
    """The arguments of the sandbox that choose its company."""
    return ("--scenario", "company", "--seed", str(SEED), "--anchor", anchor())


def fill_inbox() -> bool:
    """Write the simulated company's plans, costs and retail reports into its inbox; returns true if there is anything
    to load.

    Another inbox, or one with a user's manifest, is not changed. Raises ServiceError.
    """
    inbox = settings.read().home / "inbox"
    if not needs_sandbox() or settings.read().inbox != str(inbox):
        return False
    if not any(inbox.glob("*.y*ml")):
        command = [sys.executable, "-m", "sandbox", "inbox", *company(), "--folder", str(inbox)]
        answer = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)
        if answer.returncode:
            raise ServiceError(f"`python -m sandbox inbox` failed:\n{answer.stderr.strip()}")
    return True


def sandbox_connections() -> dict[str, str]:
    """Airflow connections of the sandbox's vendors, each as the JSON text of AIRFLOW_CONN_…

    The sandbox first generates its company, which takes a moment; the connections are stored for one day, or until a
    source is added. An account that the company closed is listed for some days more. Raises ServiceError.
    """
    from funnel.sources import VENDORS

    if not needs_sandbox():
        return {}
    vendors = set(VENDORS)
    command = [sys.executable, "-m", "sandbox", "connections", *company(), "--base-url", sandbox_url()]
    command += ["--now", f"{settings.now():%Y-%m-%d}T00:00:00Z"]
    kept = _kept_connections()
    if kept.get("command") == command and vendors <= set(kept["connections"]):
        return dict(kept["connections"])
    answer = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)
    if answer.returncode:
        raise ServiceError(f"`python -m sandbox connections` failed:\n{answer.stderr.strip()}")
    connections = {name: json.dumps(fields) for name, fields in json.loads(answer.stdout).items()}
    path = _connections_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"command": command, "connections": connections}))
    return connections


def _connections_file() -> Path:
    return settings.read().home / "sandbox" / "connections.json"


def _kept_connections() -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(_connections_file().read_text())
    except FileNotFoundError:
        return {}
    return kept
