"""Rounding as PostgreSQL rounds `numeric`: halves go away from zero, where Python's round() takes the even digit."""

from decimal import ROUND_HALF_UP, Context, Decimal

# A quotient of two amounts, before it is rounded: more digits than PostgreSQL computes.
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


def half_up(number: Decimal | float, digits: int) -> Decimal:
    return Decimal(number).quantize(Decimal(1).scaleb(-digits), context=EXACT)
