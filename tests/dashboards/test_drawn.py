"""The numbers that tests expect of charts are those of d3: each of these came from d3-format itself."""

from decimal import Decimal

import pytest

from tests.dashboards.drawn import fixed, share, short, whole


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (whole(Decimal("160.5")), "161"),
        (whole(Decimal("161.5")), "162"),
        (whole(Decimal("1234.49999")), "1,234"),
        (whole(0), "0"),
        (fixed(Decimal("0.125"), 2), "0.13"),
        # As a binary number it is below the half.
        (fixed(Decimal("1.005"), 2), "1.00"),
        (share(Decimal("0.0625")), "6.3%"),
        (share(Decimal("0.1875")), "18.8%"),
        (share(1), "100.0%"),
        (short(0), "$ 0"),
        (short(Decimal("4.5")), "$ 4.5"),
        (short(Decimal("100")), "$ 100"),
        (short(Decimal("89350")), "$ 89.4k"),
        (short(Decimal("89250")), "$ 89.3k"),
        (short(Decimal("12500")), "$ 12.5k"),
        (short(Decimal("120000")), "$ 120k"),
        (short(Decimal("999499.99")), "$ 999k"),
        (short(Decimal("999500")), "$ 1M"),
        (short(Decimal("1235000")), "$ 1.24M"),
        (short(Decimal("-89250")), "$ -89.3k"),
    ],
)
def test_halves_are_drawn_as_d3_draws_them(drawn: str, expected: str) -> None:
    assert drawn == expected
