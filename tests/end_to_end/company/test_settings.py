"""Settings changed and changed back leave the marts of the whole company as they were; each step passes its audit."""

import pytest

from tests.end_to_end.pipeline import Pipeline, rows
from tests.end_to_end.test_worked_example import marts_rows

pytestmark = pytest.mark.soak


@pytest.mark.parametrize(
    ("setting", "value"),
    [("REPORTING_CURRENCY", "EUR"), ("REPORTING_TIMEZONE", "America/New_York"), ("MASTER_CRM", "hubspot")],
)
def test_a_setting_changed_back_leaves_no_trace(
    company: Pipeline, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    names = [row["mart"] for row in rows("select mart from bi.data_status") if row["mart"] != "rpt_restatement"]
    before = {name: marts_rows(name) for name in names}
    monkeypatch.setenv(setting, value)
    company.publish()
    changed = {name for name in names if marts_rows(name) != before[name]}
    assert {"fct_funnel_daily", "fct_opportunities"} <= changed
    monkeypatch.delenv(setting)
    company.publish()
    differing = {name: sorted(set(marts_rows(name)) ^ set(lines))[:4] for name, lines in before.items()}
    assert {name: lines for name, lines in differing.items() if lines} == {}
    reason = "currency rate" if setting == "REPORTING_CURRENCY" else "rule"
    moved = rows(
        f"select count(*) as n from bi.rpt_restatement where reason ~ '^{reason}' and mart = 'fct_funnel_daily'"
    )
    assert moved[0]["n"] > 0
