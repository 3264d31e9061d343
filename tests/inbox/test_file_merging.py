"""Files with different columns of one record complete each other, in any order and however often they return."""

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel.contract import Connection, Window
from funnel.ingest import landing, load, notes
from funnel.sources import files

WINDOW = Window(date(2026, 11, 22), date(2026, 11, 23))
MANIFEST = 'source: acme\nstreams: [{entity: accounts, path: "*.csv"}]\n'
Take = Callable[[], load.LoadResult]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "acme.yml").write_text(MANIFEST)
    return folder


@pytest.fixture
def take(warehouse: str, inbox: Path) -> Take:
    clock = [datetime(2026, 11, 23, 3, tzinfo=UTC)]

    def run() -> load.LoadResult:
        clock[0] += timedelta(minutes=1)
        connection = Connection("acme", str(inbox), extra={"known": notes.known_files("files", "acme", "accounts")})
        read = landing.land(files.SOURCE, connection, files.SOURCE.stream("accounts"), WINDOW, str(clock[0]), clock[0])
        return load.load(read)

    return run


def accounts(dsn: str) -> list[tuple[Any, ...]]:
    query = "select account_id, account_name, industry, country, employees::int from raw.files__accounts order by 1"
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


BASIC = ("basic.csv", "account_id,account_name,industry\n1,One,Steel\n2,Two,Wood\n")
SCORES = ("scores.csv", "account_id,country,employees\n1,DE,10\n3,FR,30\n")


@pytest.mark.parametrize("order", [(BASIC, SCORES), (SCORES, BASIC)])
@pytest.mark.parametrize("at_once", [True, False])
def test_two_halves_make_whole_records(warehouse: str, inbox: Path, take: Take, order: Any, at_once: bool) -> None:
    for name, text in order:
        (inbox / name).write_text(text)
        if not at_once:
            take()
    if at_once:
        take()
    assert accounts(warehouse) == [
        ("1", "One", "Steel", "DE", 10),
        ("2", "Two", "Wood", None, None),
        ("3", None, None, "FR", 30),
    ]


def test_each_half_can_be_corrected(warehouse: str, inbox: Path, take: Take) -> None:
    """Also the file with the earlier name: the later one does not have its columns."""
    for name, text in (BASIC, SCORES):
        (inbox / name).write_text(text)
    first = take().load_id
    (inbox / "basic.csv").write_text("account_id,account_name,industry\n1,Uno,\n2,Two,Wood\n")
    second = take().load_id
    (inbox / "scores.csv").write_text("account_id,country,employees\n1,DE,11\n3,FR,30\n")
    third = take().load_id
    assert accounts(warehouse) == [
        ("1", "Uno", None, "DE", 11),
        ("2", "Two", "Wood", None, None),
        ("3", None, None, "FR", 30),
    ]
    with psycopg.connect(warehouse) as connection:
        loads = connection.execute("select account_id, _load_id from raw.files__accounts order by 1").fetchall()
    assert loads == [("1", third), ("2", first), ("3", first)]
    assert second not in dict(loads).values()


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_of_two_files_with_one_column_the_later_name_counts(
    warehouse: str, inbox: Path, take: Take, order: tuple[int, ...]
) -> None:
    both = [
        ("a.csv", "account_id,account_name,industry\n1,A,Steel\n"),
        ("b.csv", "account_id,account_name,country\n1,B,DE\n"),
    ]
    for place in order:
        name, text = both[place]
        (inbox / name).write_text(text)
        take()
    assert accounts(warehouse) == [("1", "B", "Steel", "DE", None)]


def test_files_with_the_same_columns_replace_whole_rows(warehouse: str, inbox: Path, take: Take) -> None:
    (inbox / "a.csv").write_text("account_id,account_name,industry\n1,A,Steel\n")
    take()
    (inbox / "b.csv").write_text("account_id,account_name,industry\n1,B,\n")
    take()
    assert accounts(warehouse) == [("1", "B", None, None, None)]


def test_a_file_that_loses_a_column_empties_it(warehouse: str, inbox: Path, take: Take) -> None:
    """No other file fills the column, so its values are gone."""
    (inbox / "a.csv").write_text("account_id,account_name,industry\n1,A,Steel\n")
    take()
    (inbox / "a.csv").write_text("account_id,account_name\n1,A\n")
    take()
    assert accounts(warehouse) == [("1", "A", None, None, None)]
