"""The processes of one installation: PostgreSQL, vendor sandbox, Airflow and Superset, under one home folder.

supervisord runs every process, each in a session of its own, with its output in `<home>/logs` and its identity (process
id and start time) in `<home>/run`, and starts it again when it ends. Airflow is configured by environment variables
only, all of them set here.

Login is Airflow's SimpleAuthManager: one generated administrator password and no tables of its own, for a server that
listens on 127.0.0.1. An installation with many users sets AIRFLOW__CORE__AUTH_MANAGER; FAB is in the environment. On
servers each process is a container: `prepare` runs before them, `serve` runs one, `is_healthy` is its health check.
`REDIS_URL` sends the tasks to Celery's workers; without it the scheduler runs them.

DAGs and their runs are in `installation.airflow_api`, the contents of dashboards in `dashboards/`, which runs in an
environment of its own and is left out if that is not installed.
"""

import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from funnel import ledger, secret_store, settings
from funnel.settings import REPOSITORY
from installation import postgres, supervision
from installation.airflow_setup import (
    AIRFLOW,
    AIRFLOW_SERVICES,
    airflow_environment,
    migrate_airflow,
    warn_of_hidden_connections,
    write_passwords,
)
from installation.dashboards import bootstrap_superset, is_superset_healthy, superset, superset_environment
from installation.databases import POSTGRESQL, report_open_functions, start_database
from installation.environments import SUPERSET, airflow_url, environment, has_dashboards
from installation.errors import ServiceError
from installation.ports import is_port_free
from installation.processes import Progress, Service, assert_ports_are_free, await_ready, process, spawn, terminate
from installation.sandbox import company, needs_sandbox


@dataclass(frozen=True)
class Status:
    """One line of `make status`."""

    name: str
    state: str
    pid: int | None
    address: str
    since: datetime | None


@contextmanager
def alone(what: str = "services") -> Iterator[None]:
    """Create the folders of this home and lock it: one command at a time."""
    home = settings.read().home
    # The inbox may be elsewhere; without a setting this one is used, and it is empty.
    for folder in ("logs", "run", "airflow", "inbox", "superset"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    # Landed files contain vendors' data about persons.
    home.chmod(0o700)
    with (home / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(progress: Progress = print) -> None:
    """Start the stopped services in the order of their dependencies, and return when all of them answer."""
    with alone():
        _start_all(progress)
        settings.keep_ports()
        warn_of_hidden_connections(progress)


def prepare(progress: Progress = print) -> None:
    """The steps of `up` before anything starts: databases, roles, schemas and dashboards. Running it again changes
    nothing.
    """
    with alone():
        start_database(progress)
        ledger.migrate()
        report_open_functions(progress)
        migrate_airflow(progress)
        warn_of_hidden_connections(progress)
        if has_dashboards():
            bootstrap_superset(progress, again=False)


def serve(name: str) -> None:
    """Replace this process by one service, in the foreground, as a container does. Never returns. Raises ServiceError
    for an unknown service.
    """
    if name == POSTGRESQL:
        postgres.serve(settings.read().home)
    if name == "worker":
        service = _worker(name, "celery")
    else:
        found = [each for each in _services() if each.name == name]
        if not found:
            known = ", ".join([*(each.name for each in _services()), "worker"])
            raise ServiceError(f"There is no service {name!r} here, but {known}; SANDBOX and DASHBOARDS decide.")
        service = found[0]
    made = {"superset": superset_environment, "sandbox": _sandbox_environment}.get(name, airflow_environment)()
    if name == "api-server":
        write_passwords()
    for folder in (made.get("AIRFLOW_HOME"), made.get("SUPERSET_HOME"), settings.read().home / "sandbox"):
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
    os.chdir(REPOSITORY)
    os.execve(service.command[0], service.command, made)


def is_healthy(name: str) -> bool:
    """True if a service works; called inside its container."""
    import httpx

    chosen = settings.read()
    if name == "superset":
        return is_superset_healthy()
    if name == "sandbox":
        return not is_port_free(chosen.sandbox_port)
    if name == "worker":
        return _is_worker_healthy()
    try:
        parts = httpx.get(f"{airflow_url()}/api/v2/monitor/health", timeout=10).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return False
    return name == "api-server" or parts.get(name.replace("-", "_"), {}).get("status") == "healthy"


def _is_worker_healthy() -> bool:
    """True if this machine's worker answers over the broker: a worker that lost its connection is alive and does
    nothing.
    """
    import socket

    from celery import Celery
    from celery.exceptions import OperationalError

    broker = Celery(broker=settings.read().redis_url)
    try:
        return bool(broker.control.ping([f"celery@{socket.gethostname()}"], timeout=5))
    except OperationalError:
        return False


def start_dashboards(progress: Progress = print, *, again: bool = False) -> None:
    """Load `dashboards/` into Superset and start it; `again` loads them even if nothing seems to have changed.

    The warehouse must run. Raises ServiceError if Superset's environment is not installed.
    """
    if not has_dashboards():
        raise ServiceError(
            f"Superset is not installed in {SUPERSET.parents[1]}. Run `make dashboards`; it needs Python 3.11 or 3.12."
        )
    with alone("dashboards"):
        superset = next(service for service in _services() if service.name == "superset")
        if not process("superset"):
            assert_ports_are_free(superset)
        if bootstrap_superset(progress, again=again):
            terminate("superset")
        if not process("superset"):
            progress(f"starting Superset on port {settings.read().superset_port}")
            spawn(superset, superset_environment())
        await_ready("superset", is_superset_healthy)


def down(progress: Progress = print) -> None:
    """Stop all services; the data stay. Running tasks get a moment to end; if they do not, they are safe to repeat."""
    home = settings.read().home
    if process("scheduler"):
        progress("stopping Airflow")
    # The scheduler first: its running tasks report their end to the api-server.
    terminate("scheduler")
    workers = [path.stem for path in (home / "run").glob("worker-*.json")]
    others = [name for name in (*AIRFLOW_SERVICES, *workers, "sandbox", "superset") if name != "scheduler"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(terminate, others))
    if is_served := postgres.is_running(home):
        terminate(POSTGRESQL)
        postgres.stop(home)
    supervision.stop_all()
    if is_served:
        progress("stopped PostgreSQL; the data stays")


def status() -> list[Status]:
    """All services of this installation, and whether they run."""
    chosen = settings.read()
    database = "running" if chosen.warehouse_dsn or postgres.is_running(chosen.home) else "stopped"
    place = "WAREHOUSE_DSN" if chosen.warehouse_dsn else f"127.0.0.1:{chosen.postgres_port}"
    rows = [replace(_status(POSTGRESQL, place), state=database)]
    for service in _services():
        rows.append(_status(service.name, ", ".join(f"127.0.0.1:{port}" for port in service.ports.values())))
    return rows


def print_status() -> None:
    """Print the services, the home and the release."""
    for row in status():
        since = f"since {row.since:%Y-%m-%d %H:%M} UTC" if row.since else ""
        print(f"{row.name:14} {row.state:8} {row.pid or '':>8}  {row.address:34} {since}".rstrip())
    print(f"home           {settings.read().home}")
    print(f"release        {settings.read().code_version}")


def _status(name: str, address: str) -> Status:
    found = process(name)
    return Status(
        name=name,
        state="running" if found else "stopped",
        pid=found.pid if found else None,
        address=address,
        since=datetime.fromtimestamp(found.create_time(), UTC) if found else None,
    )


def _start_all(progress: Progress) -> None:
    services = _services()
    for service in services:
        if not process(service.name):
            assert_ports_are_free(service)
    start_database(progress)
    with ThreadPoolExecutor() as pool:
        sandbox = pool.submit(_start_sandbox, progress) if needs_sandbox() else None
        migrated = pool.submit(migrate_airflow, progress)
        ledger.migrate()
        report_open_functions(progress)
        if sandbox:
            sandbox.result()
        migrated.result()
    environment = airflow_environment()
    services = [service for service in services if service.name != "superset"]
    started = [service for service in services if service.name != "sandbox" and not process(service.name)]
    for service in started:
        spawn(service, environment)
    if started:
        progress(f"starting Airflow: {', '.join(service.name for service in started)}")
    _await_airflow(services)


def _services() -> list[Service]:
    chosen = settings.read()
    python = sys.executable
    stated = settings.stated_day()
    sandbox = Service(
        name="sandbox",
        command=(
            python, "-m", "sandbox", *company(),
            "--host", chosen.bind_address,
            "--port", str(chosen.sandbox_port), "--tls-port", str(chosen.sandbox_tls_port),
            "--tls-dir", str(chosen.home / "sandbox"),
            *(("--now", f"{stated}T00:00:00Z") if stated else ()),
        ),
        ports={"SANDBOX_PORT": chosen.sandbox_port, "SANDBOX_TLS_PORT": chosen.sandbox_tls_port},
    )  # fmt: skip
    return [
        *([sandbox] if needs_sandbox() else []),
        Service("api-server", (*AIRFLOW, "api-server"), {"AIRFLOW_PORT": chosen.airflow_port}),
        # Log servers are for workers on other machines, and their fixed ports would clash between installations. The
        # scheduler forks its tasks: modules that it has imported are there already.
        Service("scheduler", (python, "-m", "funnel.orchestration", "scheduler", "--skip-serve-logs"), {}),
        Service("dag-processor", (*AIRFLOW, "dag-processor"), {}),
        Service("triggerer", (*AIRFLOW, "triggerer", "--skip-serve-logs"), {}),
        *(_worker(f"worker-{n}", f"worker-{n}") for n in range(1, chosen.workers + 1) if chosen.redis_url),
        *([superset()] if has_dashboards() else []),
    ]


def _worker(name: str, celery_name: str) -> Service:
    """The service of a worker. It forks its tasks like the scheduler, so it imports their modules first."""
    command = (sys.executable, "-m", "funnel.orchestration", "celery", "worker", "--skip-serve-logs")
    return Service(name, (*command, "--celery-hostname", f"{celery_name}@%h"), {})


def _start_sandbox(progress: Progress) -> None:
    if process("sandbox"):
        return
    chosen = settings.read()
    progress(f"starting the vendor sandbox on port {chosen.sandbox_port}")
    (chosen.home / "sandbox").mkdir(exist_ok=True)
    sandbox = next(service for service in _services() if service.name == "sandbox")
    spawn(sandbox, _sandbox_environment())
    await_ready("sandbox", lambda: not is_port_free(chosen.sandbox_port))


def _sandbox_environment() -> dict[str, str]:
    return {**environment(), "SANDBOX_CONTROL_TOKEN": secret_store.secret("sandbox_control_token")}


def _await_airflow(services: list[Service]) -> None:
    import httpx

    def is_healthy() -> bool:
        try:
            # The api-server creates the tasks' API on its first request, which takes four seconds: request it now, so
            # that no task waits.
            httpx.get(f"{airflow_url()}/execution/health", timeout=30).raise_for_status()
            parts = httpx.get(f"{airflow_url()}/api/v2/monitor/health", timeout=10).json()
        except (httpx.HTTPError, ValueError):
            return False
        return all(_has_reported(name, parts.get(name.replace("-", "_"), {})) for name in AIRFLOW_SERVICES[1:])

    await_ready(" ".join(service.name for service in services), is_healthy)


def _has_reported(name: str, part: Mapping[str, str | None]) -> bool:
    """True if this very process has sent a heartbeat: its predecessor's stays in the database for a while."""
    found = process(name)
    heartbeat = part.get(f"latest_{name.replace('-', '_')}_heartbeat")
    if not found or not heartbeat or part.get("status") != "healthy":
        return False
    started: float = found.create_time()
    return datetime.fromisoformat(heartbeat).timestamp() >= started
