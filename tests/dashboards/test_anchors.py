"""The demo on special days of the calendar: load, build, audit, publication, print, pages."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from funnel import settings
from installation import demo
from tests.dashboards.conftest import opened_house, viewing
from tests.dashboards.reading import SAYS, read
from tests.end_to_end.pipeline import rows

pytestmark = [pytest.mark.soak, pytest.mark.browser, pytest.mark.timeout(900)]

# The newest day that is loaded is the day before.
ANCHORS = {
    "first of a month": date(2026, 5, 1),
    "last of a month": date(2026, 5, 31),
    "first of a quarter": date(2026, 4, 1),
    "last of a quarter": date(2026, 6, 30),
    "first of a year": date(2027, 1, 1),
    "last of a year": date(2026, 12, 31),
    "29 February": date(2028, 2, 29),
    "after 29 February": date(2028, 3, 1),
    "American clocks go forward": date(2026, 3, 8),
    "American clocks went forward": date(2026, 3, 9),
    "European clocks go forward": date(2026, 3, 29),
    "European clocks went forward": date(2026, 3, 30),
    "European clocks go back": date(2026, 10, 25),
    "European clocks went back": date(2026, 10, 26),
    "American clocks go back": date(2026, 11, 1),
    "American clocks went back": date(2026, 11, 2),
    "Monday after Thanksgiving": date(2026, 11, 30),
    "Monday after New Year": date(2027, 1, 4),
    "Tuesday after Easter Monday": date(2026, 4, 7),
    "today": datetime.now(UTC).date(),
}


@pytest.mark.parametrize("name", ANCHORS)
def test_the_demo_ends_well_on_every_day(
    name: str, cluster_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    today = ANCHORS[name]
    with opened_house(cluster_home, tmp_path, today, demo.DAYS) as house, viewing(house) as viewer:
        assert settings.now().date() == today
        [funnel] = rows(
            "select max(date_day) as last, sum(leads) as leads, sum(mqls) as mqls, sum(won) as won "
            "from bi.fct_funnel_daily"
        )
        assert funnel["last"] == demo.newest_day()
        demo.print_summary()
        printed = capsys.readouterr().out
        assert f"to {demo.newest_day()}" in printed
        for stage in ("leads", "mqls", "won"):
            assert f"{funnel[stage]:,}" in printed
        assert {slug: faults for slug in SAYS if (faults := read(viewer, slug))} == {}
