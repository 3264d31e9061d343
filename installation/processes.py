"""Processes of this installation: run by supervisord, each in its own session, and stopped with all their children."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funnel import settings
from funnel.settings import REPOSITORY
from installation import launch, supervision
from installation.errors import ServiceError
from installation.ports import is_port_free, port_holder

# The scheduler waits for its tasks. The others have nothing to finish, but wait for each other's connections to close.
STOP_SECONDS = {"scheduler": 10}
STOP_SECONDS_OF_OTHERS = 3
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
    return launch.noted_process(_note(name))


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
    """Start a service under supervisord, with its output in a log file."""
    folder = REPOSITORY if service.name in ("sandbox", "superset") else settings.read().home / "airflow"
    seconds = STOP_SECONDS.get(service.name, STOP_SECONDS_OF_OTHERS)
    supervision.start(service.name, service.command, folder, environment, stop_seconds=seconds)


def terminate(name: str) -> None:
    """Stop a service, then kill whatever is left of its session."""
    import psutil

    found = process(name)
    # A process that no supervisord runs has lost it, or was started by an earlier release.
    if not supervision.stop(name) and found:
        found.terminate()
        psutil.wait_procs([found], timeout=STOP_SECONDS.get(name, STOP_SECONDS_OF_OTHERS))
    launch.kill_session(_note(name))
    _note(name).unlink(missing_ok=True)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
