"""Places of the word of a total line, and currency signs next to an empty currency column."""

from pathlib import Path

import pytest

from tests.inbox.test_cases import column, one

ADS = "entity: ad_stats\ncolumns: {date_day: Day, campaign_name: Campaign, spend: Spend}"
CONSTANT_DAY = "entity: ad_stats\ncolumns: {date_day: {value: 2026-01-31}, campaign_name: Campaign, spend: Spend}"


def test_a_total_may_have_its_word_in_place_of_a_day(tmp_path: Path) -> None:
    rows, bad, outcome = one(tmp_path, "Day,Campaign,Spend\n2026-01-05,A,10\n2026-01-06,B,5\nGesamt,,15\n", ADS)
    assert column(rows, "spend") == ["10", "5"]
    assert [(row.line, row.reason.partition(";")[0]) for row in bad] == [(4, "is a total, not a record")]
    assert "totals left out: 1 (totals: keep loads them)" in outcome.notes


@pytest.mark.parametrize("nothing", ["", "--", "\u2014"])
def test_a_total_may_have_its_word_in_a_first_column_that_is_not_mapped(tmp_path: Path, nothing: str) -> None:
    totals = f"Total: Campaigns,{nothing},15\nTotal: Account,{nothing},15\n"
    text = f"Status,Campaign,Spend\nEnabled,A,10\nEnabled,B,5\n{totals}"
    rows, bad, _ = one(tmp_path, text, CONSTANT_DAY)
    assert column(rows, "spend") == ["10", "5"]
    assert [row.line for row in bad] == [4, 5]


def test_a_record_whose_first_column_says_total_is_a_record(tmp_path: Path) -> None:
    rows, bad, _ = one(tmp_path, "Cost type,Campaign,Spend\nTotal,A,10\nTotal,B,5\n", CONSTANT_DAY)
    assert column(rows, "spend") == ["10", "5"]
    assert not bad


def test_a_sign_says_the_currency_where_the_column_of_currencies_is_empty(tmp_path: Path) -> None:
    text = "Day,Campaign,Spend,Cur\n2026-01-05,A,£5,\n2026-01-05,B,€7,USD\n2026-01-05,C,$9,CAD\n2026-01-05,D,1,\n"
    rows, bad, _ = one(tmp_path, text, ADS.replace("Spend}", "Spend, currency_code: Cur}"))
    assert column(rows, "campaign_name", "spend", "currency_code") == [
        ("A", "5", "GBP"),
        ("C", "9", "CAD"),
        ("D", "1", "USD"),
    ]
    assert [(row.line, row.column) for row in bad] == [(3, "spend")]
