"""The dictionary says what the contracts say, of every table, column and metric."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from funnel.questions import dictionary


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    return dictionary.write({"checks": tmp_path / "checks.html"}).read_text()


def test_what_may_be_added_is_stated_of_every_number_of_every_table() -> None:
    stated = {
        name: sorted([*one.get("adds", []), *one.get("never", [])]) for name, one in dictionary.adding_up().items()
    }
    contracts = {table.name: sorted(table.numbers) for table in dictionary.tables() if table.numbers}
    listed = {name: stated.get(name) for name in contracts}
    assert listed == contracts, "list new numbers of a contract in plugins/funnel/questions/adding_up.yml"
    columns = {table.name: {column["name"] for column in table.columns} for table in dictionary.tables()}
    assert [
        (name, column)
        for name, one in dictionary.adding_up().items()
        for column in one.get("within", [])
        if name in columns and column not in columns[name]
    ] == []


def test_the_page_of_tables_is_up_to_date() -> None:
    assert dictionary.TABLES_PAGE.read_text() == dictionary.tables_page(), (
        "write it again: PYTHONPATH=plugins .venv/bin/python -m funnel.questions.dictionary"
    )


def test_the_dictionary_has_every_table_column_and_metric_and_needs_no_network(page: str) -> None:
    parser = HTMLParser()
    parser.feed(page)
    for table in dictionary.tables():
        assert page.count(f"<details id={table.name}>") == 1
        section = page.partition(f"<details id={table.name}>")[2].partition("</details>")[0]
        for column in table.columns:
            assert f"<code>{column['name']}</code>" in section, f"{table.name}.{column['name']}"
    assert page.count("<tr><td><code>") > 600
    assert "<code>win_rate</code><td>Win rate" in page
    assert not re.search(r"https?://", page)
    begin = page.partition("<h2>")[0]
    assert "Funnel warehouse" in begin
    assert "dbt" not in begin


def test_every_join_leads_to_a_table_with_that_key() -> None:
    keys = {table.name: table.key for table in dictionary.tables()}
    found = dictionary.joins()
    assert ("fct_leads", "dim_people", "person_key") in found
    assert ("fct_attribution", "fct_opportunities", "opportunity_key") in found
    assert all(keys[other] == (column,) for _, other, column in found)
