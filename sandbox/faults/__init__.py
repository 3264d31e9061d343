"""Misbehaviour on demand: the errors vendors were seen to send, and the ways in which good answers go wrong.

A fault strikes requests of one vendor, optionally of one stream or path, after a number of good ones and for a number
of times. Errors replace the answer; other faults spoil it. What a fault does is decided here; how pages look is asked
of the vendor's module.
"""

from __future__ import annotations

import copy
from types import ModuleType
from typing import Any

from sandbox import microsoft_ads
from sandbox.exchange import Answer, Call, World
from sandbox.faults.ad_errors import LINKEDIN_ERRORS, META_ERRORS, MICROSOFT_ERRORS, Route, google_internal
from sandbox.faults.business_errors import (
    EXCHANGE_RATES_ERRORS,
    GA4_ERRORS,
    HUBSPOT_ERRORS,
    SALESFORCE_ERRORS,
    SHOPIFY_ERRORS,
)
from sandbox.faults.catalogue import ERRORS, EXPIRED, HTML, TOKEN_PATHS, known_faults
from sandbox.faults.rows import Fault, merge, remove, retouch
from sandbox.hubspot import portal
from sandbox.rotation import rotate

__all__ = ["TOKEN_PATHS", "Fault", "Faults", "known_faults"]

IN_200 = {
    "google_ads": google_internal,
    "meta_ads": META_ERRORS["unknown_500"],
    "linkedin_ads": LINKEDIN_ERRORS["internal_error"],
    "microsoft_ads": MICROSOFT_ERRORS["internal_error"],
    "hubspot": HUBSPOT_ERRORS["internal_error"],
    "salesforce": SALESFORCE_ERRORS["server_unavailable"],
    "ga4": GA4_ERRORS["internal_error"],
    "shopify": SHOPIFY_ERRORS["internal_error"],
    "exchange_rates": EXCHANGE_RATES_ERRORS["service_unavailable"],
}


class Faults:
    """The orders in force, in the order they were given; at most one strikes a request."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.last_rows: dict[tuple[str, str | None], Any] = {}

    def strike(self, vendor: ModuleType, stream: str | None, call: Call) -> Fault | None:
        """The fault this request meets, if any; counts it."""
        for fault in self.active:
            if not fault.fits(vendor, stream, call):
                continue
            fault.seen += 1
            if fault.seen <= fault.after or (fault.times is not None and fault.struck >= fault.times):
                continue
            fault.struck += 1
            return fault
        return None

    def answer(
        self, world: World, vendor: ModuleType, stream: str | None, call: Call, fault: Fault | None, route: Route
    ) -> Answer:
        """The vendor's answer, spoilt or replaced as the fault says."""
        if fault is None:
            answer = route(world, call)
            self._remember(vendor, stream, answer)
            return answer
        if fault.name in ERRORS[fault.vendor]:
            return ERRORS[fault.vendor][fault.name](call, fault.parameters)
        answer = self._spoil(world, vendor, stream, call, fault, route)
        self._remember(vendor, stream, answer)
        return answer

    def _remember(self, vendor: ModuleType, stream: str | None, answer: Answer) -> None:
        rows = vendor.rows_of(answer.payload) if answer.status == 200 else None
        if rows:
            self.last_rows[vendor.VENDOR, stream] = rows[-1]

    def _spoil(
        self, world: World, vendor: ModuleType, stream: str | None, call: Call, fault: Fault, route: Route
    ) -> Answer:
        name, parameters = fault.name, fault.parameters
        if name == "rotating_refresh_token":
            return rotate(world, fault.vendor, call, lambda world, call, _: route(world, call))
        if name == "token_expiry_mid_pagination":
            token = world.tokens.get(call.bearer or call.headers.get("x-shopify-access-token", ""))
            if token is None:
                return EXPIRED[fault.vendor](call, parameters) if fault.vendor in EXPIRED else route(world, call)
            token.revoked = True
            return route(world, call)
        if name == "html_instead_of_json":
            return Answer(status=int(parameters.get("status", 200)), text=HTML, content_type="text/html; charset=utf-8")
        if name == "error_in_200":
            answer = IN_200[fault.vendor](call, parameters)
            answer.status = 200
            return answer
        if name == "server_error":
            answer = IN_200[fault.vendor](call, parameters)
            answer.status = int(parameters.get("status", 500))
            return answer
        answer = route(world, call)
        if answer.status not in (200, 207) or name == "slow":
            return answer
        if name == "bulk_file_cut_short":
            # Ends between two lines: nothing but the count of objects tells.
            lines = answer.body().decode().splitlines(keepends=True)
            answer.text = "".join(lines[: len(lines) * 2 // 3])
            return answer
        if name == "truncated_body":
            whole = answer.body()
            answer.text = whole[: max(1, int(len(whole) * float(parameters.get("share", 0.6))))]
            return answer
        if name == "quota_running_out":
            answer.payload["propertyQuota"] = {
                "concurrentRequests": {"consumed": 2, "remaining": 8},
                "tokensPerProjectPerHour": {"consumed": 5, "remaining": int(parameters.get("remaining", 172))},
            }
            return answer
        if name in ("report_failed", "no_data") and "ReportRequestStatus" in answer.payload:
            status = "Error" if name == "report_failed" else "Success"
            answer.payload = {"ReportRequestStatus": {"ReportDownloadUrl": None, "Status": status}}
        if name == "dead_address":
            return microsoft_ads.dead_address()
        rows = vendor.rows_of(answer.payload)
        if rows is None:
            return answer
        if name == "empty_middle_page":
            answer.payload = vendor.hollow(call, answer.payload)
        elif name == "record_on_two_pages":
            self._repeat(vendor, stream, answer, rows)
        elif name == "vanished_rows":
            remove(rows, parameters)
        elif name == "merged_records":
            merge(rows, fault)
        elif name == "late_association":
            # Not made yet: a record without any is missing from the answer.
            rows.clear()
        elif name == "home_currency_unstated":
            portal.forget_home_currency(world, rows)
        elif name == "element_cap":
            del rows[int(parameters.get("elements", 10)) :]
        else:
            retouch(rows, fault)
        return answer

    def _repeat(self, vendor: ModuleType, stream: str | None, answer: Answer, rows: list[Any]) -> None:
        """The last record of the page before comes first again; a stream gets a second batch that repeats one."""
        if isinstance(answer.payload, list):
            if rows:
                again = {**answer.payload[0], "results": [copy.deepcopy(rows[-1])]}
                again.pop("queryResourceConsumption", None)
                answer.payload.insert(1, again)
            return
        previous = self.last_rows.get((vendor.VENDOR, stream))
        if previous is not None:
            rows.insert(0, copy.deepcopy(previous))
