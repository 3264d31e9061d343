"""Orders of the web shop as they really were, and what is billed through it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bill:
    """A won deal that is billed through the shop."""

    at: int
    deal_id: str
    amount_cents: int
    email: str | None
    person_id: str | None


@dataclass(slots=True)
class Line:
    number: str
    product: int
    title: str
    sku: str
    quantity: int
    unit_cents: int
    discount_cents: int = 0

    @property
    def gross_cents(self) -> int:
        return self.quantity * self.unit_cents


@dataclass(slots=True)
class Back:
    """A refund: so many cents of each line, or of the order as a whole."""

    number: str
    at: int
    by_line: tuple[tuple[str, int, int], ...] = ()
    total_cents: int = 0


@dataclass(slots=True)
class Purchase:
    """One order as it really was. What is refunded is known from the moment of the refund."""

    order_id: str
    at: int
    lines: list[Line]
    person_id: str | None
    customer: str
    has_email: bool
    opportunity_id: str | None
    country: str | None
    channel: str | None
    campaign_id: str | None
    is_test: bool = False
    is_void: bool = False
    cancelled_at: int | None = None
    removed_at: int | None = None
    refunds: list[Back] = field(default_factory=list)

    def counts(self, known: int) -> bool:
        """True unless it is a test, void, or cancelled as far as is known."""
        return not (self.is_test or self.is_void or (self.cancelled_at is not None and self.cancelled_at <= known))
