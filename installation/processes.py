"""Processes of this installation: started in their own sessions, recorded, and stopped with all their children."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funnel import settings
from funnel.settings import REPOSITORY
from installation.errors import ServiceError
from installation.ports import is_port_free, port_holder

# The scheduler waits for its tasks. The others have nothing to finish, but wait for each other's connections to close.
STOP_SECONDS = {"scheduler": 10}
STOP_SECONDS_OF_OTHERS = 3
KILL_SECONDS = 10
START_SECONDS = 300
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Service:
    """One long-running process."""

    name: str
    command: tuple[str, ...]
    ports: Mapping[str, int]


def process(name: str) -> Any | None:
    """The running process of a service (psutil); None if it has ended, also if another program has its
    process id now.
    """
    import psutil

    try:
        noted = json.loads(_note(name).read_text())
        found = psutil.Process(noted["pid"])
        same = abs(found.create_time() - noted["created"]) < 5
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, psutil.NoSuchProcess, json.JSONDecodeError):
        return None


def await_ready(names: str, is_ready: Callable[[], bool]) -> None:
    """Wait until `is_ready`. Raises ServiceError if one of the services ends, or does not answer in time."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        for name in names.split():
            log = settings.read().home / "logs" / f"{name}.log"
            if not process(name):
                raise ServiceError(f"{name} ended while starting; the end of {log}:\n{tail(log)}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{names}: no healthy answer after {START_SECONDS} s; see {log.parent}.")
        time.sleep(0.25)


def assert_ports_are_free(service: Service) -> None:
    """Raises ServiceError if a port of the service is in use."""
    for variable, port in service.ports.items():
        if not is_port_free(port):
            raise ServiceError(
                f"Port {port} for the {service.name} is taken by {port_holder(port)}. "
                f"Stop it, or set {variable} to a free port."
            )


def _note(name: str) -> Path:
    return settings.read().home / "run" / f"{name}.json"


def spawn(service: Service, environment: Mapping[str, str]) -> None:
    """Start a service in a session of its own, with its output in a log file, and record its process id."""
    import psutil

    _kill_session(service.name)
    home = settings.read().home
    folder = REPOSITORY if service.name in ("sandbox", "superset") else home / "airflow"
    with (home / "logs" / f"{service.name}.log").open("ab") as log:
        started = subprocess.Popen(
            service.command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    noted = {"pid": started.pid, "created": psutil.Process(started.pid).create_time()}
    _note(service.name).write_text(json.dumps(noted))


def terminate(name: str) -> None:
    """Stop a service, then kill whatever is left of its session."""
    import psutil

    found = process(name)
    if found:
        found.terminate()
        psutil.wait_procs([found], timeout=STOP_SECONDS.get(name, STOP_SECONDS_OF_OTHERS))
    _kill_session(name)
    _note(name).unlink(missing_ok=True)


def _is_alive(member: Any) -> bool:
    import psutil

    try:
        return member.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _kill_session(name: str) -> None:
    """Kill all processes that a service has started: a killed scheduler leaves its workers behind."""
    import psutil

    try:
        session = json.loads(_note(name).read_text())["pid"]
    except (OSError, ValueError):
        return
    members = []
    for member in psutil.process_iter():
        try:
            if os.getsid(member.pid) == session:
                members.append(member)
        except OSError:
            continue
    # While a session has members, its number is not reused; if its leader is not ours, the session is another one.
    if not process(name) and any(member.pid == session and _is_alive(member) for member in members):
        return
    for member in members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(members, timeout=KILL_SECONDS)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
