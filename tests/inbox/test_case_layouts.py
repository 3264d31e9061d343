"""Files whose layout once gave wrong numbers without a word: columns, sheets, versions of a file, line breaks."""

import itertools
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import landing, ledger, load
from funnel.contract import Connection, Window
from funnel.sources import files

CASES = Path(__file__).parents[1] / "cases" / "files"
WINDOW = Window(date(2026, 11, 22), date(2026, 11, 23))
Take = Callable[..., load.LoadResult]


@pytest.fixture
def take(warehouse: str) -> Take:
    """Take in one entity of a source, a minute later each time, as a run does."""
    clock = [datetime(2026, 11, 23, 3, tzinfo=UTC)]

    def run(folder: Path, source: str, entity: str) -> load.LoadResult:
        clock[0] += timedelta(minutes=1)
        extra = {"known": ledger.known_files("files", source, entity)}
        connection = Connection(source, str(folder), extra=extra)
        stream = files.SOURCE.stream(entity)
        return load.load(landing.land(files.SOURCE, connection, stream, WINDOW, f"run {clock[0]}", clock[0]))

    return run


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def counts(result: load.LoadResult) -> tuple[int, int, int]:
    return result.rows_read, result.rows_loaded, result.rows_quarantined


# Several streams on one file ------------------------------------------------------------------------------------------


def test_two_streams_on_one_file_both_load(warehouse: str, take: Take) -> None:
    folder = CASES / "09_two_streams_one_file"
    assert counts(take(folder, "two_streams", "ad_stats")) == (2, 2, 0)
    assert ask(warehouse, "select date_day, spend from raw.files__ad_stats order by 1") == [
        (date(2024, 1, 5), 10),
        (date(2024, 2, 5), 20),
    ]
    assert ask(warehouse, "select path, stream_no, rows_loaded from ops.files order by 2") == [
        ("ads.xlsx", 1, 1),
        ("ads.xlsx", 2, 1),
    ]
    assert counts(take(folder, "two_streams", "ad_stats")) == (0, 0, 0)


WIDE = """
source: wide
currency: USD
streams:
  - entity: ad_stats
    path: wide.csv
    columns: {date_day: Day, campaign_name: Name, spend: Google, platform: {value: google}}
  - entity: ad_stats
    path: wide.csv
    columns: {date_day: Day, campaign_name: Name, spend: Bing, platform: {value: bing}}
"""


def test_a_wide_table_is_taken_apart_by_streams_with_constants(warehouse: str, tmp_path: Path, take: Take) -> None:
    (tmp_path / "wide.yml").write_text(WIDE)
    (tmp_path / "wide.csv").write_text("Day,Name,Google,Bing\n2024-01-05,Alpha,10,1\n2024-01-06,Alpha,20,2\n")
    assert counts(take(tmp_path, "wide", "ad_stats")) == (4, 4, 0)
    sums = "select platform, sum(spend) from raw.files__ad_stats group by 1 order by 1"
    assert ask(warehouse, sums) == [("bing", 3), ("google", 30)]


def test_a_file_is_read_again_by_all_its_streams_while_one_refuses_it(
    warehouse: str, tmp_path: Path, take: Take
) -> None:
    (tmp_path / "wide.yml").write_text(WIDE.replace("spend: Bing", "spend: Yahoo"))
    (tmp_path / "wide.csv").write_text("Day,Name,Google,Bing\n2024-01-05,Alpha,10,1\n")
    assert counts(take(tmp_path, "wide", "ad_stats")) == (1, 1, 0)
    take(tmp_path, "wide", "ad_stats")
    assert ask(warehouse, "select count(*) from ops.files where status = 'refused'") == [(2,)]
    (tmp_path / "wide.yml").write_text(WIDE)
    assert counts(take(tmp_path, "wide", "ad_stats")) == (2, 2, 0)
    assert counts(take(tmp_path, "wide", "ad_stats")) == (0, 0, 0)


# Versions of a file --------------------------------------------------------------------------------------------------


def amount(dsn: str) -> list[tuple[Any, ...]]:
    return ask(dsn, "select amount from raw.files__opportunities")


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
@pytest.mark.parametrize("at_once", [True, False])
def test_the_file_with_the_later_name_counts_whatever_stood_before(
    warehouse: str, tmp_path: Path, take: Take, order: tuple[int, ...], at_once: bool
) -> None:
    case = CASES / "11_back_to_an_earlier_version"
    shutil.copy(case / "manifest.yml", tmp_path)
    for number in order:
        shutil.copy(case / f"deals_{number}.csv", tmp_path)
        if not at_once:
            take(tmp_path, "back_again", "opportunities")
    take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(100,)]
    assert counts(take(tmp_path, "back_again", "opportunities")) == (0, 0, 0)


def test_a_copy_under_a_later_name_counts_before_a_version_that_arrives_between(
    warehouse: str, tmp_path: Path, take: Take
) -> None:
    case = CASES / "11_back_to_an_earlier_version"
    shutil.copy(case / "manifest.yml", tmp_path)
    for theirs, ours in (
        ("deals_1.csv", "deals_1.csv"),
        ("deals_1.csv", "deals_3.csv"),
        ("deals_2.csv", "deals_2.csv"),
    ):
        shutil.copy(case / theirs, tmp_path / ours)
        take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(100,)]


def test_newest_by_time_replaces_what_names_had_settled(warehouse: str, tmp_path: Path, take: Take) -> None:
    case = CASES / "11_back_to_an_earlier_version"
    shutil.copy(case / "manifest.yml", tmp_path)
    shutil.copy(case / "deals_2.csv", tmp_path / "deals_1.csv")
    shutil.copy(case / "deals_1.csv", tmp_path / "deals_2.csv")
    os.utime(tmp_path / "deals_2.csv", (1_700_000_000, 1_700_000_000))
    os.utime(tmp_path / "deals_1.csv", (1_700_000_060, 1_700_000_060))
    take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(100,)]
    text = (case / "manifest.yml").read_text()
    (tmp_path / "manifest.yml").write_text(text.replace("'deals_*.csv'", "'deals_*.csv', newest_by: time"))
    take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(900,)]
    os.utime(tmp_path / "deals_2.csv", (1_700_000_120, 1_700_000_120))
    take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(100,)]


def test_files_whose_names_differ_by_their_endings_only_have_one_order(
    warehouse: str, tmp_path: Path, take: Take
) -> None:
    (tmp_path / "acme.yml").write_text(
        "source: acme\ncurrency: USD\nstreams:\n  - {entity: opportunities, path: 'deals.*', format: csv}\n"
    )
    for name in ("deals.txt", "deals.csv"):
        (tmp_path / name).write_text(f"opportunity_id,stage,amount\nD1,won,{len(name) if name == 'deals.txt' else 1}\n")
        take(tmp_path, "acme", "opportunities")
    assert amount(warehouse) == [(Decimal(9),)]
