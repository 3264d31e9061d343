"""Faults of single rows."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sandbox import meta_ads, microsoft_ads
from sandbox.exchange import Call
from sandbox.faults.ad_errors import Parameters
from sandbox.faults.catalogue import (
    BULK_ERRORS,
    BULK_PATH,
    BULK_STEPS,
    ERRORS,
    FILE_FAULTS,
    LASTING,
    LATER_PAGES_ONLY,
    MISSING_FIELD,
    NEW_FIELD,
    ODD_FIELD,
    ODD_VALUES,
    RETYPED_FIELD,
    TOKEN_ERRORS,
    TOKEN_PATHS,
    known_faults,
)


@dataclass
class Fault:
    """One active fault, and how often it was applied."""

    vendor: str
    name: str
    times: int | None = 1
    after: int = 0
    stream: str | None = None
    path: str | None = None
    parameters: Parameters = field(default_factory=dict)
    seen: int = 0
    struck: int = 0

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Fault:
        rest = dict(body)
        vendor, name = rest.pop("vendor"), rest.pop("fault")
        if vendor not in ERRORS:
            raise ValueError(f"there is no vendor {vendor!r}; there are {', '.join(ERRORS)}")
        if name not in known_faults()[vendor]:
            raise ValueError(f"{vendor} has no fault {name!r}; it has {', '.join(known_faults()[vendor])}")
        default = None if name in LASTING else 1
        times = rest.pop("times", default)
        return cls(
            vendor, name, times, int(rest.pop("after", 0)), rest.pop("stream", None), rest.pop("path", None), rest
        )

    def describe(self) -> dict[str, Any]:
        return {
            "vendor": self.vendor,
            "fault": self.name,
            "times": self.times,
            "after": self.after,
            "stream": self.stream,
            "path": self.path,
            "parameters": self.parameters,
            "struck": self.struck,
        }

    @property
    def delay(self) -> float:
        return float(self.parameters.get("seconds", 1.0)) if self.name == "slow" else 0.0

    @property
    def promised_more(self) -> bool:
        return self.name == "truncated_body" and self.parameters.get("mode") == "connection"

    def fits(self, vendor: ModuleType, stream: str | None, call: Call) -> bool:
        if self.vendor != vendor.VENDOR:
            return False
        asks_token = TOKEN_PATHS.search(call.path) is not None
        if asks_token != (self.name in TOKEN_ERRORS):
            return False
        if self.name in BULK_ERRORS and BULK_PATH not in call.path:
            return False
        if self.name in BULK_STEPS:
            step = re.search(BULK_STEPS[self.name], call.path) or re.search(BULK_STEPS[self.name].encode(), call.body)
            return step is not None
        if self.stream is not None and stream != self.stream:
            return False
        if self.path is not None and not re.search(self.path, f"{call.path}?{call.query_string}"):
            return False
        if self.name == "too_much_data":
            asked = stream == "insights" and not meta_ads.is_later_page(call) and "time_range" in _everything(call)
            return asked and meta_ads.asked_days(call) > int(self.parameters.get("max_days", 7))
        if self.name in FILE_FAULTS and vendor is microsoft_ads:
            return "/ReportDownload/" in call.path
        if self.name in ("report_failed", "no_data"):
            return call.path.endswith("/Poll")
        if self.name in LATER_PAGES_ONLY:
            return _is_later_page(vendor, call) or call.path.endswith(":searchStream")
        return True


def _everything(call: Call) -> dict[str, str]:
    return {**call.query, **call.form}


def _is_later_page(vendor: ModuleType, call: Call) -> bool:
    try:
        later: bool = vendor.is_later_page(call)
    except ValueError:
        return False
    return later


def remove(rows: list[Any], parameters: Parameters) -> None:
    wanted = parameters.get("match")
    if wanted:
        rows[:] = [row for row in rows if not all(str(_get(row, path)) == str(value) for path, value in wanted.items())]
    else:
        del rows[: int(parameters.get("count", 1))]


def merge(rows: list[Any], fault: Fault) -> None:
    """Merge the first records of the page into its last one: HubSpot's disappear, Salesforce's name the survivor."""
    losers = rows[: min(int(fault.parameters.get("count", 2)), len(rows) - 1)]
    if fault.vendor == "salesforce":
        for loser in losers:
            loser.update(IsDeleted=True, MasterRecordId=rows[-1]["Id"])
    elif losers:
        rows[-1]["properties"]["hs_merged_object_ids"] = ";".join(loser["id"] for loser in losers)
        del rows[: len(losers)]


def retouch(rows: list[Any], fault: Fault) -> None:
    """Add, remove or retype fields, in all rows or the first few."""
    count = fault.parameters.get("rows")
    chosen = rows if count is None else rows[: int(count)]
    if fault.name == "new_field":
        path = fault.parameters.get("field", NEW_FIELD[fault.vendor])
        value = fault.parameters.get("value", "surprise")
        for row in chosen:
            _put(row, path, value)
    elif fault.name == "missing_field":
        path = fault.parameters.get("field", MISSING_FIELD[fault.vendor])
        for row in chosen:
            *parents, leaf = path.split(".")
            place = _get(row, ".".join(parents)) if parents else row
            if isinstance(place, dict):
                place.pop(leaf, None)
    elif fault.name == "odd_value":
        path = fault.parameters.get("field", ODD_FIELD[fault.vendor])
        for row in chosen:
            _put(row, path, ODD_VALUES[fault.parameters.get("kind", "half_emoji")])
    elif fault.name == "retyped_field":
        default_path, default_value = RETYPED_FIELD[fault.vendor]
        path = fault.parameters.get("field", default_path)
        for row in chosen:
            if _get(row, path) is not None:
                _put(row, path, fault.parameters.get("value", default_value))


def _get(row: Any, path: str) -> Any:
    """The value at a dotted path; a number is a place in a list."""
    for part in path.split("."):
        if isinstance(row, list) and part.isdigit() and int(part) < len(row):
            row = row[int(part)]
        elif isinstance(row, dict):
            row = row.get(part)
        else:
            return None
    return row


def _put(row: Any, path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for part in parents:
        row = row[int(part)] if isinstance(row, list) else row.setdefault(part, {})
    row[leaf] = copy.deepcopy(value)
