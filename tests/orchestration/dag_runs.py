"""Runs of DAGs by Airflow in a process of its own, which is started once for all runs of a test."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from funnel import settings
from tests.ingest.test_accounts_kept import TEN_DAYS
from tests.vendors import Stub

# A run of a DAG for each line that it reads, and a line when the run is over.
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
for line in sys.stdin:
    dag_id, *days = line.split()
    run = bag.dags[dag_id].test(run_conf=dict(zip(("from", "to"), days)))
    with create_session() as session:
        print("STATES", {ti.task_id: str(ti.state) for ti in run.get_task_instances(session=session)})
        print("RUN", run.state, flush=True)
"""


class Ended(NamedTuple):
    """A finished run: the state of each task, and Airflow's output."""

    states: dict[str, str]
    said: str


def google_ads(vendor: Stub, *accounts: str) -> str:
    """A connection to the stub, as Airflow reads it from the environment."""
    extra = {"refresh_token": "r" * 20, "token_url": f"{vendor.base_url}/token", "customer_ids": list(accounts)}
    return json.dumps(
        {"conn_type": "http", "host": vendor.base_url, "login": "id", "password": "p" * 20, "extra": extra}
    )


@contextmanager
def airflow(folder: Path, **connections: str) -> Iterator[Callable[..., Ended]]:
    """Yields a function that runs a DAG once, an ingest for ten days; `connections` are environment variables."""
    repository = settings.REPOSITORY
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(repository / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "PYTHONPATH": f"{repository / 'plugins'}:{repository}",
        **connections,
    }
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([sys.executable, "-c", RUNS], env=environment, text=True, **pipes) as running:

        def run(dag_id: str = "ingest__google_ads") -> Ended:
            days = f"{TEN_DAYS.from_day} {TEN_DAYS.days[-1]}" if dag_id.startswith("ingest__") else ""
            running.stdin.write(f"{dag_id} {days}\n")
            running.stdin.flush()
            lines = []
            for line in running.stdout:
                lines.append(line)
                if line.startswith("RUN "):
                    break
            said = "".join(lines)
            states = [line.removeprefix("STATES ") for line in lines if line.startswith("STATES")]
            assert states, said[-4000:]
            return Ended(ast.literal_eval(states[0]), said)

        try:
            yield run
        finally:
            running.kill()
