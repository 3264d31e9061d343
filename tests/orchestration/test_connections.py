"""A run of a source with two connections: the delivery of one fails its checks, the other is loaded and built."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel import warehouse as database
from funnel.gate import deliveries
from funnel.ingest import completeness
from tests.ingest.test_accounts_kept import TEN_DAYS, google_row
from tests.vendors import Stub

OTHER = "google_ads__emea"
# Airflow in a process of its own: one run of the DAG, and the states of its tasks.
RUN = """
import sys
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.session import create_session

dag = DagBag(sys.argv[1]).dags["ingest__google_ads"]
run = dag.test(run_conf={"from": sys.argv[2], "to": sys.argv[3]})
with create_session() as session:
    print("STATES", {ti.task_id: str(ti.state) for ti in run.get_task_instances(session=session)})
    print("RUN", run.state)
"""


@pytest.fixture
def vendor() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.stop()


def serve(vendor: Stub, cost: int, currency_of_2: str | None = "EUR") -> None:
    """Account 1 belongs to the first connection, account 2 to the other; each has one campaign."""

    def answer(asked: Any) -> Any:
        if asked.path == "/token":
            return vendor.reply({"access_token": "t", "expires_in": 3600})
        account = asked.path.split("/")[3]
        if "segments.date" not in asked.text:
            return vendor.reply({"results": [{"customer": {"id": account}, "campaign": {"id": account, "name": "a"}}]})
        rows = [google_row(account, account, day, cost) for day in TEN_DAYS.days]
        if account == "2":
            for row in rows:
                row["customer"]["currencyCode"] = currency_of_2
        return vendor.reply({"results": rows})

    vendor.answer = answer


def connection(vendor: Stub, account: str) -> str:
    extra = {"refresh_token": "r" * 20, "token_url": f"{vendor.base_url}/token", "customer_ids": [account]}
    return json.dumps(
        {"conn_type": "http", "host": vendor.base_url, "login": "id", "password": "p" * 20, "extra": extra}
    )


def run_dag(folder: Path, vendor: Stub) -> tuple[dict[str, str], str]:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.REPOSITORY / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "FUNNEL_CONNECTIONS": json.dumps({"google_ads": ["google_ads", OTHER]}),
        "AIRFLOW_CONN_GOOGLE_ADS": connection(vendor, "1"),
        f"AIRFLOW_CONN_{OTHER.upper()}": connection(vendor, "2"),
        "PYTHONPATH": f"{settings.REPOSITORY / 'plugins'}:{settings.REPOSITORY}",
    }
    if not (folder / "airflow.db").exists():
        for command in (["db", "migrate"], ["dags", "reserialize"]):
            airflow = [sys.executable, "-m", "airflow", *command]
            subprocess.run(airflow, env=environment, check=True, capture_output=True, timeout=180)
    days = [str(TEN_DAYS.from_day), str(TEN_DAYS.days[-1])]
    run = [sys.executable, "-c", RUN, str(settings.REPOSITORY / "dags"), *days]
    ended = subprocess.run(run, env=environment, capture_output=True, text=True, check=False, timeout=300)
    said = ended.stdout + ended.stderr
    states = [line.removeprefix("STATES ") for line in said.splitlines() if line.startswith("STATES")]
    assert states, said[-4000:]
    return ast.literal_eval(states[0]), said


def stored() -> dict[str, tuple[int, int]]:
    with psycopg.connect(settings.dsn("admin")) as admin:
        return {
            account: (rows, micros)
            for account, rows, micros in admin.execute(
                "select customer_id, count(*), sum(cost_micros)::bigint from raw.google_ads__campaign_stats group by 1"
            )
        }


def test_one_connection_that_fails_its_checks_holds_back_its_own_rows_only(
    warehouse: str, vendor: Stub, tmp_path: Path
) -> None:
    green = dict.fromkeys(
        (
            *("google_ads.extract", "google_ads.accept", f"{OTHER}.extract", f"{OTHER}.accept"),
            *("announce", "tell_held_back", "tell_accounts"),
        ),
        "success",
    )
    serve(vendor, cost=1_000)
    states, said = run_dag(tmp_path, vendor)
    assert states == green, said[-4000:]
    assert stored() == {"1": (10, 10_000), "2": (10, 10_000)}

    serve(vendor, cost=2_000, currency_of_2=None)
    states, said = run_dag(tmp_path, vendor)
    assert states == {**green, f"{OTHER}.accept": "failed", "tell_held_back": "failed"}, said[-4000:]
    assert "RUN failed" in said
    assert (
        f"1 of 2 connections of google_ads were held back; the others are loaded and go on.\nConnection {OTHER}: "
        in said
    )
    assert "every amount has a currency" in said
    assert stored() == {"1": (10, 20_000), "2": (10, 10_000)}, "what was accepted before stays"
    with database.connect("builder") as builder:
        assert deliveries.open_failures(builder) == [], "the other connection is published"
    assert completeness.last_day_complete("google_ads", OTHER) == date(2026, 11, 10)

    serve(vendor, cost=3_000)
    states, said = run_dag(tmp_path, vendor)
    assert states == green, said[-4000:]
    assert stored() == {"1": (10, 30_000), "2": (10, 30_000)}
