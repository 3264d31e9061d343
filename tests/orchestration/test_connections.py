"""A run of a source with two connections: the delivery of one fails its checks, the other is loaded and built."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from funnel import settings
from funnel import warehouse as database
from funnel.gate import deliveries
from funnel.ingest import completeness
from tests.ingest.test_accounts_kept import TEN_DAYS, google_row
from tests.orchestration.dag_runs import airflow, google_ads
from tests.vendors import Stub

OTHER = "google_ads__emea"


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
            *("announce", "report_held_back", "report_refused_accounts"),
        ),
        "success",
    )
    connections = {
        "FUNNEL_CONNECTIONS": json.dumps({"google_ads": ["google_ads", OTHER]}),
        "AIRFLOW_CONN_GOOGLE_ADS": google_ads(vendor, "1"),
        f"AIRFLOW_CONN_{OTHER.upper()}": google_ads(vendor, "2"),
    }
    with airflow(tmp_path, **connections) as run:
        serve(vendor, cost=1_000)
        states, said = run()
        assert states == green, said[-4000:]
        assert stored() == {"1": (10, 10_000), "2": (10, 10_000)}

        serve(vendor, cost=2_000, currency_of_2=None)
        states, said = run()
        assert states == {**green, f"{OTHER}.accept": "failed", "report_held_back": "failed"}, said[-4000:]
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
        states, said = run()
        assert states == green, said[-4000:]
        assert stored() == {"1": (10, 30_000), "2": (10, 30_000)}
