"""The processes of one installation: PostgreSQL, vendor sandbox, Airflow and Superset, kept under one home folder.

Every process runs in a session of its own, with its output in `<home>/logs` and its identity (process id and start
time) in `<home>/run`. Airflow is configured by environment variables only, all of them made here.

Login is Airflow's SimpleAuthManager: one generated administrator password and no tables of its own, for a server that
listens on 127.0.0.1. An installation with many users sets AIRFLOW__CORE__AUTH_MANAGER; FAB is in the environment.
On servers each process is a container: `prepare` does what comes before them, `serve` becomes one, `is_healthy` is its
health check. `REDIS_URL` sends the tasks to Celery's workers; without it the scheduler runs them.
It deliberately knows nothing of DAGs and their runs (`installation.airflow_api`), nor of what a dashboard shows: that
is `dashboards/`, which runs in an environment of its own and is left out where that is not installed.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from funnel import ledger, settings
from funnel.reporting import lineage
from funnel.settings import REPOSITORY
from installation import postgres

AIRFLOW = (sys.executable, "-m", "airflow")
DASHBOARDS = REPOSITORY / "dashboards"
SUPERSET = DASHBOARDS / ".venv" / "bin" / "python"
AIRFLOW_SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")
ADMIN = "admin"
VIEWER = "viewer"
SEED = 7
# The scheduler waits for its tasks. The others have nothing to finish, but wait for each other's connections.
STOP_SECONDS = {"scheduler": 10}
# Redis gives what a worker took and has not finished to another one after it. For a task that still runs this is
# harmless: Airflow refuses to start it again, and its Celery provider drops that delivery.
VISIBILITY_SECONDS = 60
# Nobody has heard of a task for so long: its worker is gone, and the task has failed and is tried again.
LOST_TASK_SECONDS = 60
STOP_SECONDS_OF_OTHERS = 3
KILL_SECONDS = 10
START_SECONDS = 300

Progress = Callable[[str], None]


class ServiceError(RuntimeError):
    """A process does not run as it should; the text says which, why and what to do."""


@dataclass(frozen=True)
class Service:
    """One long-running process."""

    name: str
    command: tuple[str, ...]
    ports: Mapping[str, int]


@dataclass(frozen=True)
class Status:
    """What `make status` shows of one service."""

    name: str
    state: str
    pid: int | None
    address: str
    since: datetime | None


@contextmanager
def _alone(what: str = "services") -> Iterator[None]:
    """The folders of this home, for one command at a time."""
    home = settings.read().home
    # The inbox may lie elsewhere; where nothing is said of it, here is an empty one.
    for folder in ("logs", "run", "airflow", "inbox", "superset"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    # Landed files hold what the vendors know of persons.
    home.chmod(0o700)
    with (home / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(progress: Progress = print) -> None:
    """Start what does not run yet, in the order that it is needed, and return when everything answers."""
    with _alone():
        _start_all(progress)
        settings.keep_ports()
        warn_of_hidden_connections(progress)


def prepare(progress: Progress = print) -> None:
    """What `up` does before anything starts: databases, roles, schemas and dashboards. Run again it changes nothing."""
    with _alone():
        start_database(progress)
        ledger.migrate()
        _migrate_airflow(progress)
        warn_of_hidden_connections(progress)
        if has_dashboards():
            _bootstrap_superset(progress, again=False)


def serve(name: str) -> None:
    """Become one service, in the foreground: what a container does. Never returns."""
    if name == "worker":
        service = _worker(name, "celery")
    else:
        found = [each for each in _services() if each.name == name]
        if not found:
            known = ", ".join([*(each.name for each in _services()), "worker"])
            raise ServiceError(f"There is no service {name!r} here, but {known}; SANDBOX and DASHBOARDS decide.")
        service = found[0]
    made = {"superset": superset_environment, "sandbox": environment}.get(name, airflow_environment)()
    for folder in (made.get("AIRFLOW_HOME"), made.get("SUPERSET_HOME"), settings.read().home / "sandbox"):
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
    os.chdir(REPOSITORY)
    os.execve(service.command[0], service.command, made)


def is_healthy(name: str) -> bool:
    """Whether a service does its work, asked from inside its container."""
    import httpx

    chosen = settings.read()
    if name == "superset":
        return _is_superset_healthy()
    if name == "sandbox":
        return not postgres.is_port_free(chosen.sandbox_port)
    if name == "worker":
        return _is_worker_healthy()
    try:
        parts = httpx.get(f"{airflow_url()}/api/v2/monitor/health", timeout=10).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return False
    return name == "api-server" or parts.get(name.replace("-", "_"), {}).get("status") == "healthy"


def _is_worker_healthy() -> bool:
    """Whether this machine's worker answers over the broker: one that lost it is alive and does nothing."""
    import socket

    from celery import Celery

    found = Celery(broker=settings.read().redis_url).control.ping([f"celery@{socket.gethostname()}"], timeout=5)
    return bool(found)


def start_dashboards(progress: Progress = print, *, again: bool = False) -> None:
    """Have Superset run with what `dashboards/` says; `again` imports it even where nothing seems to have changed.

    The warehouse must run. Raises ServiceError where Superset's environment is not installed.
    """
    if not has_dashboards():
        raise ServiceError(
            f"Superset is not installed in {SUPERSET.parents[1]}. Run `make dashboards`; it needs Python 3.11 or 3.12."
        )
    with _alone("dashboards"):
        superset = next(service for service in _services() if service.name == "superset")
        if not process("superset"):
            _assert_ports_are_free(superset)
        if _bootstrap_superset(progress, again=again):
            _terminate("superset")
        if not process("superset"):
            progress(f"starting Superset on port {settings.read().superset_port}")
            _spawn(superset, superset_environment())
        _await("superset", _is_superset_healthy)


def stop_dashboards() -> None:
    """Stop Superset alone."""
    _terminate("superset")


def has_dashboards() -> bool:
    """Whether Superset is installed, and DASHBOARDS=off does not leave it out."""
    return settings.read().with_dashboards and SUPERSET.exists()


def start_database(progress: Progress = print) -> None:
    """Have a server with the databases `warehouse`, Airflow's and Superset's; what is in them is others' work."""
    import psycopg

    chosen = settings.read()
    if chosen.warehouse_dsn:
        postgres.check_version(_maintenance_dsn())
    else:
        if not postgres.is_running(chosen.home):
            progress(f"starting PostgreSQL on port {chosen.postgres_port}")
        postgres.start(chosen.home, chosen.postgres_port, password=settings.secrets()["admin_password"])
    with psycopg.connect(_maintenance_dsn(), autocommit=True) as connection:
        _ensure_database(connection, _database_name(), None)
        _ensure_database(connection, _airflow_database(), settings.secrets()["airflow_database_password"])
        if has_dashboards():
            _ensure_database(connection, _superset_database(), settings.secrets()["superset_database_password"])


def down(progress: Progress = print) -> None:
    """Stop everything; data stays. Tasks that run get a moment to end and are safe to repeat when they do not."""
    home = settings.read().home
    if process("scheduler"):
        progress("stopping Airflow")
    # The scheduler first: its running tasks report their end to the api-server.
    _terminate("scheduler")
    workers = [path.stem for path in (home / "run").glob("worker-*.json")]
    others = [name for name in (*AIRFLOW_SERVICES, *workers, "sandbox", "superset") if name != "scheduler"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(_terminate, others))
    if postgres.stop(home):
        progress("stopped PostgreSQL; the data stays")


def status() -> list[Status]:
    """All services of this installation and whether they run."""
    chosen = settings.read()
    database = "running" if chosen.warehouse_dsn or postgres.is_running(chosen.home) else "stopped"
    place = "WAREHOUSE_DSN" if chosen.warehouse_dsn else f"127.0.0.1:{chosen.postgres_port}"
    rows = [Status("postgresql", database, None, place, None)]
    for service in _services():
        found = process(service.name)
        rows.append(
            Status(
                name=service.name,
                state="running" if found else "stopped",
                pid=found.pid if found else None,
                address=", ".join(f"127.0.0.1:{port}" for port in service.ports.values()),
                since=datetime.fromtimestamp(found.create_time(), UTC) if found else None,
            )
        )
    return rows


def airflow_url() -> str:
    """Where Airflow's user interface is."""
    return settings.read().airflow_url


def superset_url() -> str:
    """Where the dashboards are."""
    return f"http://127.0.0.1:{settings.read().superset_port}"


def sandbox_url() -> str:
    """Where the vendor sandbox answers."""
    return settings.read().sandbox_url


def needs_sandbox() -> bool:
    """Whether the sandbox plays the vendors: unless SANDBOX=off, or a source's connection is in the environment.

    Never for some of them only: made-up figures beside real ones would look real.
    """
    from funnel.sources import SOURCES

    ids = [connection_id for source in SOURCES for connection_id in settings.connection_ids(source)]
    given = {
        name: os.environ[f"AIRFLOW_CONN_{name.upper()}"] for name in ids if f"AIRFLOW_CONN_{name.upper()}" in os.environ
    }
    # A shell that has taken over the settings of `make env`, maybe days ago, holds the sandbox's own.
    kept = _kept_connections().get("connections", {})
    return settings.read().with_sandbox and all(
        name in kept and _host(kept[name]) == _host(text) for name, text in given.items()
    )


def _host(connection: str) -> Any:
    """Where a connection in JSON form leads; one in another form is its own answer."""
    try:
        return json.loads(connection)["host"]
    except (ValueError, KeyError, TypeError):
        return connection


def anchor() -> str:
    """The day on which the sandbox's company was made, fixed at its first start so that restarts meet the same one."""
    path = settings.read().home / "sandbox.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"anchor": settings.now().date().isoformat()}))
    day: str = json.loads(path.read_text())["anchor"]
    return day


def environment() -> dict[str, str]:
    """The environment of every process of this installation: the caller's, with all settings spelt out."""
    chosen = settings.read()
    # The checkout's own modules; `expectations` lies beside the plugins.
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


def airflow_environment() -> dict[str, str]:
    """What any `airflow` command of this installation needs; a variable that is set already stands."""
    chosen = settings.read()
    secrets = settings.secrets()
    home = chosen.home / "airflow"
    url = airflow_url()
    made = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": chosen.bind_address,
        "AIRFLOW__API__PORT": str(chosen.airflow_port),
        "AIRFLOW__API__SECRET_KEY": secrets["airflow_api_secret"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["airflow_jwt_secret"],
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor" if chosen.redis_url else "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": secrets["airflow_fernet_key"],
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # A changed DAG file is seen within seconds; there are two.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _airflow_dsn("postgresql+psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": _airflow_dsn("postgresql+psycopg"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(chosen.home / "logs" / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(chosen.home / "logs" / "dag_processor"),
        # After a kill, its tasks are taken up again within a minute.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        # 30 runs of 3 tasks take a third of the time that they take with the default of 1 second; with 0.1 an idle
        # scheduler and its database take a fifth of a core.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    }
    if lineage.is_on():
        made |= {
            "AIRFLOW__OPENLINEAGE__NAMESPACE": lineage.NAMESPACE,
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(lineage.transport()),
            "AIRFLOW__OPENLINEAGE__EXTRACTORS": "funnel.orchestration.tasks.Lineage",
        }
    if chosen.redis_url:
        made |= _celery_environment(chosen.redis_url)
    made |= {f"AIRFLOW_CONN_{name.upper()}": text for name, text in _sandbox_connections().items()}
    return {**made, **environment()}


def _celery_environment(redis_url: str) -> dict[str, str]:
    """What decides how a task gets to a worker, and how soon it is tried again when that worker is gone."""
    return {
        "AIRFLOW__CELERY__BROKER_URL": redis_url,
        # Where a task stands is in Airflow's database, which outlives the broker.
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{_airflow_dsn('postgresql+psycopg2')}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "4",
        # A worker holds what it runs and nothing else: when it dies, nothing waits unseen behind it.
        "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
        "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"worker_disable_prefetch": True}),
        "AIRFLOW__CELERY__TASK_ACKS_LATE": "True",
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(VISIBILITY_SECONDS),
        # Looked for every 10 seconds; by default every 100.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__UNACKED_RESTORE_THROTTLE": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(LOST_TASK_SECONDS),
    }


def superset_environment() -> dict[str, str]:
    """What Superset and its bootstrap need. The warehouse's password is apart from its URL: Superset stores the URL."""
    chosen, secrets = settings.read(), settings.secrets()
    reader = urlsplit(settings.dsn("bi_reader"))
    address = reader.netloc.rpartition("@")[2]
    return {
        **environment(),
        "PYTHONPATH": str(DASHBOARDS),
        "SUPERSET_CONFIG_PATH": str(DASHBOARDS / "superset_config.py"),
        "SUPERSET_HOME": str(chosen.home / "superset"),
        "SUPERSET_BIND": chosen.bind_address,
        "SUPERSET_DATABASE_URI": _superset_dsn("postgresql+psycopg2"),
        "SUPERSET_SECRET_KEY": secrets["superset_secret_key"],
        "SUPERSET_ADMIN_PASSWORD": secrets["superset_admin_password"],
        "SUPERSET_VIEWER_PASSWORD": secrets["superset_viewer_password"],
        "WAREHOUSE_READER_URI": urlunsplit(reader._replace(netloc=f"{reader.username}@{address}")),
        "PGPASSWORD": secrets["bi_reader_password"],
        "REPORTING_CURRENCY": chosen.reporting_currency,
        "REPORTING_TIMEZONE": chosen.reporting_timezone,
        "FLASK_APP": "superset.app:create_app()",
    }


def process(name: str) -> Any | None:
    """The running process of a service (psutil), or None; an id that another program has by now does not count."""
    import psutil

    try:
        noted = json.loads(_note(name).read_text())
        found = psutil.Process(noted["pid"])
        same = abs(found.create_time() - noted["created"]) < 5
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, psutil.NoSuchProcess, json.JSONDecodeError):
        return None


# --- the parts of `up` ---------------------------------------------------------------------------------------------


def _start_all(progress: Progress) -> None:
    services = _services()
    for service in services:
        if not process(service.name):
            _assert_ports_are_free(service)
    start_database(progress)
    with ThreadPoolExecutor() as pool:
        sandbox = pool.submit(_start_sandbox, progress) if needs_sandbox() else None
        migrated = pool.submit(_migrate_airflow, progress)
        ledger.migrate()
        if sandbox:
            sandbox.result()
        migrated.result()
    environment = airflow_environment()
    services = [service for service in services if service.name != "superset"]
    started = [service for service in services if service.name != "sandbox" and not process(service.name)]
    for service in started:
        _spawn(service, environment)
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
            python, "-m", "sandbox", *_company(),
            "--host", chosen.bind_address,
            "--port", str(chosen.sandbox_port), "--tls-port", str(chosen.sandbox_tls_port),
            "--tls-dir", str(chosen.home / "sandbox"), "--control-token", settings.secrets()["sandbox_control_token"],
            *(("--now", f"{stated}T00:00:00Z") if stated else ()),
        ),
        ports={"SANDBOX_PORT": chosen.sandbox_port, "SANDBOX_TLS_PORT": chosen.sandbox_tls_port},
    )  # fmt: skip
    return [
        *([sandbox] if needs_sandbox() else []),
        Service("api-server", (*AIRFLOW, "api-server"), {"AIRFLOW_PORT": chosen.airflow_port}),
        # Log servers are for workers on other machines, and their fixed ports would clash between installations.
        # The scheduler forks its tasks: what it has imported, they need not import.
        Service("scheduler", (python, "-m", "funnel.orchestration", "scheduler", "--skip-serve-logs"), {}),
        Service("dag-processor", (*AIRFLOW, "dag-processor"), {}),
        Service("triggerer", (*AIRFLOW, "triggerer", "--skip-serve-logs"), {}),
        *(_worker(f"worker-{n}", f"worker-{n}") for n in range(1, chosen.workers + 1) if chosen.redis_url),
        *([_superset()] if has_dashboards() else []),
    ]


def _worker(name: str, celery_name: str) -> Service:
    """A worker forks its tasks like the scheduler, so it has imported what they need."""
    command = (sys.executable, "-m", "funnel.orchestration", "celery", "worker", "--skip-serve-logs")
    return Service(name, (*command, "--celery-hostname", f"{celery_name}@%h"), {})


def _superset() -> Service:
    command = (str(SUPERSET), "-m", "gunicorn", "--config", str(DASHBOARDS / "gunicorn_config.py"))
    return Service("superset", command, {"SUPERSET_PORT": settings.read().superset_port})


def _company() -> tuple[str, ...]:
    return ("--scenario", "company", "--seed", str(SEED), "--anchor", anchor())


def fill_inbox() -> bool:
    """Put the made-up company's plans, costs and retail reports into its inbox; whether there is anything to take in.

    An inbox elsewhere, or one that somebody has put a manifest into, is left as it is.
    """
    inbox = settings.read().home / "inbox"
    if not needs_sandbox() or settings.read().inbox != str(inbox):
        return False
    if not any(inbox.glob("*.y*ml")):
        command = [sys.executable, "-m", "sandbox", "inbox", *_company(), "--folder", str(inbox)]
        answer = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)
        if answer.returncode:
            raise ServiceError(f"`python -m sandbox inbox` failed:\n{answer.stderr.strip()}")
    return True


def _start_sandbox(progress: Progress) -> None:
    if process("sandbox"):
        return
    chosen = settings.read()
    progress(f"starting the vendor sandbox on port {chosen.sandbox_port}")
    (chosen.home / "sandbox").mkdir(exist_ok=True)
    sandbox = next(service for service in _services() if service.name == "sandbox")
    _spawn(sandbox, environment())
    _await("sandbox", lambda: not postgres.is_port_free(chosen.sandbox_port))


def warn_of_hidden_connections(progress: Progress) -> None:
    """Name each connection saved in Airflow that has no effect, because a variable of its name goes before it."""
    import psycopg

    prefix = "AIRFLOW_CONN_"
    given = {name.removeprefix(prefix) for name in airflow_environment() if name.startswith(prefix)}
    with psycopg.connect(_airflow_dsn("postgresql")) as connection:
        saved = [row[0] for row in connection.execute("select conn_id from connection order by conn_id")]
    made = {name.upper() for name in _sandbox_connections()}
    for connection_id in saved:
        name = connection_id.upper()
        if name in given:
            cure = (
                "it is the sandbox's: `make down`, then SANDBOX=off make up"
                if name in made
                else f"unset {prefix}{name}, then `make up`"
            )
            progress(
                f"WARNING: connection {connection_id} is saved in Airflow, but the environment variable {prefix}{name} "
                f"takes precedence over it. To use the saved one: {cure}."
            )


def _sandbox_connections() -> dict[str, str]:
    """Airflow connections of the sandbox's vendors, each as the JSON text of AIRFLOW_CONN_…

    The sandbox makes its company first, which takes a moment; the same company has the same connections during one
    day, until there is a source that it had not. An account that the company closed is listed for some days more.
    """
    from funnel.sources import SOURCES

    if not needs_sandbox():
        return {}
    vendors = {name for name, source in SOURCES.items() if not source.is_inbox}
    command = [sys.executable, "-m", "sandbox", "connections", *_company(), "--base-url", sandbox_url()]
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


def _migrate_airflow(progress: Progress) -> None:
    """`airflow db migrate`, unless this Airflow has migrated this very database before."""
    from importlib.metadata import version

    import psycopg
    from psycopg import sql

    passwords = settings.read().home / "airflow" / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({ADMIN: settings.secrets()["airflow_admin_password"]}))
    mark = f"migrated by airflow {version('apache-airflow-core')}"
    with psycopg.connect(_airflow_dsn("postgresql"), autocommit=True) as connection:
        name = connection.info.dbname
        query = "select shobj_description(oid, 'pg_database') from pg_database where datname = %s"
        if connection.execute(query, (name,)).fetchone() == (mark,):
            return
        progress("creating Airflow's metadata")
        log = settings.read().home / "logs" / "airflow-migrate.log"
        with log.open("w") as output:
            done = subprocess.run(
                [*AIRFLOW, "db", "migrate"], env=airflow_environment(), stdout=output, stderr=output, check=False
            )
        if done.returncode:
            raise ServiceError(f"`airflow db migrate` failed; the end of {log}:\n{_tail(log)}")
        statement = sql.SQL("comment on database {} is {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(mark)))


def _bootstrap_superset(progress: Progress, *, again: bool) -> bool:
    """Bring Superset in line with `dashboards/`, unless it is already by all that can be seen; whether it was done."""
    import psycopg
    from psycopg import sql

    environment = superset_environment()
    mark = f"bootstrapped {_dashboards_fingerprint(environment)}"
    with psycopg.connect(_superset_dsn("postgresql"), autocommit=True) as connection:
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
            raise ServiceError(f"Dashboards could not be brought into Superset; the end of {log}:\n{_tail(log)}")
        progress(_tail(log, 1))
        statement = sql.SQL("comment on database {} is {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(mark)))
        return True


def _dashboards_fingerprint(environment: Mapping[str, str]) -> str:
    """Everything that the bootstrap reads: the files, the regions, and the settings that end up in Superset."""
    digest = hashlib.sha256()
    files = [path for path in DASHBOARDS.rglob("*") if path.suffix in (".py", ".yaml", ".lock")]
    files = [path for path in files if ".venv" not in path.parts]
    for path in sorted([*files, REPOSITORY / "dbt_project" / "seeds" / "country_regions.csv"]):
        digest.update(path.name.encode() + path.read_bytes())
    for name in ("WAREHOUSE_READER_URI", "SUPERSET_SECRET_KEY", "REPORTING_CURRENCY"):
        digest.update(environment[name].encode())
    for name in ("SUPERSET_ADMIN_PASSWORD", "SUPERSET_VIEWER_PASSWORD"):
        digest.update(environment[name].encode())
    if "DASHBOARDS_ACCESS" in environment:
        digest.update(Path(environment["DASHBOARDS_ACCESS"]).read_bytes())
    return digest.hexdigest()[:16]


def _is_superset_healthy() -> bool:
    import httpx

    try:
        return httpx.get(f"{superset_url()}/health", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def _await_airflow(services: list[Service]) -> None:
    import httpx

    def is_healthy() -> bool:
        try:
            # The api-server makes what tasks talk to on its first request, in four seconds: no task need wait.
            httpx.get(f"{airflow_url()}/execution/health", timeout=30).raise_for_status()
            parts = httpx.get(f"{airflow_url()}/api/v2/monitor/health", timeout=10).json()
        except (httpx.HTTPError, ValueError):
            return False
        return all(_has_reported(name, parts.get(name.replace("-", "_"), {})) for name in AIRFLOW_SERVICES[1:])

    _await(" ".join(service.name for service in services), is_healthy)


def _has_reported(name: str, part: Mapping[str, str | None]) -> bool:
    """Whether this very process is alive: the heartbeat of the one before it stays in the database for a while."""
    found = process(name)
    heartbeat = part.get(f"latest_{name.replace('-', '_')}_heartbeat")
    if not found or not heartbeat or part.get("status") != "healthy":
        return False
    started: float = found.create_time()
    return datetime.fromisoformat(heartbeat).timestamp() >= started


def _await(names: str, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        for name in names.split():
            log = settings.read().home / "logs" / f"{name}.log"
            if not process(name):
                raise ServiceError(f"{name} ended while starting; the end of {log}:\n{_tail(log)}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{names}: no healthy answer after {START_SECONDS} s; see {log.parent}.")
        time.sleep(0.25)


def _assert_ports_are_free(service: Service) -> None:
    for variable, port in service.ports.items():
        if not postgres.is_port_free(port):
            raise ServiceError(
                f"Port {port} for the {service.name} is taken by {postgres.port_holder(port)}. "
                f"Stop it, or set {variable} to a free port."
            )


# --- databases -----------------------------------------------------------------------------------------------------


def _database_name() -> str:
    return urlsplit(settings.dsn("admin")).path.lstrip("/") or settings.read().warehouse_database


def _airflow_database() -> str:
    """On a server that others share, named after the warehouse."""
    return f"{_database_name()}_airflow" if settings.read().warehouse_dsn else "airflow"


def _superset_database() -> str:
    return f"{_database_name()}_superset" if settings.read().warehouse_dsn else "superset"


def _maintenance_dsn() -> str:
    return urlunsplit(urlsplit(settings.dsn("admin"))._replace(path="/postgres"))


def _airflow_dsn(scheme: str) -> str:
    return _own_dsn(scheme, _airflow_database(), settings.secrets()["airflow_database_password"])


def _superset_dsn(scheme: str) -> str:
    return _own_dsn(scheme, _superset_database(), settings.secrets()["superset_database_password"])


def _own_dsn(scheme: str, name: str, password: str) -> str:
    """A database of one service, whose owner has its name."""
    parts = urlsplit(settings.dsn("admin"))
    login = f"{quote(name)}:{quote(password, safe='')}"
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit((scheme, f"{login}@{address}", f"/{name}", parts.query, ""))


def _ensure_database(connection: Any, name: str, owner_password: str | None) -> None:
    """Create a database that is missing; with a password also its owner, a login of the same name."""
    from psycopg import sql

    identifier = sql.Identifier(name)
    if owner_password:
        found = connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone()
        verb = sql.SQL("alter" if found else "create")
        connection.execute(
            sql.SQL("{} role {} login password {}").format(verb, identifier, sql.Literal(owner_password))
        )
    if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
        connection.execute(sql.SQL("create database {}").format(identifier))
    if owner_password:
        connection.execute(sql.SQL("grant {} to current_user").format(identifier))
        connection.execute(sql.SQL("alter database {} owner to {}").format(identifier, identifier))
        connection.execute(sql.SQL("revoke all on database {} from public").format(identifier))


# --- processes -----------------------------------------------------------------------------------------------------


def _note(name: str) -> Path:
    return settings.read().home / "run" / f"{name}.json"


def _spawn(service: Service, environment: Mapping[str, str]) -> None:
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


def _terminate(name: str) -> None:
    """Ask a service to end, then end whatever is left of its session."""
    import psutil

    found = process(name)
    if found:
        found.terminate()
        psutil.wait_procs([found], timeout=STOP_SECONDS.get(name, STOP_SECONDS_OF_OTHERS))
    _kill_session(name)
    _note(name).unlink(missing_ok=True)


def _kill_session(name: str) -> None:
    """End all processes that a service has started: a scheduler that was killed leaves its workers behind."""
    import psutil

    members = []
    for member in psutil.process_iter() if _note(name).exists() else ():
        try:
            if os.getsid(member.pid) == json.loads(_note(name).read_text())["pid"]:
                members.append(member)
        except (OSError, ValueError):
            continue
    leader = next((member for member in members if member.pid == os.getsid(member.pid)), None)
    # While a session has members, its number is given to nobody else; a leader that is not ours leads another one.
    if leader and not process(name) and leader.status() != psutil.STATUS_ZOMBIE:
        return
    for member in members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(members, timeout=KILL_SECONDS)


def _tail(path: Path, lines: int = 15) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
