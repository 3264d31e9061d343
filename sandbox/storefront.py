"""The web shop of `company`: its customers, orders, discount codes, billed deals and refunds.

Every order is written twice: as the shop keeps it (a `Record` with its changes) and as it really was (a `Purchase`). A
day's orders have a random generator of their own, so that people and deals do not depend on the shop.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from datetime import date

from sandbox.clock import DAY, HOUR, SECOND, day_start
from sandbox.lapses import delete_order
from sandbox.office import COUNTRIES, WEIGHTS, Office
from sandbox.purchases import Back, Bill, Line, Purchase
from sandbox.records import Record, Table
from sandbox.scenario import Shop

PRODUCTS = (
    ("Starter Kit", "KIT-1", 4_900),
    ("Sensor Pack", "SEN-5", 12_900),
    ("Gateway", "GTW-2", 24_900),
    ("Mounting Set", "MNT-3", 1_990),
    ("Field Guide", "BOK-1", 2_450),
    ("Spare Battery", "BAT-9", 1_575),
    ("Training Seat", "TRN-4", 39_000),
)
CODES = (("WELCOME10", 10), ("LOYAL5", 5), ("SPRING15", 15))
COUNTRY_CODES = {
    "Germany": "DE",
    "France": "FR",
    "United Kingdom": "GB",
    "Spain": "ES",
    "Netherlands": "NL",
    "United States": "US",
    "Canada": "CA",
    "Brazil": "BR",
    "Japan": "JP",
    "Australia": "AU",
    "Singapore": "SG",
}
# The tags of an order's last visit, and their channel.
TAGS = (
    (("newsletter", "email", "monthly-news"), "Email", 12),
    (("google", "cpc", None), "Paid Search", 10),
    (("linkedin", "social", "page-post"), "Organic Social", 4),
    (None, None, 74),
)


def open_shop() -> Shop:
    return Shop("61000000001", "company.myshopify.example", "Company Shop", "EUR", "Europe/Berlin", Table())


def trade(office: Office, day: date) -> None:
    """The orders of one day: some from people in the CRM, some for won deals, most from strangers. Raises LookupError
    if the company has no shop.
    """
    rng = random.Random(f"{office.seed} shop {day}")
    shop = office.scenario.shop
    if shop is None:
        raise LookupError("The company has no shop yet.")
    for bill in office.bills.pop(day, ()):
        _order(office, shop, rng, bill.at, bill=bill)
    amount = rng.randint(5, 9) if day.weekday() >= 5 else rng.randint(12, 22)
    moments = sorted(day_start(day) + 6 * HOUR + rng.randrange(14 * HOUR // SECOND) * SECOND for _ in range(amount))
    for at in moments:
        _order(office, shop, rng, at)


@dataclass(frozen=True)
class Visit:
    """How an order's last visit was tagged, and what that means."""

    tags: tuple[str, str, str | None] | None = None
    channel: str | None = None
    campaign_id: str | None = None


def _order(office: Office, shop: Shop, rng: random.Random, at: int, bill: Bill | None = None) -> None:
    number = office.number("order")
    order_id = str(5_000_000_000 + number)
    person_id, email = _buyer(office, rng, at, number, bill)
    country = rng.choices(COUNTRIES, WEIGHTS)[0][0] if rng.random() < 0.9 else None
    lines = [_bill_line(order_id, bill)] if bill else _lines(rng, order_id)
    codes = [] if bill else rng.choices(([], [CODES[0]], [CODES[0], CODES[1]], [CODES[2]]), (66, 18, 8, 8))[0]
    applied = [(code, percent, _discount(lines, percent)) for code, percent in codes]
    visit = Visit() if bill else _visit(office, rng)
    odd = "" if bill else rng.choices(("", "test", "void", "cancelled"), (93, 2, 2, 3))[0]
    purchase = Purchase(
        order_id,
        at,
        lines,
        person_id,
        str(7_000_000_000 + zlib.crc32(email.encode())),
        # At a till no address is asked for; a customer who has bought online is known nevertheless.
        bill is not None or rng.random() >= 0.05,
        bill.deal_id if bill else None,
        country,
        visit.channel,
        visit.campaign_id,
        is_test=odd == "test",
        is_void=odd == "void",
    )
    written = email.replace("person", "Person") if rng.random() < 0.1 else email
    source = "shopify_draft_order" if bill else rng.choices(("web", "pos", "shopify_draft_order"), (90, 6, 4))[0]
    record = _entered(purchase, number, written, applied, visit, source)
    if odd == "cancelled":
        purchase.cancelled_at = at + rng.randint(2, 40) * HOUR
        record.change(purchase.cancelled_at, cancelled=purchase.cancelled_at, status="VOIDED")
    elif not odd:
        _send_back(rng, purchase, record)
    if bill is None:
        delete_order(office.seed, purchase, record)
    shop.orders.add(record)
    office.scenario.purchases.append(purchase)


def _buyer(office: Office, rng: random.Random, at: int, number: int, bill: Bill | None) -> tuple[str | None, str]:
    """The person, if the CRM knows one, and the address: a deal's customer, a known shopper or a stranger."""
    stranger = f"shopper{rng.randrange(4_000)}@mailbox{number % 5}.example"
    if bill is not None:
        return bill.person_id, bill.email or f"accounts{number}@mailbox1.example"
    known = [one for one in office.shoppers[-400:] if one[0] < at] if rng.random() < 0.4 else []
    if not known:
        return None, stranger
    _, person_id, email = rng.choice(known)
    return person_id, email


def _visit(office: Office, rng: random.Random) -> Visit:
    tags, channel = rng.choices([(tag, name) for tag, name, _ in TAGS], [w for *_, w in TAGS])[0]
    if tags is None or tags[1] != "cpc":
        return Visit(tags, channel)
    source = rng.choice([one for one in office.sources if one.channel == "Paid Search" and one.plan.renamed is None])
    utm_source, utm_medium = source.utm[0][0], source.utm[0][1]
    return Visit((utm_source, utm_medium, source.plan.name), source.channel, source.campaign.id)


def _entered(
    purchase: Purchase,
    number: int,
    email: str,
    codes: list[tuple[str, int, dict[str, int]]],
    visit: Visit,
    source: str,
) -> Record:
    """The order as the shop keeps it."""
    return Record(
        purchase.order_id,
        purchase.at,
        {
            "name": f"#{1_000 + number}",
            "email": email if purchase.has_email else None,
            "customer": purchase.customer,
            "country": COUNTRY_CODES[purchase.country] if purchase.country else None,
            "lines": purchase.lines,
            "codes": codes,
            "utm": visit.tags,
            "source": source,
            "deal": purchase.opportunity_id,
            "test": purchase.is_test,
            "status": "VOIDED" if purchase.is_void else "PAID",
            "cancelled": None,
            "refunds": (),
            # Odd texts that shops write into tags: six letters that look like an escape, and an empty one.
            "tags": ("gift a\\u0000b", "") if number % 11 == 0 else (),
        },
    )


def _bill_line(order_id: str, bill: Bill) -> Line:
    return Line(f"{order_id}1", 99, "Invoice", "INVOICE", 1, bill.amount_cents)


def _lines(rng: random.Random, order_id: str) -> list[Line]:
    chosen = rng.sample(range(len(PRODUCTS)), rng.choice((1, 1, 1, 2, 2, 3, 4)))
    found = []
    for place, product in enumerate(chosen, start=1):
        title, sku, cents = PRODUCTS[product]
        found.append(Line(f"{order_id}{place}", product, title, sku, rng.choice((1, 1, 1, 2, 3)), cents))
    return found


def _discount(lines: list[Line], percent: int) -> dict[str, int]:
    """Cents that one code takes off each line."""
    taken = {}
    for line in lines:
        taken[line.number] = line.gross_cents * percent // 100
        line.discount_cents += taken[line.number]
    return taken


def _send_back(rng: random.Random, purchase: Purchase, record: Record) -> None:
    """One order in nine is refunded days later; some of them twice, some by a goodwill amount without any line."""
    if rng.random() >= 0.11:
        return
    at = purchase.at
    line = rng.choice(purchase.lines)
    for number in range(rng.choice((1, 1, 2))):
        at += rng.randint(3, 20) * DAY
        at = at - at % DAY + rng.randint(7, 18) * HOUR
        if number == 0 and rng.random() < 0.2:
            back = Back(f"{purchase.order_id}9{number}", at, total_cents=500)
        elif line.quantity > number:
            net = line.gross_cents - line.discount_cents
            back = Back(
                f"{purchase.order_id}9{number}", at, ((line.number, 1, net // line.quantity),), net // line.quantity
            )
        else:
            return
        purchase.refunds.append(back)
        record.change(at, refunds=tuple(purchase.refunds), status="PARTIALLY_REFUNDED")
