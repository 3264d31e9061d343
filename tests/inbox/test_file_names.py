"""Unusual file names that file systems accept."""

import os
from pathlib import Path

import orjson
import pytest

from funnel.inbox import folder as inbox
from tests.inbox.test_cases import read


def test_a_name_that_is_not_utf8_is_read_and_written_down(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/d\xe9als.csv"
    try:
        with open(place, "w") as file:
            file.write("opportunity_id,stage,created_at,amount\n1,won,2026-01-05,10\n")
    except OSError:
        pytest.skip("this file system takes valid UTF-8 only")
    (tmp_path / "m.yml").write_text("source: acme\ncurrency: USD\nstreams: [{entity: opportunities, path: '*.csv'}]\n")
    found = read(tmp_path)
    ((path, (rows, _, outcome)),) = found.items()
    assert [row["amount"] for row in rows] == ["10"]
    assert orjson.dumps(outcome.as_json())
    assert path == "d\\udce9als.csv"
    folder = inbox.open_folder(str(tmp_path))
    assert {info.path for info in inbox.listed(folder)} == {path, "m.yml"}
