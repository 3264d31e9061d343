"""Months by name, in the languages of spreadsheets."""

from pathlib import Path

import pytest

from tests.inbox.test_cases import column, one

COSTS = "entity: costs\ncolumns: {month: M, team: T, amount: A}"
ADS = "entity: ad_stats\ncolumns: {date_day: D, campaign_name: C, spend: S}"


@pytest.mark.parametrize(
    "months",
    [
        ("mars 2026", "avril 2026", "2026-05"),
        ("März 2026", "April 2026", "Mai 2026"),
        ("marzo de 2026", "abril de 2026", "mayo de 2026"),
        ("mrt-26", "apr-26", "mei-26"),
        ("March 2026", "April 2026", "May 2026"),
        ("mar 2026", "kwi 2026", "maj 2026"),
    ],
)
def test_months_by_their_names(tmp_path: Path, months: tuple[str, ...]) -> None:
    text = "M;T;A\n" + "".join(f"{month};marketing;100,50\n" for month in months)
    rows, bad, _ = one(tmp_path, text, COSTS)
    assert not bad
    assert column(rows, "month") == ["2026-03-01", "2026-04-01", "2026-05-01"]


@pytest.mark.parametrize(
    "days", [("1er mars 2026", "2 mars 2026"), ("1. März 2026", "2. März 2026"), ("1 de março de 2026", "2 mar. 2026")]
)
def test_days_with_the_name_of_their_month(tmp_path: Path, days: tuple[str, ...]) -> None:
    rows, bad, _ = one(tmp_path, "D;C;S\n" + "".join(f"{day};A{day};1,50\n" for day in days), ADS)
    assert not bad
    assert column(rows, "date_day") == ["2026-03-01", "2026-03-02"]


def test_a_word_that_is_not_a_month_is_not_a_date(tmp_path: Path) -> None:
    _, bad, _ = one(tmp_path, "M;T;A\nmars 2026;m;1\nfoo 2026;m;1\n", COSTS)
    assert [row.line for row in bad] == [3]
