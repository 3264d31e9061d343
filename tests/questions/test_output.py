"""One answer as a table, as CSV and as JSON."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from funnel.questions.answers import Answer
from funnel.questions.catalogue import Metric
from funnel.questions.errors import QuestionError
from funnel.questions.output import checked, written
from funnel.questions.periods import Period

STATUS = {
    "data_as_of": datetime(2026, 4, 1, tzinfo=UTC),
    "complete_through": date(2026, 3, 31),
    "last_audit_passed": True,
    "sources_late": ["hubspot"],
    "reporting_currency": "USD",
    "reporting_timezone": "UTC",
    "held_by": None,
    "readers_see": "readers see publication 1",
}
METRIC = Metric("leads", "Leads", "Σ leads. Limits: none.", "cohort", ("fct_leads",), "day", ())
ANSWER = Answer(
    ("channel", "leads", "rate"),
    [
        {"channel": 'a, "b"', "leads": 1234, "rate": 0.35541},
        {"channel": None, "leads": Decimal("20000.005"), "rate": None},
    ],
    (METRIC,),
    Period(date(2026, 3, 1), date(2026, 3, 31)),
    STATUS,
)


def test_a_table_says_clock_and_freshness_below() -> None:
    text, beside = written(ANSWER, "table")
    lines = text.splitlines()
    assert lines[2].split() == ["a,", '"b"', "1,234", "0.3554"]
    assert lines[3].split() == ["-", "20,000.01", "-"] or lines[3].split() == ["-", "20,000.00", "-"]
    flat = " ".join(text.split())
    assert "2026-03-01 to 2026-03-31, both included." in flat
    assert "Data are complete through 2026-03-31 (data_as_of 2026-04-01 00:00 UTC), in USD" in flat
    assert "Late: hubspot." in flat
    assert "leads (Leads): cohort clock: an event counts in the period in which its lead began. Σ leads." in flat
    assert beside == ""


def test_csv_holds_rows_only() -> None:
    text, beside = written(ANSWER, "csv")
    assert list(csv.reader(io.StringIO(text))) == [
        ["channel", "leads", "rate"],
        ['a, "b"', "1234", "0.35541"],
        ["", "20000.005", ""],
    ]
    assert "cohort clock" in beside


def test_json_holds_values_and_what_must_be_known() -> None:
    found = json.loads(written(ANSWER, "json")[0])
    assert found["rows"][0] == {"channel": 'a, "b"', "leads": 1234, "rate": 0.35541}
    assert (found["complete_through"], found["currency"], found["to"]) == ("2026-03-31", "USD", "2026-03-31")
    assert found["metrics"]["leads"]["clock"].startswith("cohort clock")


def test_another_format_is_refused() -> None:
    with pytest.raises(QuestionError, match="FORMAT=xml is not a format: write table, csv, json"):
        checked("xml")
