"""Retailers' sales of `company`'s products: the weekly reports that they send as files, without buyers.

No vendor serves these. `write` puts the report and its manifest into a folder; the truth reads the same sales from
here, before they are written. One retailer's week begins on Monday, the other's on Sunday, as usual in the trade.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

SOURCE = "retail_partners"
MANIFEST = """source: retail_partners
timezone: UTC
currency: USD
streams:
  - entity: sell_through
    path: sell_through.csv
    date_format: "%Y-%m-%d"
"""
WEEKS = 10
# Retailer, region, stores, weekday on which the week begins (0 is Monday).
RETAILERS = (("Nordmarkt", "EMEA", 3, 0), ("Bay Stores", "Americas", 2, 6))
# Product and price in cents: multiples of seven, so that a day's share of a week is whole.
PRODUCTS = (("SEN-5", 4_900), ("BAT-9", 1_400), ("MNT-3", 2_100))


@dataclass(frozen=True)
class Sale:
    """One week of one product in one store."""

    week_start: date
    retailer: str
    store_id: str
    region: str
    product_id: str
    units_sold: int
    sales_cents: int
    units_on_hand: int


def sales(anchor: date) -> list[Sale]:
    """The complete weeks before the anchor; every store sells a little more than the previous one."""
    found = []
    for retailer, region, stores, weekday in RETAILERS:
        newest = anchor - timedelta(days=7)
        newest -= timedelta(days=(newest.weekday() - weekday) % 7)
        for number in range(WEEKS):
            week_start = newest - timedelta(days=7 * number)
            for store in range(1, stores + 1):
                for place, (product, cents) in enumerate(PRODUCTS):
                    units = 3 + store + (number * 5 + place * 3 + week_start.day) % 7
                    found.append(
                        Sale(week_start, retailer, f"{retailer[:1]}{store}", region, product, units, units * cents, 40)
                    )
    return found


def write(folder: Path, anchor: date) -> None:
    """The inbox of the retailers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "retail_partners.yml").write_text(MANIFEST)
    with open(folder / "sell_through.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            (
                "week_start",
                "retailer",
                "store_id",
                "region",
                "product_id",
                "units_sold",
                "sales_amount",
                "units_on_hand",
            )
        )
        for sale in sales(anchor):
            writer.writerow(
                (
                    sale.week_start,
                    sale.retailer,
                    sale.store_id,
                    sale.region,
                    sale.product_id,
                    sale.units_sold,
                    f"{sale.sales_cents // 100}.{sale.sales_cents % 100:02d}",
                    sale.units_on_hand,
                )
            )
