"""Numbers as the charts draw them.

The formats are those of d3, and d3 rounds with JavaScript's toFixed and toExponential: the binary number that the page
was sent is rounded exactly, halves away from zero. So is it here, by Decimal, whatever Python's own formats do.
"""

from decimal import Decimal
from typing import Any

from tests.rounding import half_up


def fixed(number: Any, digits: int) -> str:
    """`,.2f` and similar formats."""
    return f"{half_up(float(number), digits):,}"


def whole(number: Any) -> str:
    """`,.0f`, and `,d` of whole numbers."""
    return fixed(number, 0)


def share(number: Any) -> str:
    """`,.1%`."""
    return f"{fixed(float(number) * 100, 1)}%"


def short(number: Any) -> str:
    """`$,.3~s`: three digits and a prefix, as tiles show money: $ 89.3k."""
    exact = Decimal(float(number))
    # A value rounded up to the next thousand takes the next prefix.
    rounded = half_up(exact, 2 - exact.adjusted()) if exact else exact
    power = max(rounded.adjusted() // 3, 0)
    shown = rounded.scaleb(-3 * power)
    digits = f"{shown:f}".rstrip("0").rstrip(".") if shown != shown.to_integral_value() else f"{shown:.0f}"
    return f"$ {digits}{['', 'k', 'M', 'G', 'T'][power]}"
