"""Complete exports: rows that vanished from them are retracted and counted, in any order of arrival."""

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
MANIFEST = """
source: acme
currency: USD
timezone: America/New_York
streams:
  - entity: {entity}
    path: "*.csv"
    bad_rows: 0.9
    replace: {replace}
"""
Take = Callable[..., load.LoadResult]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def take(warehouse: str, inbox: Path) -> Take:
    """Load the inbox's files of one entity, each time one minute later."""
    clock = [datetime(2026, 11, 23, 3, tzinfo=UTC)]

    def run(entity: str, replace: str) -> load.LoadResult:
        clock[0] += timedelta(minutes=1)
        (inbox / "acme.yml").write_text(MANIFEST.format(entity=entity, replace=replace))
        connection = Connection("acme", str(inbox), extra={"known": notes.known_files("files", "acme", entity)})
        read = landing.land(files.SOURCE, connection, files.SOURCE.stream(entity), WINDOW, str(clock[0]), clock[0])
        return load.load(read)

    return run


def write(inbox: Path, name: str, header: str, *lines: str) -> None:
    (inbox / name).write_text("\n".join((header, *lines)) + "\n")


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def ids(dsn: str, column: str, table: str) -> list[str]:
    return [value for (value,) in ask(dsn, f"select {column} from raw.files__{table} order by 1")]


def test_rows_that_a_whole_export_no_longer_holds_are_retracted_and_counted(
    warehouse: str, inbox: Path, take: Take
) -> None:
    write(inbox, "accounts.csv", "account_id,account_name", "1,One", "2,Two", "3,Three")
    assert take("accounts", "whole").rows_retracted == 0
    write(inbox, "accounts.csv", "account_id,account_name", "1,One", "3,Drei")
    result = take("accounts", "whole")
    assert (result.rows_loaded, result.rows_retracted) == (2, 1)
    assert ask(warehouse, "select account_id, account_name from raw.files__accounts order by 1") == [
        ("1", "One"),
        ("3", "Drei"),
    ]
    assert ask(warehouse, "select rows_retracted from ops.loads order by load_id") == [(0,), (1,)]
    assert ask(warehouse, "select load_id, stream, reason, rows_removed from ops.removals") == [
        (result.load_id, "accounts", "accounts.csv: replace: whole", 1)
    ]


def test_without_replace_in_the_manifest_nothing_is_retracted(warehouse: str, inbox: Path, take: Take) -> None:
    write(inbox, "accounts.csv", "account_id", "1", "2")
    take("accounts", "key")
    write(inbox, "accounts.csv", "account_id", "1")
    assert take("accounts", "key").rows_retracted == 0
    assert ids(warehouse, "account_id", "accounts") == ["1", "2"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("at_once", [False, True])
def test_the_newest_whole_export_counts_in_any_order_of_arrival(
    warehouse: str, inbox: Path, take: Take, order: tuple[int, ...], at_once: bool
) -> None:
    exports = [("accounts 1.csv", ("1", "2", "3")), ("accounts 2.csv", ("2", "4")), ("accounts 10.csv", ("2", "5"))]
    for place in order:
        name, lines = exports[place]
        write(inbox, name, "account_id", *lines)
        if not at_once:
            take("accounts", "whole")
    if at_once:
        take("accounts", "whole")
    assert ids(warehouse, "account_id", "accounts") == ["2", "5"]


def test_another_source_keeps_its_rows(warehouse: str, inbox: Path, take: Take) -> None:
    write(inbox, "accounts.csv", "account_id", "1", "2")
    take("accounts", "whole")
    with psycopg.connect(warehouse) as admin:
        admin.execute("update raw.files__accounts set _connection_id = 'other' where account_id = '1'")
    write(inbox, "accounts.csv", "account_id", "3")
    assert take("accounts", "whole").rows_retracted == 1
    assert ids(warehouse, "account_id", "accounts") == ["1", "3"]


def test_a_window_replaces_its_days_only_on_the_manifests_clocks(warehouse: str, inbox: Path, take: Take) -> None:
    header = "order_id,ordered_at"
    # 03:30 UTC is 22:30 or 23:30 on the evening before in New York.
    write(inbox, "1.csv", header, "a,2026-10-01T03:30:00Z", "b,2026-10-01T12:00:00Z", "c,2026-10-02", "d,2026-10-04")
    take("orders", "window")
    write(inbox, "2.csv", header, "e,2026-10-01T05:00:00Z", "f,2026-10-03")
    assert take("orders", "window").rows_retracted == 2
    assert ids(warehouse, "order_id", "orders") == ["a", "d", "e", "f"]
    assert ask(warehouse, "select path, replaced_from, replaced_to from ops.files order by path") == [
        ("1.csv", date(2026, 9, 30), date(2026, 10, 4)),
        ("2.csv", date(2026, 10, 1), date(2026, 10, 3)),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_windows_count_in_any_order_of_arrival(warehouse: str, inbox: Path, take: Take, order: tuple[int, ...]) -> None:
    header = "date_day,campaign_name,spend"
    exports = [
        ("week 1.csv", ("2026-10-01,x,1", "2026-10-02,x,1", "2026-10-03,y,1")),
        ("week 2.csv", ("2026-10-02,z,2", "2026-10-03,x,2")),
        ("week 3.csv", ("2026-10-03,z,3", "2026-10-04,z,3")),
    ]
    for place in order:
        name, lines = exports[place]
        write(inbox, name, header, *lines)
        take("ad_stats", "window")
    assert ask(warehouse, "select date_day::text, campaign_name, spend from raw.files__ad_stats order by 1, 2") == [
        ("2026-10-01", "x", 1),
        ("2026-10-02", "z", 2),
        ("2026-10-03", "z", 3),
        ("2026-10-04", "z", 3),
    ]


def test_an_export_without_a_readable_row_retracts_nothing(warehouse: str, inbox: Path, take: Take) -> None:
    write(inbox, "accounts.csv", "account_id", "1", "2")
    take("accounts", "whole")
    write(inbox, "accounts.csv", "account_id")
    assert take("accounts", "whole").rows_retracted == 0
    assert ids(warehouse, "account_id", "accounts") == ["1", "2"]


def test_what_could_not_be_read_is_still_held(warehouse: str, inbox: Path, take: Take) -> None:
    header = "account_id,employees"
    write(inbox, "accounts.csv", header, "1,10", "2,20", "3,30")
    take("accounts", "whole")
    write(inbox, "accounts.csv", header, "1,11", "2,many")
    result = take("accounts", "whole")
    assert (result.rows_loaded, result.rows_quarantined, result.rows_retracted) == (1, 1, 1)
    assert ask(warehouse, "select account_id, employees from raw.files__accounts order by 1") == [("1", 11), ("2", 20)]


def test_a_row_that_hides_its_key_keeps_all_others(warehouse: str, inbox: Path, take: Take) -> None:
    header = "account_id,employees"
    write(inbox, "accounts.csv", header, "1,10", "2,20", "3,30")
    take("accounts", "whole")
    write(inbox, "accounts.csv", header, "1,11", "2,20,30,40")
    result = take("accounts", "whole")
    assert (result.rows_loaded, result.rows_quarantined, result.rows_retracted) == (1, 1, 0)
    assert ids(warehouse, "account_id", "accounts") == ["1", "2", "3"]


def test_a_replay_gives_the_same_rows(warehouse: str, inbox: Path, take: Take) -> None:
    for number, lines in enumerate((("1", "2", "3"), ("2", "3"), ("3", "4"))):
        write(inbox, f"{9 - number}.csv", "account_id", *lines)
        take("accounts", "whole")
    before = ids(warehouse, "account_id", "accounts")
    assert before == ["1", "2", "3"]
    with psycopg.connect(warehouse) as admin:
        admin.execute("drop table raw.files__accounts")
        admin.execute("truncate ops.loads, ops.files, ops.removals cascade")
    for read in landing.reads("files"):
        load.load(read)
    assert ids(warehouse, "account_id", "accounts") == before
