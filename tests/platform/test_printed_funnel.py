"""What `make demo` and `make files` print of the funnel."""

from datetime import date
from decimal import Decimal

import pytest

from funnel import demo


def test_halves_are_printed_as_postgresql_rounds_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = (Decimal("1000.125"), 1600, 100, 3, 0, None, 8, 3, 2, Decimal("20000.005"))
    monkeypatch.setattr(demo, "_ask", lambda query: [(date(2026, 1, 1), date(2026, 3, 31), *figures)])
    demo.print_funnel()
    printed = {line.split()[0]: " ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines() if line}
    assert printed["spend"] == "1,000.13 USD"
    assert printed["revenue"] == "20,000.01 USD"
    # 6.25 per cent, where the even digit would be 2.
    assert printed["leads"] == "100 6.3% of the stage before"
    assert printed["won"] == "3 37.5% of the stage before"
    assert printed["SALs"] == "0 0.0% of the stage before"
    assert printed["SQLs"] == "-"
