"""The funnel as printed by `make demo` and `make files`."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from installation import demo

FIGURES = (Decimal("1000.125"), 1600, 100, 3, 0, None, 8, 3, 2, Decimal("20000.005"))


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reached: tuple[int, ...], won: tuple[Any, Any]
) -> str:
    answers = {
        "fct_funnel_daily": (date(2026, 1, 1), date(2026, 3, 31), *FIGURES),
        "data_status": ("USD",),
        "fct_leads": reached,
        "rpt_sales_velocity": won,
    }
    monkeypatch.setattr(
        demo, "_ask", lambda query: [next(answer for mart, answer in answers.items() if f"bi.{mart}" in query)]
    )
    demo.print_funnel()
    return "\n".join(" ".join(line.split()) for line in capsys.readouterr().out.splitlines())


def test_halves_are_printed_as_postgresql_rounds_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(monkeypatch, capsys, (160, 10, 4, 3, 2, 1), (3, 8))
    assert "spend 1,000.13 USD" in text
    assert "revenue 20,000.01 USD" in text
    # 6.25 per cent; rounding to the even digit would give 2.
    assert "became MQL 10 6.3%" in text


def test_a_share_is_of_one_population(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(monkeypatch, capsys, (100, 50, 40, 20, 10, 5), (70, 197))
    assert "Funnel, 2026-01-01 to 2026-03-31, activity clock: what happened in this time" in text
    assert "won 3\n" in text, "what happened in a time has no share of what happened before"
    assert "SQLs -\n" in text
    assert "Cohort clock: of the 100 leads, what became of them until now" in text
    assert "became won 5 5.0%" in text
    assert "Win rate: of 197 new-business deals that closed, 70 were won: 35.5%" in text


def test_without_leads_or_closed_deals_no_share_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "%" not in printed(monkeypatch, capsys, (0, 0, 0, 0, 0, 0), (None, None))
