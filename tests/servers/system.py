"""The containers of docker-compose.yml as processes of this machine: same commands, same environment, other addresses.

Redis is the distribution's; tests that need it are skipped if it is not installed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from funnel.settings import REPOSITORY
from installation import postgres
from installation.ports import free_port
from tests.servers import compose

# What an image has of its own.
MACHINE = ("PATH", "PYTHONPATH", "HOME", "FUNNEL_HOME", "AIRFLOW_PORT", "DASHBOARDS", "LANG", "TMPDIR")
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


@dataclass
class System:
    """A running PostgreSQL and Redis, and the environment of a container of the profile `celery`."""

    home: Path
    environment: dict[str, str]
    redis: subprocess.Popen[bytes]
    containers: dict[str, dict[str, str]]
    commands: dict[str, list[str]]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """Start one command with all secrets; it ends with the system."""
        return self._start(list(command), os.environ | more)

    def start_container(self, name: str) -> subprocess.Popen[bytes]:
        """Start the command of a container with its own environment and no more; it ends with the system."""
        machine = {key: os.environ[key] for key in MACHINE if key in os.environ}
        own = {"AIRFLOW_HOME": str(self.home.parent / f"airflow-of-{name}")}
        return self._start(self.commands[name], {**machine, **own, **self.containers[name]})

    def _start(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.home / "containers.log").open("ab") as log:
            process = subprocess.Popen(
                ["python", "-m", "funnel.cli", *command], env=environment, cwd=REPOSITORY, stdout=log, stderr=log
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
    # This process is all containers at once.
    placed = {name: _placed(one.get("environment", {}), ports) for name, one in containers.items()}
    environment = placed["init"] | placed["worker"] | placed["sandbox"] | placed["api-server"]
    for name, value in environment.items():
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
    commands = {name: one["command"] for name, one in containers.items() if "funnel" in one["image"]}
    system = System(home, environment, redis, placed, commands)
    try:
        yield system
    finally:
        for process in [*system.started, redis]:
            end(process)
        postgres.remove(database)


def _placed(environment: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, str]:
    """The environment of a container with addresses of this machine."""
    placed = dict(environment)
    for address, port in ports.items():
        placed = {name: value.replace(address, f"127.0.0.1:{port}") for name, value in placed.items()}
    return placed


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
