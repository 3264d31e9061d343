"""Airflow's environment, its database and its connections."""

import json
import os
import subprocess
import sys
from pathlib import Path

from funnel import secret_store, settings
from funnel.reporting import lineage
from funnel.settings import REPOSITORY
from installation.databases import airflow_dsn
from installation.environments import airflow_url, environment
from installation.errors import ServiceError
from installation.processes import Progress, tail
from installation.sandbox import sandbox_connections

AIRFLOW = (sys.executable, "-m", "airflow")
AIRFLOW_SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")
ADMIN = "admin"
PASSWORDS_FILE = "passwords.json"
# Airflow's settings that are secrets. On servers each process has only those that it needs.
SECRETS = {
    "AIRFLOW__API__SECRET_KEY": "airflow_api_secret",
    "AIRFLOW__API_AUTH__JWT_SECRET": "airflow_jwt_secret",
    "AIRFLOW__CORE__FERNET_KEY": "airflow_fernet_key",
}
# After this time Redis delivers an unfinished task to another worker. If it still runs, this is harmless: Airflow
# refuses to start it again, and its Celery provider drops that delivery.
VISIBILITY_SECONDS = 60
# After this time without a heartbeat the worker counts as lost: the task has failed and is retried.
LOST_TASK_SECONDS = 60


def airflow_home() -> Path:
    """Airflow's own folder: a container keeps it to itself."""
    return Path(os.environ.get("AIRFLOW_HOME") or settings.read().home / "airflow")


def write_passwords() -> None:
    """Write the password of Airflow's administrator where its web server reads it."""
    passwords = airflow_home() / PASSWORDS_FILE
    passwords.parent.mkdir(parents=True, exist_ok=True)
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({ADMIN: secret_store.secret("airflow_admin_password")}))
    # Earlier releases wrote it where all containers read it.
    shared = settings.read().home / "airflow" / PASSWORDS_FILE
    if shared != passwords:
        shared.unlink(missing_ok=True)


def airflow_environment() -> dict[str, str]:
    """The environment of every `airflow` command of this installation; variables that are already set are kept."""
    chosen = settings.read()
    home = airflow_home()
    url = airflow_url()
    made = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        # Its page loads scripts from other hosts, which the content policy refuses; /openapi.json stays.
        "AIRFLOW__API__ENABLE_SWAGGER_UI": "False",
        "AIRFLOW__API__HOST": chosen.bind_address,
        "AIRFLOW__API__PORT": str(chosen.airflow_port),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor" if chosen.redis_url else "LocalExecutor",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / PASSWORDS_FILE),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # Changed DAG files are parsed within seconds; there are only two.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_dsn("postgresql+psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": airflow_dsn("postgresql+psycopg"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(chosen.home / "logs" / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(chosen.home / "logs" / "dag_processor"),
        # After a kill, its tasks are adopted again within a minute.
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
            "AIRFLOW__OPENLINEAGE__EXTRACTORS": "funnel.orchestration.lineage.Lineage",
        }
    if chosen.redis_url:
        made |= _celery_environment(chosen.redis_url)
    given = secret_store.secrets()
    made |= {variable: given[name] for variable, name in SECRETS.items() if name in given}
    made |= {f"AIRFLOW_CONN_{name.upper()}": text for name, text in sandbox_connections().items()}
    return {**made, **environment()}


def _celery_environment(redis_url: str) -> dict[str, str]:
    """Settings for Celery: how a task reaches a worker, and how soon it is retried if the worker is lost."""
    return {
        "AIRFLOW__CELERY__BROKER_URL": redis_url,
        # The state of a task is in Airflow's database, which outlives the broker.
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{airflow_dsn('postgresql+psycopg2')}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "4",
        # A worker prefetches nothing: if it dies, no task waits unseen behind it.
        "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
        "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"worker_disable_prefetch": True}),
        "AIRFLOW__CELERY__TASK_ACKS_LATE": "True",
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(VISIBILITY_SECONDS),
        # Checked every 10 seconds; the default is 100.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__UNACKED_RESTORE_THROTTLE": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(LOST_TASK_SECONDS),
    }


def warn_of_hidden_connections(progress: Progress) -> None:
    """Report each connection saved in Airflow that has no effect because an environment variable overrides it."""
    import psycopg

    prefix = "AIRFLOW_CONN_"
    given = {name.removeprefix(prefix) for name in airflow_environment() if name.startswith(prefix)}
    with psycopg.connect(airflow_dsn("postgresql")) as connection:
        saved = [row[0] for row in connection.execute("select conn_id from connection order by conn_id")]
    made = {name.upper() for name in sandbox_connections()}
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


def migrate_airflow(progress: Progress) -> None:
    """`airflow db migrate`, unless this version has already migrated this database. Raises ServiceError."""
    from importlib.metadata import version

    import psycopg
    from psycopg import sql

    write_passwords()
    mark = f"migrated by airflow {version('apache-airflow-core')}"
    with psycopg.connect(airflow_dsn("postgresql"), autocommit=True) as connection:
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
            raise ServiceError(f"`airflow db migrate` failed; the end of {log}:\n{tail(log)}")
        statement = sql.SQL("comment on database {} is {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(mark)))
