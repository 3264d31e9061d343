"""A run of an ingest DAG whose vendor refuses one account: the others are published, the run fails and names it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg

from funnel import settings
from tests.ingest.test_accounts_kept import serve
from tests.orchestration.dag_runs import airflow, google_ads
from tests.vendors import Stub


def test_one_refused_account_makes_the_run_red_after_the_others_are_announced(
    warehouse: str, vendor: Stub, tmp_path: Path, outcome: Callable[..., None]
) -> None:
    serve(vendor)
    with airflow(tmp_path, AIRFLOW_CONN_GOOGLE_ADS=google_ads(vendor, "1", "2")) as run:
        _, said = run()
        assert "RUN success" in said, said[-4000:]
        serve(vendor, refuses=("2",))
        states, said = run()
    assert states == {
        **dict.fromkeys(("extract", "load", "check"), "success"),
        "report_refused_accounts": "failed",
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
