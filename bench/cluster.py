"""A throw-away warehouse with the durable settings of the embedded server, for benchmarks."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from funnel import ledger, secret_store
from installation import postgres


@contextmanager
def throw_away_warehouse() -> Iterator[Path]:
    """Point the environment of this process at a fresh, migrated warehouse; remove it at the end. Yields its home."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "FUNNEL_", "REPORTING_", "WAREHOUSE_", "ALERT_")):
            del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="funnel-bench-") as folder:
        home = Path(folder) / "home"
        os.environ["FUNNEL_HOME"] = str(home)
        started = postgres.start(home, password=secret_store.secret("admin_password"))
        try:
            with psycopg.connect(started.dsn(), autocommit=True) as connection:
                connection.execute("create database warehouse")
            os.environ["POSTGRES_PORT"] = str(started.port)
            ledger.migrate()
            yield home
        finally:
            postgres.remove(home)
