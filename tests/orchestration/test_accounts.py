"""A run of an ingest DAG whose vendor refuses one account: the others are published, the run fails and names it."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg

from funnel import settings
from funnel.contract import Connection
from funnel.ingest import landing, privacy, tombstones
from funnel.sources import SOURCES
from tests.ingest.test_accounts_kept import TEN_DAYS, serve
from tests.orchestration.dag_runs import Ended, airflow, google_ads
from tests.vendors import Stub


def keep_by_retention(run: Callable[..., Ended]) -> dict[str, str]:
    """The states of the tasks of `retention`, run by the same Airflow: it removed what was too old, and a forgotten
    person from a read that was landed while the warehouse did not answer.
    """
    old = settings.read().home / "logs" / "tasks" / "old.log"
    old.parent.mkdir(parents=True)
    old.write_text("text")
    os.utime(old, (0, 0))
    secret, address = privacy.person_key_secret(), "jane@example.com"
    with psycopg.connect(settings.dsn("admin")) as connection:
        row = (privacy.keyed_hash(secret, address), "", "", tombstones.EMAIL)
        connection.execute(
            "insert into privacy.tombstones (tombstone, source, connection_id, kind) values (%s, %s, %s, %s)", row
        )
    source = replace(SOURCES["hubspot"], fetch=lambda *_: iter([b'{"results": [{"note": "%s"}]}' % address.encode()]))
    landed = landing.land(source, Connection("hubspot", "http://x"), source.stream("contacts"), TEN_DAYS, "run")
    states, said = run("retention")
    assert "RUN success" in said, said[-4000:]
    assert not old.exists()
    [body] = landing.read_manifest(landed.path).bodies()
    assert address.encode() not in body
    with psycopg.connect(settings.dsn("admin")) as connection:
        assert connection.execute("select kind, files_removed from ops.retention").fetchall() == [("logs", 1)]
    return states


def test_one_refused_account_makes_the_run_red_after_the_others_are_announced(
    warehouse: str, vendor: Stub, tmp_path: Path, outcome: Callable[..., None]
) -> None:
    serve(vendor)
    with airflow(tmp_path, AIRFLOW_CONN_GOOGLE_ADS=google_ads(vendor, "1", "2")) as run:
        _, said = run()
        assert "RUN success" in said, said[-4000:]
        serve(vendor, refuses=("2",))
        states, said = run()
        retention = keep_by_retention(run)
    assert retention == {"remove_old": "success", "reduce_landed": "success"}
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
