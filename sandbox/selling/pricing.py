"""Products, prices and the lines of a deal."""

from __future__ import annotations

import random

from sandbox.lapses import replace_line
from sandbox.office import Office, later
from sandbox.records import Record

DISCOUNTS = (0, 0, 0, 5, 10, 10, 15, 20, 25, 30)
# Code, name, group and weight of each product.
PRODUCTS = (
    ("SEAT-100", "Seats", "Licences", 5),
    ("API-10", "Interface calls", "Licences", 2),
    ("TRAIN-1", "Training", "Services", 2),
    ("SETUP-1", "Set-up", "Services", 1),
)
CURRENCY_SCALE = {"BRL": 5, "EUR": 1, "GBP": 1, "USD": 1}


def itemise(office: Office, deal: Record, currency: str) -> None:
    """The lines of three deals in four, which add up to the deal's amount; the list price is the first quotation."""
    chance = random.Random(f"items {office.seed} {deal.id}")
    if chance.random() < 0.25:
        return
    places = _choose_products(chance)
    for number, place in enumerate(places):
        units, part = chance.randint(1, 20), _split(places, deal.fields["Amount"])[number]
        line = Record(
            office.salesforce_id("OpportunityLineItem"),
            deal.created,
            {
                "OpportunityId": deal.id,
                "Product2Id": office.products[place].id,
                "ProductCode": PRODUCTS[place][0],
                "Quantity": units,
                "ListPrice": part / units,
                "UnitPrice": part / units,
                "TotalPrice": part,
                "CurrencyIsoCode": currency,
            },
        )
        known = deal.fields["Amount"]
        for at, changed in deal.changes:
            if changed.get("Amount", known) != known:
                known = changed["Amount"]
                total = _split(places, known)[number]
                line.change(at, UnitPrice=total / units, TotalPrice=total)
        line.removed = deal.removed
        office.scenario.salesforce["OpportunityLineItem"].add(line)
    if deal.removed is None and chance.random() < 0.1:
        office.scenario.salesforce["OpportunityLineItem"].add(replace_line(office, chance, line))


def _split(places: list[int], amount: int) -> list[int]:
    """An amount divided among lines of these products, to the last unit."""
    weights = [PRODUCTS[place][3] for place in places]
    parts = [amount * weight // sum(weights) for weight in weights]
    parts[0] += amount - sum(parts)
    return parts


def _choose_products(chance: random.Random) -> list[int]:
    return chance.sample(range(len(PRODUCTS)), chance.choice((1, 2, 2, 3)))


def itemise_in_hubspot(office: Office, deal_id: str, created: int, amount: int, currency: str) -> None:
    """Line items of nine deals in ten; one in six has a line that was removed the day after."""
    chance = random.Random(f"items {office.seed} {deal_id}")
    if chance.random() < 0.1:
        return

    def add(place: int, units: int, part: int) -> Record:
        code, name, *_ = PRODUCTS[place]
        discount = chance.choice((0, 0, 10, 20))
        return office.scenario.hubspot["line_items"].add(
            Record(
                str(6_000_000 + office.number("line item")),
                created,
                {
                    "hs_product_id": str(900 + place),
                    "hs_sku": code,
                    "name": name,
                    "quantity": str(units),
                    "price": f"{part / units / (1 - discount / 100):.6f}",
                    "hs_discount_percentage": str(discount) if discount else None,
                    "amount": str(part),
                    "hs_line_item_currency_code": currency,
                    "_deal": deal_id,
                },
            )
        )

    places = _choose_products(chance)
    for place, part in zip(places, _split(places, amount), strict=True):
        add(place, chance.randint(1, 20), part)
    if chance.random() < 0.17:
        add(3, 1, amount // 10).removed = later(chance, created, 20, 28)
