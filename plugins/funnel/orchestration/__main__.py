"""Airflow's command line with the tasks' slow imports already done.

LocalExecutor forks its tasks from the scheduler, so `python -m funnel.orchestration scheduler` saves every task some
seconds.
"""

import importlib
import sys

# Modules imported before the scheduler forks its tasks. Not our own modules: an edit must reach the next task.
SLOW_IMPORTS = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.decorators.python",
    "airflow.sdk.execution_time.task_runner",
    "dbt.adapters.postgres",
    "dbt.cli.main",
    "great_expectations",
    "great_expectations.expectations.core",
    "httpx",
    "orjson",
    "pandas",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "zstandard",
)


def main() -> None:
    """Run Airflow's command line after importing what tasks import slowly, so that the scheduler forks with it."""
    for name in SLOW_IMPORTS:
        importlib.import_module(name)
    from airflow.__main__ import main as airflow

    # Each task imports our own modules itself: otherwise an edit would reach only half of them until the scheduler
    # restarts.
    for name in [name for name in sys.modules if name.partition(".")[0] == "funnel"]:
        del sys.modules[name]
    sys.argv[0] = "airflow"
    airflow()


if __name__ == "__main__":
    main()
