"""A subset of GAQL: the selectable fields, and the parsed query."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sandbox.ad_accounts import AdAccount, Campaign, Figures
from sandbox.exchange import Refusal
from sandbox.google_ads.access import invalid


@dataclass(frozen=True)
class Row:
    """One row that a query selects from: a customer, with a campaign and a day with figures if the query needs them."""

    account: AdAccount
    now: int
    campaign: Campaign | None = None
    day: date | None = None
    figures: Figures | None = None
    action: dict[str, Any] | None = None


def _figure(read: Callable[[Figures], Any]) -> Callable[[Row], Any]:
    return lambda row: read(row.figures) if row.figures else None


CUSTOMER_FIELDS: dict[str, Callable[[Row], Any]] = {
    "customer.resource_name": lambda row: f"customers/{row.account.id}",
    "customer.id": lambda row: row.account.id,
    "customer.descriptive_name": lambda row: row.account.name,
    "customer.currency_code": lambda row: row.account.currency,
    "customer.time_zone": lambda row: row.account.time_zone,
    "customer.manager": lambda row: False,
    "customer.status": lambda row: "ENABLED",
}
CAMPAIGN_FIELDS: dict[str, Callable[[Row], Any]] = {
    "campaign.resource_name": lambda row: f"customers/{row.account.id}/campaigns/{row.campaign.id}",  # type: ignore[union-attr]
    "campaign.id": lambda row: row.campaign.id,  # type: ignore[union-attr]
    "campaign.name": lambda row: row.campaign.name_at(row.now),  # type: ignore[union-attr]
    "campaign.status": lambda row: row.campaign.status_at(row.now),  # type: ignore[union-attr]
    "campaign.advertising_channel_type": lambda row: row.campaign.kind,  # type: ignore[union-attr]
}
SEGMENT_FIELDS: dict[str, Callable[[Row], Any]] = {
    "segments.date": lambda row: row.day.isoformat() if row.day else None,
}
METRIC_FIELDS: dict[str, Callable[[Row], Any]] = {
    "metrics.cost_micros": _figure(lambda figures: str(figures.spend_cents * 10_000)),
    "metrics.impressions": _figure(lambda figures: str(figures.impressions)),
    "metrics.clicks": _figure(lambda figures: str(figures.clicks)),
    "metrics.conversions": _figure(lambda figures: float(figures.conversions)),
    "metrics.conversions_value": _figure(lambda figures: float(figures.conversions_value)),
    "metrics.all_conversions": _figure(lambda figures: float(figures.conversions)),
    "metrics.all_conversions_value": _figure(lambda figures: float(figures.conversions_value)),
    "metrics.ctr": _figure(lambda figures: figures.clicks / figures.impressions if figures.impressions else 0.0),
}
ACTION_FIELDS: dict[str, Callable[[Row], Any]] = {
    "conversion_action.resource_name": lambda row: f"customers/{row.account.id}/conversionActions/{row.action['id']}",  # type: ignore[index]
    "conversion_action.id": lambda row: row.action["id"],  # type: ignore[index]
    "conversion_action.name": lambda row: row.action["name"],  # type: ignore[index]
    "conversion_action.type": lambda row: row.action["type"],  # type: ignore[index]
    "conversion_action.status": lambda row: row.action["status"],  # type: ignore[index]
    "conversion_action.click_through_lookback_window_days": lambda row: str(row.action["click"]),  # type: ignore[index]
    "conversion_action.view_through_lookback_window_days": lambda row: str(row.action["view"]),  # type: ignore[index]
}
RESOURCES = {
    "customer": CUSTOMER_FIELDS | SEGMENT_FIELDS | METRIC_FIELDS,
    "campaign": CUSTOMER_FIELDS | CAMPAIGN_FIELDS | SEGMENT_FIELDS | METRIC_FIELDS,
    "conversion_action": CUSTOMER_FIELDS | ACTION_FIELDS,
}
EVERY_FIELD = CUSTOMER_FIELDS | CAMPAIGN_FIELDS | SEGMENT_FIELDS | METRIC_FIELDS | ACTION_FIELDS
NUMERIC_FIELDS = {"campaign.id", "customer.id", "conversion_action.id", *METRIC_FIELDS}
QUERY = re.compile(
    r"^\s*SELECT\s+(?P<select>.+?)\s+FROM\s+(?P<resource>\w+)"
    r"(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER\s+BY\s+(?P<order>.+?))?"
    r"(?:\s+LIMIT\s+(?P<limit>\S+))?(?:\s+PARAMETERS\s+(?P<parameters>.+?))?\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
CONDITION = re.compile(
    r"(?P<field>[a-z_.]+)\s*(?:"
    r"(?P<between>BETWEEN)\s+(?P<low>'[^']*'|\"[^\"]*\"|\S+)\s+AND\s+(?P<high>'[^']*'|\"[^\"]*\"|\S+)"
    r"|DURING\s+(?P<during>\w+)"
    r"|(?P<member>NOT\s+IN|IN)\s*\((?P<members>[^)]*)\)"
    r"|(?P<operator>!=|>=|<=|=|>|<)\s*(?P<value>'[^']*'|\"[^\"]*\"|\S+)"
    r")",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Query:
    fields: tuple[str, ...]
    resource: str
    conditions: tuple[Callable[[Row], bool], ...]
    from_day: date | None
    to_day: date | None
    order: tuple[tuple[str, bool], ...]
    limit: int | None

    @property
    def wants_days(self) -> bool:
        return "segments.date" in self.fields

    @property
    def wants_metrics(self) -> bool:
        return any(name in METRIC_FIELDS for name in self.fields)

    @property
    def field_mask(self) -> str:
        return ",".join(camel(name) for name in self.fields)


def camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _unquote(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] in "'\"" and text[-1] == text[0] else text


def _day(text: str) -> date:
    """A date as GAQL takes it: quoted, with dashes or without."""
    inner = _unquote(text)
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}|\d{8}", inner):
            return date.fromisoformat(inner)
    except ValueError:
        pass
    raise invalid("queryError", "INVALID_DATE_FORMAT", f"Invalid date format '{inner}'. Expected 'YYYY-MM-DD'.")


def _during(name: str, today: date) -> tuple[date, date]:
    ranges = {
        "TODAY": (today, today),
        "YESTERDAY": (today - timedelta(1), today - timedelta(1)),
        "LAST_7_DAYS": (today - timedelta(7), today - timedelta(1)),
        "LAST_14_DAYS": (today - timedelta(14), today - timedelta(1)),
        "LAST_30_DAYS": (today - timedelta(30), today - timedelta(1)),
    }
    if name.upper() not in ranges:
        raise invalid(
            "queryError", "INVALID_VALUE_WITH_DURING_OPERATOR", f"Invalid date literal supplied for DURING: {name}."
        )
    return ranges[name.upper()]


def parse(text: str, today: date) -> Query:
    """Parse a query; raises the vendor's refusal for what Google would refuse."""
    found = QUERY.match(text)
    if not found:
        code = "EXPECTED_FROM" if re.match(r"^\s*SELECT\b", text, re.IGNORECASE) else "EXPECTED_SELECT"
        raise invalid("queryError", code, f"Error in query: {code.lower().replace('_', ' ')}.")
    resource = found["resource"].lower()
    if resource not in RESOURCES:
        raise invalid(
            "queryError",
            "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE",
            f"The FROM clause names an unknown resource: '{resource}'.",
        )
    fields = _selected(found["select"], resource)
    conditions, from_day, to_day = _filters(found["where"], RESOURCES[resource], today)
    if from_day and to_day and from_day > to_day:
        raise invalid("queryError", "DATE_RANGE_TOO_NARROW", "Date range start is after its end.")
    if "segments.date" in fields and (from_day is None or to_day is None):
        raise invalid(
            "queryError",
            "EXPECTED_FILTERS_ON_DATE_RANGE",
            "Expected filters on the following field as it appears in the SELECT clause: 'segments.date'.",
        )
    limit = found["limit"]
    if limit is not None and (not limit.isdigit() or int(limit) < 1):
        raise invalid("queryError", "BAD_LIMIT_VALUE", f"Invalid LIMIT value: '{limit}'.")
    return Query(
        fields,
        resource,
        conditions,
        from_day,
        to_day,
        tuple(_order(found["order"], fields)),
        int(limit) if limit else None,
    )


def _unrecognized(name: str) -> Refusal:
    return invalid("queryError", "UNRECOGNIZED_FIELD", f"Unrecognized field in the query: '{name}'.")


def _selected(select: str, resource: str) -> tuple[str, ...]:
    fields = tuple(part.strip() for part in select.split(","))
    for name in fields:
        if name not in EVERY_FIELD:
            raise _unrecognized(name)
        if name not in RESOURCES[resource]:
            raise invalid(
                "queryError",
                "PROHIBITED_RESOURCE_TYPE_IN_SELECT_CLAUSE",
                f"Cannot select field '{name}' with resource '{resource}'.",
            )
    return fields


def _filters(
    where: str | None, known: dict[str, Callable[[Row], Any]], today: date
) -> tuple[tuple[Callable[[Row], bool], ...], date | None, date | None]:
    """The conditions on rows, and the first and last day that the conditions on the date leave."""
    from_day: date | None = None
    to_day: date | None = None
    conditions: list[Callable[[Row], bool]] = []
    for condition in _conditions(where):
        name = condition["field"]
        if name not in known:
            raise _unrecognized(name)
        if name == "segments.date":
            low, high = _date_range(condition, today)
            from_day = low if from_day is None or (low and low > from_day) else from_day
            to_day = high if to_day is None or (high and high < to_day) else to_day
        else:
            conditions.append(_predicate(condition, known[name], name in NUMERIC_FIELDS))
    return tuple(conditions), from_day, to_day


def _conditions(where: str | None) -> Iterator[re.Match[str]]:
    rest = (where or "").strip()
    while rest:
        found = CONDITION.match(rest)
        if not found:
            raise invalid("queryError", "BAD_OPERATOR", f"Error in query: unexpected input '{rest[:40]}'.")
        yield found
        rest = rest[found.end() :].strip()
        if rest:
            if not re.match(r"AND\s", rest, re.IGNORECASE):
                raise invalid("queryError", "UNEXPECTED_INPUT", f"Error in query: unexpected input '{rest[:40]}'.")
            rest = rest[3:].strip()


def _date_range(condition: re.Match[str], today: date) -> tuple[date | None, date | None]:
    if condition["between"]:
        return _day(condition["low"]), _day(condition["high"])
    if condition["during"]:
        return _during(condition["during"], today)
    if condition["member"]:
        raise invalid("queryError", "BAD_OPERATOR", "Operator IN cannot be used with 'segments.date'.")
    day = _day(condition["value"])
    one = timedelta(1)
    return {
        "=": (day, day),
        ">=": (day, None),
        ">": (day + one, None),
        "<=": (None, day),
        "<": (None, day - one),
    }.get(condition["operator"], (None, None))


def _predicate(condition: re.Match[str], read: Callable[[Row], Any], numeric: bool) -> Callable[[Row], bool]:
    def typed(text: Any) -> Any:
        return float(text) if numeric else str(text)

    def wanted(text: str) -> Any:
        try:
            return typed(_unquote(text.strip()))
        except ValueError:
            raise invalid("queryError", "BAD_NUMBER", f"Invalid number: {text}.") from None

    if condition["member"]:
        members = {wanted(part) for part in condition["members"].split(",") if part.strip()}
        negated = condition["member"].upper().startswith("NOT")
        return lambda row: (typed(read(row)) in members) != negated
    if condition["between"] or condition["during"]:
        raise invalid("queryError", "BAD_OPERATOR", f"Operator cannot be used with '{condition['field']}'.")
    value = wanted(condition["value"])
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
    }
    check = compare[condition["operator"]]
    return lambda row: check(typed(read(row)), value)


def _order(text: str | None, fields: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    for part in (text or "").split(","):
        words = part.split()
        if not words:
            continue
        if words[0] not in fields:
            raise invalid(
                "queryError",
                "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE",
                f"The following field must be present in SELECT clause: '{words[0]}'.",
            )
        yield words[0], len(words) > 1 and words[1].upper() == "DESC"
