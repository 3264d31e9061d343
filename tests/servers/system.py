"""The containers of docker-compose.yml as processes of this machine: same commands, same environment, other addresses.

Redis is the distribution's; tests that need it are skipped if it is not installed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from funnel.settings import REPOSITORY
from installation import postgres
from installation.ports import free_port
from tests.servers import compose

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


@dataclass
class System:
    """A running PostgreSQL and Redis, and the environment of a container of the profile `celery`."""

    home: Path
    environment: dict[str, str]
    redis: subprocess.Popen[bytes]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """Start one container's command; it ends with the system."""
        with (self.home / "containers.log").open("ab") as log:
            process = subprocess.Popen(
                ["python", "-m", "funnel.cli", *command], env=os.environ | more, cwd=REPOSITORY, stdout=log, stderr=log
            )
        self.started.append(process)
        return process


@contextmanager
def running(folder: Path, patch: pytest.MonkeyPatch, **settings: str) -> Iterator[System]:
    """PostgreSQL, Redis and the environment of the containers; `settings` override those of .env."""
    home = folder / "home"
    home.mkdir(parents=True)
    written = folder / ".env"
    command = ["sh", str(REPOSITORY / "bin" / "server-env")]
    written.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    variables = compose.settings(written) | settings
    containers = compose.read(variables)["services"]
    ports = {name: free_port() for name in ("postgres:5432", "redis:6379", "api-server:8080", "sandbox:8090")}

    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "FUNNEL_", "REPORTING_", "WAREHOUSE_", "ALERT_", "SANDBOX", "OPENLINEAGE_")):
            patch.delenv(name)
    environment = dict(containers["worker"]["environment"])
    for name, value in environment.items():
        for address, port in ports.items():
            value = value.replace(address, f"127.0.0.1:{port}")
        patch.setenv(name, value)
    patch.setenv("FUNNEL_HOME", str(home))
    patch.setenv("AIRFLOW_PORT", str(ports["api-server:8080"]))
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("PYTHONPATH", f"{REPOSITORY / 'plugins'}{os.pathsep}{REPOSITORY}")
    # Superset has tests of its own.
    patch.setenv("DASHBOARDS", "off")

    database = folder / "postgres"
    postgres.start(
        database, ports["postgres:5432"], settings={"fsync": "off"}, password=variables["ADMIN_PASSWORD"]
    )  # fmt: skip
    queue = folder / "queue"
    queue.mkdir()
    redis = start_redis(containers["redis"], queue, ports["redis:6379"])
    system = System(home, environment, redis)
    try:
        yield system
    finally:
        for process in [*system.started, redis]:
            end(process)
        postgres.remove(database)


def start_redis(container: dict[str, object], folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Redis by the container's own command, with folders of this machine."""
    shell, option, line = container["command"]  # type: ignore[misc]
    line = line.replace("/tmp/redis.conf", str(folder / "redis.conf")).replace("--dir /data", f"--dir {folder}")
    with (folder / "redis.log").open("ab") as log:
        return subprocess.Popen(
            [shell, option, f"{line} --port {port} --bind 127.0.0.1"],
            env=os.environ | container["environment"],  # type: ignore[operator]
            stdout=log, stderr=log,
        )  # fmt: skip


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all processes that it has started."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
