"""Currencies that a spreadsheet shows next to numbers: they are in the format of a cell."""

import io
from datetime import date
from typing import Any

import openpyxl
import pytest

from funnel.inbox.number_formats import currency_of
from tests.inbox.conftest import Read, read_file

SPENDS = {"date_day": "day", "campaign_id": "campaign", "clicks": "clicks", "spend": "spend"}


@pytest.mark.parametrize(
    ("number_format", "expected"),
    [
        ("[$€-407] #,##0.00", "€"),
        ("#,##0.00 [$€-1]", "€"),
        ('"$"#,##0.00', "$"),
        ("$#,##0.00_);($#,##0.00)", "$"),
        (r"\$#,##0;[Red]\-$#,##0", "$"),
        ("[$$-409]#,##0.00", "USD"),
        ("[$$-1009]#,##0.00", "CAD"),
        ("[$£-809]#,##0.00", "GBP"),
        ("[$kr-41D] #,##0", "SEK"),
        ("[$USD] 0", "USD"),
        ('_-* #,##0.00 "EUR"_-', "EUR"),
        ('_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-', "€"),
        ("[$-409]d-mmm", None),
        ("[Red]0.00", None),
        ('#,##0,"k"', None),
        ('#,##0.00 "Stück"', None),
        ("0.00%", None),
        ("General", None),
        ('"EUR" 0 "USD"', None),
    ],
)
def test_a_format_names_a_currency(number_format: str, expected: str | None) -> None:
    assert currency_of(number_format) == expected


def workbook(rows: list[tuple[Any, ...]], formats: dict[str, str]) -> bytes:
    """A workbook of ad statistics; `formats` are those of cells by their name."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(list(SPENDS.values()))
    for row in rows:
        sheet.append(list(row))
    for cell, number_format in formats.items():
        sheet[cell].number_format = number_format
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


ROWS = [(date(2026, 3, day), f"C{day}", 5, 13.63) for day in range(1, 5)]


def read(formats: dict[str, str], **settings: Any) -> Read:
    stated: dict[str, Any] = {"entity": "ad_stats", "columns": SPENDS, "bad_rows": 1, **settings}
    return read_file(workbook(ROWS, formats), "ads.xlsx", **stated)


def test_euros_are_never_read_as_another_currency() -> None:
    found = read({"D2": "[$€-407] #,##0.00", "D3": "[$R$-416] #,##0.00", "D4": "[$£-809]0.00"})
    assert found.column("spend") == ["13.63"] * 4
    assert found.column("currency_code") == ["EUR", "BRL", "GBP", "BRL"]


def test_a_sign_that_contradicts_and_may_be_several_currencies_costs_its_row() -> None:
    found = read({"D2": '"$"#,##0.00'})
    assert found.counts == (4, 3, 1)
    assert "names $, but the amounts are in BRL" in found.bad[0]


def test_a_currency_over_a_whole_sheet_says_nothing_of_clicks() -> None:
    whole = {f"{column}{row}": "[$€-407] #,##0.00" for column in "CD" for row in range(2, 6)}
    found = read(whole)
    assert (found.column("clicks"), found.column("currency_code")) == (["5"] * 4, ["EUR"] * 4)


def test_a_computed_amount_is_in_the_currency_of_its_parts() -> None:
    columns = {**SPENDS, "spend": "{spend} * 2"}
    found = read({"D2": "[$€-407] #,##0.00"}, columns=columns)
    assert found.column("spend") == ["27.26"] * 4
    assert found.column("currency_code") == ["EUR", "BRL", "BRL", "BRL"]


def test_texts_with_a_currency_are_computed_with_it() -> None:
    text = "day,campaign,clicks,spend\n2026-03-01,C1,5,13.63 EUR\n2026-03-02,C2,5,1.00\n"
    found = read_file(text, "ads.csv", entity="ad_stats", columns={**SPENDS, "spend": "{spend} * {clicks}"})
    assert list(zip(found.column("spend"), found.column("currency_code"), strict=True)) == [
        ("68.15", "EUR"),
        ("5.00", "BRL"),
    ]
