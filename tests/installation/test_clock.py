"""Over midnight, both changes of daylight saving time, and a clock that was two hours ahead and is set back."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from funnel import logins, settings
from funnel.orchestration import windows
from funnel.rest import diagnosis
from installation import launch


def at(patch: pytest.MonkeyPatch, moment: str, *modules: Any) -> None:
    """Set the clock of these modules."""
    stated = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return stated.astimezone(tz)

    for module in modules:
        patch.setattr(module, "datetime", Clock)


@pytest.mark.parametrize(
    ("moment", "until_now"),
    [
        ("2026-03-28T23:59:59", True),
        ("2026-03-29T00:00:00", True),
        # Central Europe's clocks change at 01:00 UTC in spring and autumn; days are UTC and keep 24 hours.
        ("2026-03-29T01:00:00", True),
        ("2026-03-29T23:59:59", True),
        ("2026-03-30T00:00:00", False),
    ],
)
def test_a_run_reads_until_now_while_its_day_is_the_newest(
    monkeypatch: pytest.MonkeyPatch, moment: str, until_now: bool
) -> None:
    monkeypatch.delenv("FUNNEL_TODAY", raising=False)
    at(monkeypatch, moment, settings)
    window = windows._window(date(2026, 3, 28), date(2026, 3, 28))
    assert (window.to_day, window.until_now) == (date(2026, 3, 29), until_now)


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("2026-03-28T23:59:00", 0),
        ("2026-03-29T00:00:00", 24),
        ("2026-03-29T01:30:00", 22.5),
        ("2026-10-25T00:30:00", 23.5),
    ],
)
def test_a_daily_budget_returns_at_midnight_of_utc_also_when_clocks_change(
    monkeypatch: pytest.MonkeyPatch, moment: str, hours: float
) -> None:
    at(monkeypatch, moment, diagnosis)
    seconds = diagnosis.seconds_to_midnight()
    assert seconds == pytest.approx(hours * 3600 + 60, abs=61)
    assert seconds > 60


KEY = logins.Key("google_ads", "google_ads", "began", "same")


@pytest.mark.parametrize(("shift", "is_good"), [(0, True), (-7200, True), (7200, False)])
def test_a_token_outlives_a_clock_that_was_set_back_until_the_vendor_refuses_it(
    monkeypatch: pytest.MonkeyPatch, shift: int, is_good: bool
) -> None:
    login = logins.Login("token", None, None, logins._good_until(3600), "same")
    now = datetime.now(UTC).timestamp() + shift
    monkeypatch.setattr(logins.time, "time", lambda: now)
    assert login.is_good(KEY, set()) == is_good
    # With a clock two hours back the token looks good for too long; the vendor's refusal ends that.
    assert not login.is_good(KEY, {"token"})


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="the time of day of a start moves on Linux only")
@pytest.mark.parametrize("shift", [-7200.0, 7200.0])
def test_a_running_process_is_recognised_after_the_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: float
) -> None:
    note = tmp_path / "scheduler.json"
    launch.write_note(note)
    real, started = psutil.boot_time(), psutil.Process.create_time
    # Both are computed from the moment of boot, which is the present time less the time since boot.
    monkeypatch.setattr(psutil, "boot_time", lambda: real + shift)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: started(process) + shift)
    found = launch.noted_process(note)
    assert found is not None
    assert found.pid == os.getpid()


def test_another_process_with_the_same_number_is_not_recognised(tmp_path: Path) -> None:
    note = tmp_path / "scheduler.json"
    launch.write_note(note)
    noted = json.loads(note.read_text())
    for changed in ({"started": noted.get("started", 0) - 60}, {"boot": "another boot"}):
        note.write_text(json.dumps({**noted, **changed}))
        assert launch.noted_process(note) is None
    # A note of release 0.1.0.
    note.write_text(json.dumps({"pid": os.getpid(), "created": psutil.Process().create_time()}))
    assert launch.noted_process(note) is not None
