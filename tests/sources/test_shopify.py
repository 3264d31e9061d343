"""What is special about reading Shopify."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from funnel.contract import Window
from funnel.rest import errors
from sandbox import credentials
from tests.sources.test_streams import WEEK, read
from tests.vendors import Reply, Stub


def plain(orders: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Orders without the fields that only concern pages."""
    for order in orders:
        order["lineItems"].pop("pageInfo", None)
        for refund in order["refunds"]:
            refund["refundLineItems"].pop("pageInfo", None)
    return {order["legacyResourceId"]: order for order in orders}


def test_orders_come_the_same_by_pages_and_by_bulk_operations(company: Any, slept: list[float]) -> None:
    company.handle.set(report_polls=4)
    paged = [row for page in read("shopify", "orders", company.connection("shopify"), WEEK) for row in page]
    company.handle.control("DELETE", "requests")
    bulk = [row for page in read("shopify", "orders", company.connection("shopify", bulk_days=1), WEEK) for row in page]
    assert plain(bulk) == plain(paged)
    assert len(bulk) == len(paged) > 80
    assert sum(len(row["refunds"]) for row in bulk) > 5
    assert max(len(row["discountCodes"]) for row in bulk) == 2
    asked = [one["path"] for one in company.handle.requests()]
    assert len([path for path in asked if path.startswith("/shopify-bulk/")]) == 1
    assert slept == sorted(slept)
    assert len(slept) == 3


def test_a_bulk_operation_that_found_nothing_has_no_file(company: Any, slept: list[float]) -> None:
    before_the_shop_opened = Window(date(2025, 1, 1), date(2025, 3, 1))
    assert read("shopify", "orders", company.connection("shopify"), before_the_shop_opened) == []


def test_lines_that_do_not_fit_into_an_orders_first_page_are_read(company: Any) -> None:
    whole = [row for page in read("shopify", "orders", company.connection("shopify"), WEEK) for row in page]
    assert max(len(row["lineItems"]["nodes"]) for row in whole) == 4
    cut = company.connection("shopify", page_size=1)
    day = Window(date(2026, 11, 12), date(2026, 11, 13))
    found = plain([row for page in read("shopify", "orders", cut, day) for row in page])
    assert found == {order_id: order for order_id, order in plain(whole).items() if order_id in found}
    assert max(len(order["lineItems"]["nodes"]) for order in found.values()) > 2
    by_bulk = company.connection("shopify", bulk_days=0)
    assert plain([row for page in read("shopify", "orders", by_bulk, day) for row in page]) == found


def test_old_orders_that_the_app_may_not_see_are_refused(vendor: Stub) -> None:
    """Shopify would leave them out silently."""
    scopes = [{"handle": "read_orders"}]
    vendor.answer = lambda asked: Reply({"data": {"currentAppInstallation": {"accessScopes": scopes}}})
    connection = replace(vendor.connection(), login=None)
    with pytest.raises(errors.Refused, match="last 60 days only") as refused:
        read("shopify", "orders", connection, Window(date(2026, 1, 1), date(2026, 1, 5)))
    assert "read_all_orders" in str(refused.value)


def test_every_way_into_shopify_opens_it(company: Any) -> None:
    expected = read("shopify", "shops", company.connection("shopify"), WEEK)
    old_app = replace(company.connection("shopify"), login=None, password=credentials.SHOPIFY_TOKEN)
    assert [row["name"] for page in read("shopify", "shops", old_app, WEEK) for row in page] == ["Company Shop"]
    assert read("shopify", "shops", old_app, WEEK) == expected
    with pytest.raises(errors.DeadToken):
        read("shopify", "shops", replace(old_app, password="shpat_of_somebody_else"), WEEK)
