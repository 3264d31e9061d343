"""A run of an ingest DAG whose vendor refuses one account: the others are published, the run fails and names it."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg

from funnel import settings
from tests.ingest.test_accounts_kept import TEN_DAYS, serve
from tests.vendors import Stub

# Airflow in a process of its own: a run of the DAG for each line that it reads, and a line when the run is over.
RUNS = """
import sys

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.utils.db import initdb
from airflow.utils.session import create_session

initdb()
manager = DagBundlesManager()
manager.sync_bundles_to_db()
[bundle] = manager.get_all_dag_bundles()
bag = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
sync_bag_to_db(bag, bundle.name, bundle_version=None)
dag = bag.dags["ingest__google_ads"]
for line in sys.stdin:
    first, last = line.split()
    run = dag.test(run_conf={"from": first, "to": last})
    with create_session() as session:
        print("STATES", {ti.task_id: str(ti.state) for ti in run.get_task_instances(session=session)})
        print("RUN", run.state, flush=True)
"""


@contextmanager
def airflow(folder: Path, vendor: Stub) -> Iterator[Callable[[], str]]:
    """Yields a function that runs the DAG once for ten days, and returns Airflow's result."""
    repository = settings.REPOSITORY
    extra = {"refresh_token": "r" * 20, "token_url": f"{vendor.base_url}/token", "customer_ids": ["1", "2"]}
    entry = {"conn_type": "http", "host": vendor.base_url, "login": "id", "password": "p" * 20, "extra": extra}
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(repository / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW_CONN_GOOGLE_ADS": json.dumps(entry),
        "PYTHONPATH": f"{repository / 'plugins'}:{repository}",
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([sys.executable, "-c", RUNS], env=environment, text=True, **pipes) as running:

        def run() -> str:
            running.stdin.write(f"{TEN_DAYS.from_day} {TEN_DAYS.days[-1]}\n")
            running.stdin.flush()
            said = []
            for line in running.stdout:
                said.append(line)
                if line.startswith("RUN "):
                    break
            return "".join(said)

        try:
            yield run
        finally:
            running.kill()


def test_one_refused_account_makes_the_run_red_after_the_others_are_announced(
    warehouse: str, vendor: Stub, tmp_path: Path, outcome: Callable[..., None]
) -> None:
    serve(vendor)
    with airflow(tmp_path, vendor) as run:
        said = run()
        assert "RUN success" in said, said[-4000:]
        serve(vendor, refuses=("2",))
        said = run()
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
