"""Faults on demand: errors that vendors were seen to send, and ways in which good answers go wrong.

A fault applies to requests of one vendor, optionally of one stream or path, after a number of good ones and for a
number of times. Errors replace the answer; other faults change it. The effect of a fault is decided here; the form of
pages is in the vendor's module.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
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

__all__ = ["TOKEN_PATHS", "Asked", "Fault", "Faults", "known_faults"]

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
# These change a body whatever its rows are.
BODY_FAULTS = frozenset({"bulk_file_cut_short", "truncated_body", "quota_running_out"})


@dataclass(frozen=True)
class Asked:
    """A request of one vendor; `route` finds the vendor's own answer."""

    world: World
    vendor: ModuleType
    stream: str | None
    call: Call
    route: Route

    def answer(self) -> Answer:
        return self.route(self.world, self.call)


class Faults:
    """The active faults, in the order in which they were set; at most one applies to a request."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.last_rows: dict[tuple[str, str | None], Any] = {}

    def strike(self, asked: Asked) -> Fault | None:
        """The fault that applies to this request, if any; counts it."""
        for fault in self.active:
            if not fault.fits(asked.vendor, asked.stream, asked.call):
                continue
            fault.seen += 1
            if fault.seen <= fault.after or (fault.times is not None and fault.struck >= fault.times):
                continue
            fault.struck += 1
            return fault
        return None

    def answer(self, asked: Asked, fault: Fault | None) -> Answer:
        """The vendor's answer, changed or replaced by the fault."""
        if fault is not None and fault.name in ERRORS[fault.vendor]:
            return ERRORS[fault.vendor][fault.name](asked.call, fault.parameters)
        answer = asked.answer() if fault is None else self._go_wrong(asked, fault)
        self._remember(asked, answer)
        return answer

    def _remember(self, asked: Asked, answer: Answer) -> None:
        rows = asked.vendor.rows_of(answer.payload) if answer.status == 200 else None
        if rows:
            self.last_rows[asked.vendor.VENDOR, asked.stream] = rows[-1]

    def _go_wrong(self, asked: Asked, fault: Fault) -> Answer:
        replaced = _replace(asked, fault)
        if replaced is not None:
            return replaced
        answer = asked.answer()
        if answer.status not in (200, 207) or fault.name == "slow":
            return answer
        if fault.name == "dead_address":
            return microsoft_ads.dead_address()
        _spoil_body(answer, fault)
        rows = None if fault.name in BODY_FAULTS else asked.vendor.rows_of(answer.payload)
        if rows is not None:
            self._spoil_rows(asked, fault, answer, rows)
        return answer

    def _spoil_rows(self, asked: Asked, fault: Fault, answer: Answer, rows: list[Any]) -> None:
        if fault.name == "empty_middle_page":
            answer.payload = asked.vendor.hollow(asked.call, answer.payload)
        elif fault.name == "record_on_two_pages":
            self._repeat(asked, answer, rows)
        elif fault.name == "vanished_rows":
            remove(rows, fault.parameters)
        elif fault.name == "merged_records":
            merge(rows, fault)
        elif fault.name == "late_association":
            # An association not made yet: a record without any is missing from the answer.
            rows.clear()
        elif fault.name == "home_currency_unstated":
            portal.forget_home_currency(asked.world, rows)
        elif fault.name == "element_cap":
            del rows[int(fault.parameters.get("elements", 10)) :]
        else:
            retouch(rows, fault)

    def _repeat(self, asked: Asked, answer: Answer, rows: list[Any]) -> None:
        """The last record of the page before comes first again; a stream gets a second batch that repeats one."""
        if isinstance(answer.payload, list):
            if rows:
                again = {**answer.payload[0], "results": [copy.deepcopy(rows[-1])]}
                again.pop("queryResourceConsumption", None)
                answer.payload.insert(1, again)
            return
        previous = self.last_rows.get((asked.vendor.VENDOR, asked.stream))
        if previous is not None:
            rows.insert(0, copy.deepcopy(previous))


def _replace(asked: Asked, fault: Fault) -> Answer | None:
    """What is answered instead of the rows; None where the vendor's own answer is spoilt."""
    if fault.name == "rotating_refresh_token":
        return rotate(asked.world, fault.vendor, asked.call, lambda world, call, _: asked.route(world, call))
    if fault.name == "token_expiry_mid_pagination":
        return _expire(asked, fault)
    status = fault.parameters.get("status")
    if fault.name == "html_instead_of_json":
        return Answer(status=int(status or 200), text=HTML, content_type="text/html; charset=utf-8")
    if fault.name in ("error_in_200", "server_error"):
        answer = IN_200[fault.vendor](asked.call, fault.parameters)
        answer.status = 200 if fault.name == "error_in_200" else int(status or 500)
        return answer
    return None


def _expire(asked: Asked, fault: Fault) -> Answer:
    """The request's token ends now; a request without one is refused where the vendor has words for it."""
    token = asked.world.tokens.get(asked.call.bearer or asked.call.headers.get("x-shopify-access-token", ""))
    if token is None and fault.vendor in EXPIRED:
        return EXPIRED[fault.vendor](asked.call, fault.parameters)
    if token is not None:
        token.revoked = True
    return asked.answer()


def _spoil_body(answer: Answer, fault: Fault) -> None:
    name, parameters = fault.name, fault.parameters
    if name == "bulk_file_cut_short":
        # Cut between two lines: only the count of objects shows it.
        lines = answer.body().decode().splitlines(keepends=True)
        answer.text = "".join(lines[: len(lines) * 2 // 3])
    elif name == "truncated_body":
        whole = answer.body()
        answer.text = whole[: max(1, int(len(whole) * float(parameters.get("share", 0.6))))]
    elif name == "quota_running_out":
        answer.payload["propertyQuota"] = {
            "concurrentRequests": {"consumed": 2, "remaining": 8},
            "tokensPerProjectPerHour": {"consumed": 5, "remaining": int(parameters.get("remaining", 172))},
        }
    elif name in ("report_failed", "no_data") and "ReportRequestStatus" in answer.payload:
        status = "Error" if name == "report_failed" else "Success"
        answer.payload = {"ReportRequestStatus": {"ReportDownloadUrl": None, "Status": status}}
