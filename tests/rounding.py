"""Rounds as PostgreSQL rounds `numeric`: halves away from zero; Python's round() goes to the even digit."""

from decimal import ROUND_HALF_UP, Context, Decimal

# A quotient of two amounts, before it is rounded: more digits than PostgreSQL computes.
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


def half_up(number: Decimal | float, digits: int) -> Decimal:
    return Decimal(number).quantize(Decimal(1).scaleb(-digits), context=EXACT)
