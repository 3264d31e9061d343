"""Exports of shops and platforms with misleading rows: the proposal of `make new-manifest` counts nothing twice."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from funnel.inbox import new_manifest
from funnel.inbox.errors import ManifestError
from tests.inbox.test_cases import column, one
from tests.inbox.test_wide_tables import loaded

SHOPIFY = """Name,Email,Financial Status,Currency,Subtotal,Shipping,Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku
#1001,a@x.com,paid,USD,120.00,5.00,125.00,10.00,2026-03-01 10:05:00 -0500,2,Shirt,40.00,S1
#1001,,,,,,,,2026-03-01 10:05:00 -0500,1,Hat,50.00,H1
#1002,,refunded,USD,50.00,5.00,55.00,0.00,2026-03-02 09:00:00 -0500,1,Hat,50.00,H1
"""  # noqa: E501
WOO = """Order Number,Order Status,Order Date,Email (Billing),Order Subtotal Amount,Order Shipping Amount,Order Total Amount,SKU,Item #,Item Name,Quantity,Item Cost
201,Completed,2026-03-01 10:22,a@x.com,80,5,85,SKU1,1,Mug,2,25
201,Completed,2026-03-01 10:22,a@x.com,80,5,85,SKU2,2,Pan,1,30
202,Cancelled,2026-03-02 11:00,c@x.com,25,5,30,SKU1,1,Mug,1,25
"""  # noqa: E501
MICROSOFT = """"Report Name: Campaign performance"
"Time Zone: (GMT-05:00) Eastern Time"

"Gregorian date","Account name","Campaign","Campaign ID","Currency code","Impr.","Clicks","Spend"
"3/1/2026","Acme","Brand","551","USD","1,200","60","30.10"
"3/20/2026","Acme","Generic","552","USD","3,400","44","88.00"

"©2026 Microsoft Corporation. All rights reserved. "
"""
STRIPE = """id,Created date (UTC),Amount,Currency,Description,Status,Seller Message,Customer ID,order_id (metadata)
ch_1,2026-03-01 10:05:11,134.60,usd,Order 1001,Paid,Payment complete.,cus_1,1001
ch_3,2026-03-03 10:05:11,20.00,usd,Order 1004,Failed,declined,cus_3,1004
"""
GA4 = """# Free form 1
# 20260301-20260331
Date,Session source / medium,Session campaign,Sessions,Engaged sessions,Key events
20260301,google / cpc,spring,120,60,4
20260302,(direct) / (none),(direct),50,20,0
"""


def proposed(tmp_path: Path, text: str) -> dict[str, list[dict[str, Any]]]:
    (tmp_path / "export.csv").write_text(text)
    new_manifest.make(str(tmp_path), frozenset(), "USD", lambda told: None)
    return loaded(tmp_path)


def test_an_order_without_an_address_does_not_take_that_of_the_order_above(tmp_path: Path) -> None:
    found = proposed(tmp_path, SHOPIFY)
    orders = {row["order_id"]: (row["email"], row["status"]) for row in found["orders"]}
    assert orders == {"#1001": ("a@x.com", "paid"), "#1002": (None, "refunded")}
    assert sum(Decimal(row["amount"]) for row in found["order_lines"]) == 180


def test_what_an_order_repeats_on_each_line_is_not_added_up(tmp_path: Path) -> None:
    found = proposed(tmp_path, WOO)
    assert {(row["order_id"], row["amount"]) for row in found["order_lines"]} == {
        ("201", "50"), ("201", "30"), ("202", "25"),
    }  # fmt: skip
    assert all(row.get("freight_amount") is None for row in found["order_lines"])
    assert all(row.get("unit_cost") is None for row in found.get("products", []))


def test_a_line_below_the_records_fills_nothing_down(tmp_path: Path) -> None:
    rows = proposed(tmp_path, MICROSOFT)["ad_stats"]
    assert {row["platform"] for row in rows} == {"microsoft_ads"}
    assert "fill_down" not in next(tmp_path.glob("*.yml")).read_text()
    assert sum(Decimal(row["spend"]) for row in rows) == Decimal("118.10")


def test_payments_are_not_read_as_deals(tmp_path: Path) -> None:
    assert "opportunities" not in proposed(tmp_path, STRIPE)


def test_sessions_are_not_read_as_leads(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="was recognised"):
        proposed(tmp_path, GA4)


def test_a_value_is_carried_down_within_the_same_key_only(tmp_path: Path) -> None:
    text = "order,mail,day\n1,a@x.com,2026-03-01\n1,,2026-03-01\n2,,2026-03-02\n3,c@x.com,2026-03-03\n3,,2026-03-03\n"
    columns = "columns: {order_id: order, email: mail, ordered_at: day}"
    rows, bad, _ = one(tmp_path, text, f"entity: orders\n{columns}\nfill_down: {{email: order_id}}")
    assert not bad
    assert sorted(column(rows, "order_id", "email")) == [("1", "a@x.com"), ("2", None), ("3", "c@x.com")]
