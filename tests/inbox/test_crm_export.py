"""A CRM export with dirty keys gives exactly the result of ten lines of pandas on its corrected files."""

import csv
import random
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from funnel import settings
from funnel.build import dbt_run
from funnel.contract import Connection, Window
from funnel.gate import deliveries, marts, report
from funnel.ingest import completeness, landing, load
from funnel.sources import files

EXPORT = settings.REPOSITORY.parent / "shared" / "data" / "maven_crm"
MANIFEST = settings.REPOSITORY / "docs" / "examples" / "crm_export.yml"
REGIONS = {"Ada Okafor": "East", "Bo Lindqvist": "West", "Cem Aydin": "Central", "Dee Moreau": "East"}
PRODUCTS = {"GTX Pro": 4821, "MG Special": 55, "GTK 500": 26768}


def write(path: Path, header: str, rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def make_export(folder: Path) -> None:
    """A generated export of the same four files: 400 deals with missing accounts and dates and a misspelt product."""
    chance = random.Random(7)
    deals: list[tuple[Any, ...]] = []
    for number in range(400):
        stage = chance.choice(["Won", "Won", "Lost", "Engaging", "Prospecting"])
        engaged = date(2016, 11, 1) + timedelta(days=chance.randrange(300))
        closed = engaged + timedelta(days=chance.randrange(120))
        product = chance.choice(list(PRODUCTS))
        is_closed = stage in ("Won", "Lost")
        deals.append(
            (
                f"D{number:04}",
                chance.choice(list(REGIONS)),
                product.replace("GTX Pro", "GTXPro"),
                chance.choice(["Aldgate", "Bramble", ""]),
                stage,
                "" if stage == "Prospecting" else engaged,
                closed if is_closed else "",
                (chance.randrange(9000) if stage == "Won" else 0) if is_closed else "",
            )
        )
    header = "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value"
    write(folder / "sales_pipeline.csv", header, deals)
    accounts = [
        ("Aldgate", "technolgy", 1996, 1100.04, 2822, "United States", ""),
        ("Bramble", "medical", 1999, 5, 4, "Kenya", ""),
    ]
    write(
        folder / "accounts.csv",
        "account,sector,year_established,revenue,employees,office_location,subsidiary_of",
        accounts,
    )
    teams = [(rep, "Noor Haddad", region) for rep, region in REGIONS.items()]
    write(folder / "sales_teams.csv", "sales_agent,manager,regional_office", teams)
    prices = [(product, product[:3], price) for product, price in PRODUCTS.items()]
    write(folder / "products.csv", "product,series,sales_price", prices)


def copy_export(folder: Path) -> None:
    """The real export of 8,800 deals, if it is next to the clone."""
    for path in EXPORT.glob("*.csv"):
        shutil.copy(path, folder)


def by_pandas(folder: Path) -> dict[tuple[str, str, str], tuple[int, int, Decimal]]:
    """(quarter, region, product) → won, lost, won amount."""
    import pandas as pd

    deals = pd.read_csv(folder / "sales_pipeline.csv").replace({"product": {"GTXPro": "GTX Pro"}})
    deals = deals.merge(pd.read_csv(folder / "sales_teams.csv"), on="sales_agent")
    deals = deals[deals.deal_stage.isin(["Won", "Lost"])]
    deals["quarter"] = pd.to_datetime(deals.close_date).dt.to_period("Q").dt.start_time.dt.strftime("%Y-%m-%d")
    deals["is_won"] = deals.deal_stage == "Won"
    deals["won_amount"] = deals.close_value.where(deals.is_won, 0)
    groups = deals.groupby(["quarter", "regional_office", "product"])
    table = groups.agg(won=("is_won", "sum"), closed=("is_won", "size"), won_amount=("won_amount", "sum"))
    return {
        key: (int(row.won), int(row.closed - row.won), Decimal(str(int(row.won_amount))))
        for key, row in table.iterrows()
    }


def by_marts(dsn: str) -> dict[tuple[str, str, str], tuple[int, int, Decimal]]:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            """
            select
                date_trunc('quarter', opportunities.closed_date)::date::text,
                opportunities.region,
                products.product_name,
                count(*) filter (where opportunities.is_won),
                count(*) filter (where opportunities.is_lost),
                coalesce(sum(lines.amount) filter (where opportunities.is_won), 0)
            from marts.fct_opportunities as opportunities
            inner join marts.fct_opportunity_lines as lines using (opportunity_key)
            inner join marts.dim_products as products using (product_key)
            where not opportunities.is_open
            group by 1, 2, 3
            """
        ).fetchall()
    return {(quarter, region, product): (won, lost, amount) for quarter, region, product, won, lost, amount in found}


def take_in(folder: Path) -> None:
    """The steps of the DAG, without Airflow."""
    window = Window(date(2026, 11, 22), date(2026, 11, 23))
    for stream in files.STREAMS:
        connection = Connection("crm_export", str(folder), extra={})
        read = landing.land(files.SOURCE, connection, stream, window, "run", datetime(2026, 11, 23, 3, tzinfo=UTC))
        result = load.load(read)
        assert result.rows_quarantined == 0
    report.require(deliveries.check_raw("files", "run"))
    completeness.complete(files.SOURCE, "run")


def test_the_marts_say_what_pandas_says(warehouse: str, tmp_path: Path) -> None:
    export = copy_export if EXPORT.is_dir() else make_export
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    export(inbox)
    shutil.copy(MANIFEST, inbox)
    take_in(inbox)
    report.require(marts.check_marts(dbt_run.build().build_id))
    expected = by_pandas(inbox)
    assert by_marts(warehouse) == expected
    with psycopg.connect(warehouse) as connection:
        deals = connection.execute("select count(*) from marts.fct_opportunities").fetchone()
        funnel = connection.execute(
            "select sum(won), sum(won_amount), sum(lost) from marts.fct_funnel_daily"
        ).fetchone()
        inferred = connection.execute(
            "select count(*) from marts.fct_opportunities where is_created_inferred"
        ).fetchone()
        empty = connection.execute("select sum(spend), sum(leads) from marts.fct_funnel_daily").fetchone()
    lines = (inbox / "sales_pipeline.csv").read_text().splitlines()[1:]
    assert deals == (len(lines),)
    assert funnel == tuple(sum(figures[place] for figures in expected.values()) for place in (0, 2, 1))
    assert inferred == (sum(",Prospecting,,," in line for line in lines),), "no creation time: that of the first load"
    assert empty == (None, None), "no file speaks of spend or leads: null, not 0"
    if export is copy_export:
        assert deals == (8800,)
        assert funnel == (4238, 10_005_534, 2473)
