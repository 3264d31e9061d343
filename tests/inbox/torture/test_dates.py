"""Real-life exports: dates that both orders can read, or neither."""

import pytest

from tests.inbox.conftest import read_file
from tests.inbox.torture.samples import HEADER, rows_of


def test_an_ambiguous_date_column_is_refused_with_what_to_state() -> None:
    read = read_file(HEADER + "1,W,10,03/04/2026\n2,L,20,05/06/2026\n")
    assert read.counts == (0, 0, 0)
    assert read.refusal == (
        "created_at is ambiguous: 03/04/2026 may be 2026-04-03 (%d/%m/%Y) or 2026-03-04 (%m/%d/%Y), and no row says "
        'which; state date_format: {created_at: "%d/%m/%Y"} in the manifest'
    )


def test_one_day_above_twelve_says_how_a_column_is_written() -> None:
    read = read_file(HEADER + "1,W,10,03/04/2026\n2,L,20,25/06/2026\n")
    assert read.column("created_on") == ["2026-04-03", "2026-06-25"]


def test_days_that_both_orders_read_alike_are_not_ambiguous() -> None:
    assert read_file(HEADER + "1,W,10,03/03/2026\n").column("created_on") == ["2026-03-03"]


def test_a_stated_format_settles_an_ambiguous_column() -> None:
    read = read_file(HEADER + "1,W,10,03/04/2026\n", date_format={"created_at": "%m/%d/%Y"})
    assert read.column("created_on") == ["2026-03-04"]


def test_a_column_that_mixes_both_orders_is_refused() -> None:
    read = read_file(HEADER + "1,W,1,25/06/2026\n2,W,1,06/25/2026\n3,W,1,03/04/2026\n")
    assert read.refusal is not None
    assert "is written both as" in read.refusal
    assert "03/04/2026 may be either day" in read.refusal


@pytest.mark.parametrize(
    ("written", "at", "on"),
    [
        ("2026-01-02T10:00:00Z", "2026-01-02T10:00:00+00:00", None),
        ("2026-01-02 10:00", "2026-01-02T13:00:00+00:00", None),
        ("2026-01-02 10:00:00.5+02:00", "2026-01-02T08:00:00.500000+00:00", None),
        ("2026-01-02 00:00:00", None, "2026-01-02"),
        ("20260102", None, "2026-01-02"),
        ("2 January 2026", None, "2026-01-02"),
        ("Jan 2, 2026 10:05 PM", "2026-01-03T01:05:00+00:00", None),
        ("30.01.2026", None, "2026-01-30"),
    ],
)
def test_a_time_is_in_the_manifests_zone_and_a_day_is_a_day(written: str, at: str | None, on: str | None) -> None:
    """2 January is 2 January in every zone; ten o'clock in São Paulo is one o'clock in the afternoon in UTC."""
    [row] = read_file(f'{HEADER}1,W,10,"{written}"\n').rows
    assert (row["created_at"], row["created_on"]) == (at, on)


@pytest.mark.parametrize("written", ["2026-02-31", "31/13/2026", "0206-01-02", "soon", "2026-01-02 25:00"])
def test_a_text_instead_of_a_date_is_a_bad_row(written: str) -> None:
    read = read_file(f"{HEADER}{rows_of(9)}10,W,10,{written}\n", bad_rows=0.1)
    assert read.counts == (10, 9, 1)
    assert read.bad[0].startswith("line 11, created_at: ")
