"""What the tests of a running installation share: settings of its own, a receiver of alerts, commands and questions."""

import json
import os
import subprocess
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from funnel import settings, warehouse
from installation import airflow_setup, ports


def isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Remove settings, connections and ports of another installation."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "FUNNEL_", "REPORTING_", "WAREHOUSE_", "ALERT_", "OPENLINEAGE_", "REDIS_")):
            patch.delenv(name)
    patch.setenv("FUNNEL_HOME", str(home))
    # Superset has tests of its own.
    patch.setenv("DASHBOARDS", "off")
    for name in ("POSTGRES_PORT", "AIRFLOW_PORT", "SANDBOX_PORT", "SANDBOX_TLS_PORT"):
        patch.setenv(name, str(ports.free_port()))


class webhook:
    """Receives alerts for the duration of a with block."""

    def __init__(self, received: list[dict[str, Any]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/alerts"

    def __exit__(self, *failure: object) -> None:
        self.server.shutdown()


def ask(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with warehouse.connect("admin") as connection:
        return connection.execute(query.encode(), parameters or None).fetchall()


def backfill(dag_id: str, first: date, last: date, *more: str) -> None:
    command = [*airflow_setup.AIRFLOW, "backfill", "create", "--dag-id", dag_id, "--from-date", first.isoformat()]
    done = subprocess.run(
        [*command, "--to-date", last.isoformat(), *more], env=airflow_setup.airflow_environment(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The environment is installed: the tests run in it.
    return subprocess.run(
        ["make", "-s", "-o", ".venv/.runtime", *arguments], cwd=settings.REPOSITORY, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
