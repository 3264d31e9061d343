"""What is special about reading GA4."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from funnel.contract import Window
from sandbox import credentials
from tests.sources.test_streams import QUARTER, WEEK, read


def test_sessions_are_what_the_sites_saw(company: Any) -> None:
    rows = [row for page in read("ga4", "sessions", company.connection("ga4"), QUARTER) for row in page]
    seen = Counter({one.id: 0 for one in company.scenario.properties})
    for row in rows:
        seen[row["property"]] += int(row["sessions"])
    assert seen == {
        one.id: sum(visit.sessions for day in QUARTER.days for visit in one.report(day, company.now).visits)
        for one in company.scenario.properties
    }


def test_what_google_holds_back_is_said_of_its_own_day_alone(company: Any) -> None:
    """A report of a week would mark all of it as thresholded."""
    rows = [row for page in read("ga4", "sessions", company.connection("ga4"), QUARTER) for row in page]
    for flag, held_back in (("subjectToThresholding", "is_thresholded"), ("dataLossFromOtherRow", "has_other_row")):
        flagged = {(row["property"], row["date"]) for row in rows if row["metadata"].get(flag)}
        assert flagged == {
            (one.id, str(day))
            for one in company.scenario.properties
            for day in QUARTER.days
            if getattr(one.report(day, company.now), held_back)
        }
        assert 10 < len(flagged) < 50


def test_a_report_without_rows_is_an_empty_answer(company: Any) -> None:
    before_the_site_opened = Window(date(2025, 1, 1), date(2025, 1, 3))
    pages = read("ga4", "sessions", company.connection("ga4"), before_the_site_opened)
    assert pages == [[], [], [], []]


def test_every_way_into_google_analytics_opens_it(company: Any, tmp_path: Path) -> None:
    plain = company.connection("ga4")
    expected = read("ga4", "properties", plain, WEEK)
    key_file = tmp_path / "key.json"
    key_file.write_text(json.dumps(credentials.service_account()))
    in_one_line = (plain.password or "").replace("\n", "\\n")
    for connection in (
        company.connection("ga4", grant_type="jwt-bearer"),
        replace(company.connection("ga4", key_file=str(key_file)), login=None, password=None),
        replace(plain, password=in_one_line),
    ):
        assert read("ga4", "properties", connection, WEEK) == expected
