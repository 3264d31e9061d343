"""Lists of records in one JSON document, as APIs and programs write them."""

import gzip
import json
import random
from typing import Any

import pytest

from tests.inbox.conftest import read_file

DEALS: list[dict[str, Any]] = [
    {"id": "D1", "stage": "W", "amount": 10.10, "created": "2026-03-01"},
    {"id": "D2", "stage": "W", "amount": 12345678901234567.89, "created": "2026-03-02", "note": 'a ] } , " é\n'},
    {"id": "D3", "stage": "L", "amount": None, "created": "2026-03-03", "owner": {"name": "x"}},
]
TEXT = json.dumps(DEALS).replace("1.2345678901234568e+16", "12345678901234567.89")


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "\ufeff\n " + TEXT + "\n",
        json.dumps(json.loads(TEXT), indent=2).replace("1.2345678901234568e+16", "12345678901234567.89"),
        f'{{"data": {TEXT}}}',
        f'{{"page": 1, "errors": [], "data": {{"total": 3, "deals": {TEXT}}}, "next": null}}',
        f'{{"meta": {{"ids": [1, 2]}},\n "results": {TEXT}}}',
    ],
)
def test_the_list_of_a_document_is_read_record_by_record(text: str) -> None:
    read = read_file(text, "deals.json")
    assert read.refusal is None
    assert read.column("opportunity_id") == ["D1", "D2", "D3"]
    assert read.column("amount") == ["10.1", "12345678901234567.89", None]


def test_a_document_may_be_packed_and_larger_than_what_is_read_at_once() -> None:
    chance = random.Random(5)
    many = [{**DEALS[0], "id": f"D{number}", "note": "x" * chance.randrange(3000)} for number in range(2_000)]
    text = json.dumps({"data": many})
    assert len(text) > 2 << 20
    assert read_file(gzip.compress(text.encode()), "deals.json.gz").counts == (2_000, 2_000, 0)


def test_json_lines_under_the_name_of_a_document_are_lines_and_the_other_way_round() -> None:
    lines = "\n".join(json.dumps(deal) for deal in (DEALS[0], DEALS[2]))
    assert read_file(lines, "deals.json").counts == (2, 2, 0)
    assert read_file(json.dumps([DEALS[0]]), "deals.jsonl").counts == (1, 1, 0)
    one = {**DEALS[0], "lines": [{"sku": "a"}]}
    assert read_file(json.dumps(one) + "\n", "deals.jsonl").column("opportunity_id") == ["D1"]


def test_a_value_that_is_not_a_record_is_a_bad_row() -> None:
    read = read_file(json.dumps([DEALS[0], 5, ["x"], DEALS[2]]), "deals.json", bad_rows=0.9)
    assert read.counts == (4, 2, 2)
    assert all("is not a JSON object" in reason for reason in read.bad)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT[:-30], "the document is cut short or damaged"),
        (f'{{"a": {TEXT}, "b": {TEXT}}}', "two lists of records, 'a' and 'b'"),
        (f"{TEXT}\n{TEXT}", "two documents in one file"),
        ('{"a": 1,\n "b": {"c": [1, 2]}}', "holds no list of JSON objects"),
        ("[" * 100_000, "nested|cut short"),
        ('[{"id": "' + "x" * (17 << 20) + '"}]', "a record is longer than 16 MB"),
        ('[{"id": 1} {"id": 2}]', "the document is damaged: ',' is expected"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_with_the_reason(text: str, reason: str) -> None:
    import re

    refusal = read_file(text, "deals.json").refusal
    assert refusal is not None
    assert re.search(reason, refusal), refusal
