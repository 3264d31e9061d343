"""A run of an ingest DAG whose vendor refuses one account: the others are published, the run is red and names it."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from funnel import settings
from tests.sources.conftest import Stub
from tests.sources.test_accounts_kept import TEN_DAYS, serve

RUN = """
import sys
from airflow.dag_processing.dagbag import DagBag

dag = DagBag(sys.argv[1]).dags["ingest__google_ads"]
run = dag.test(run_conf={"from": sys.argv[2], "to": sys.argv[3]})
from airflow.utils.session import create_session

with create_session() as session:
    print("STATES", {ti.task_id: str(ti.state) for ti in run.get_task_instances(session=session)})
    print("RUN", run.state)
"""


@pytest.fixture
def vendor() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.stop()


def run_dag(folder: Path, vendor: Stub) -> str:
    extra = {"refresh_token": "r" * 20, "token_url": f"{vendor.base_url}/token", "customer_ids": ["1", "2"]}
    entry = {"conn_type": "http", "host": vendor.base_url, "login": "id", "password": "p" * 20, "extra": extra}
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.REPOSITORY / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW_CONN_GOOGLE_ADS": json.dumps(entry),
        "PYTHONPATH": f"{settings.REPOSITORY / 'plugins'}:{settings.REPOSITORY}",
    }
    if not (folder / "airflow.db").exists():
        for command in (["db", "migrate"], ["dags", "reserialize"]):
            airflow = [sys.executable, "-m", "airflow", *command]
            subprocess.run(airflow, env=environment, check=True, capture_output=True, timeout=180)
    days = [str(TEN_DAYS.from_day), str(TEN_DAYS.days[-1])]
    run = [sys.executable, "-c", RUN, str(settings.REPOSITORY / "dags"), *days]
    ended = subprocess.run(run, env=environment, capture_output=True, text=True, check=False, timeout=300)
    return ended.stdout + ended.stderr


def test_one_refused_account_makes_the_run_red_after_the_others_are_announced(
    warehouse: str, vendor: Stub, tmp_path: Path, outcome: Callable[..., None]
) -> None:
    serve(vendor)
    said = run_dag(tmp_path, vendor)
    assert "RUN success" in said, said[-4000:]
    serve(vendor, refuses=("2",))
    said = run_dag(tmp_path, vendor)
    (states,) = [line.removeprefix("STATES ") for line in said.splitlines() if line.startswith("STATES")]
    assert ast.literal_eval(states) == {
        **dict.fromkeys(("extract", "load", "check"), "success"),
        "tell_accounts": "failed",
    }, said[-4000:]
    assert "RUN failed" in said
    assert "Account 2 of connection google_ads was not read, its days stay as they are: CUSTOMER_NOT_ENABLED" in said
    with psycopg.connect(settings.dsn("admin")) as connection:
        counted = connection.execute(
            "select customer_id, count(*) from raw.google_ads__campaign_stats group by 1 order by 1"
        ).fetchall()
        complete = connection.execute("select last_day_complete from ops.sources").fetchone()
    assert counted == [("1", 30), ("2", 10)]
    assert complete == (date(2026, 11, 10),)
    outcome("03 refused in a DAG run", "google_ads", "published without it, the run is red and names it")
