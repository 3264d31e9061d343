"""Fields without a header that follow from a table: keys, constants, amounts from prices, formats."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from funnel.inbox import amounts, errors, moments, vocabulary
from funnel.inbox.catalogue import ENTITIES
from funnel.inbox.contents import Column
from funnel.inbox.entities import Entity
from funnel.inbox.exploration import Table
from funnel.inbox.recognition import Recognised

COUNTS = {"units", "units_sold", "units_on_hand", "employees", "platform_conversions", "leads", "orders", "rate"}
_RETAILER = re.compile(r"(?im)^\W*(?:retailer|customer|händler|haendler|enseigne|chain)\W+(.+?)\W*$")
_DAYS = re.compile(
    r"\d{4}-\d{2}-\d{2}|[A-Z][a-z]+ \d{1,2}, \d{4}|\d{1,2}\. ?[A-Z][a-z]+ \d{4}|\d{1,2}[./]\d{1,2}[./]\d{4}"
)


@dataclass
class Noted:
    """A value to write, and what is unsure about it."""

    value: Any
    note: str | None = None


class Formula(str):
    """Arithmetic or a joined text with headers in braces, instead of a header."""


@dataclass
class Proposed:
    """One stream of the manifest: the tables it was found in, and its settings."""

    entity: str
    path: str
    tables: list[Table]
    columns: dict[str, Noted]
    maps: dict[str, dict[str, Noted]] = field(default_factory=dict)
    settings: dict[str, Noted] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def entity_of(name: str) -> Entity:
    """The entity of that name."""
    return ENTITIES[name]


def has_money(columns: dict[str, Noted], entity: Entity) -> bool:
    """True if a stream holds amounts."""
    return any(name not in COUNTS and entity.field(name).kind == "number" for name in columns)


def headers_of(columns: dict[str, Noted]) -> Iterator[tuple[str, str]]:
    """(our name, their header) of all used columns, those inside arithmetic and joined texts included."""
    for name, noted in columns.items():
        if isinstance(noted.value, str):
            is_formula = isinstance(noted.value, Formula)
            inside = re.findall(r"\{([^}]*)\}", noted.value) if is_formula else [noted.value]
            yield from ((name, header) for header in inside)


def complete(stream: Proposed, table: Table, one: Recognised) -> None:
    """Add what the entity needs and no header provides."""
    extra = {
        "opportunities": _deal,
        "leads": _lead,
        "orders": _order,
        "order_lines": _order_line,
        "ad_stats": _ads,
        "sell_through": _sell_through,
        "costs": _costs,
        "opportunity_lines": _deal_line,
    }.get(one.entity.name)
    if extra:
        extra(stream, table, one)


def _own_key(table: Table, columns: dict[str, Noted]) -> str | None:
    """An unused column of codes without repeated values: preferably one whose header says id, else the first one."""
    taken = {header for _, header in headers_of(columns)}
    free = [column for column in table.columns if column.is_unique and column.header not in taken]
    named = [column for column in free if "id" in vocabulary.meaning(column.header)]
    first = [column for column in free[:1] if column is table.columns[0]]
    for column in (*named, *first):
        if all(re.fullmatch(r"[\w./#-]{1,40}", cell) for cell in column.cells) and not column.dates:
            return column.header
    return None


def _named(table: Table, *wanted: str) -> Column | None:
    """The first column with one of these meanings."""
    for each in wanted:
        for column in table.columns:
            if vocabulary.meaning(column.header) == vocabulary.meaning(each) and not column.is_empty:
                return column
    return None


def _deal(stream: Proposed, table: Table, one: Recognised) -> None:
    columns = stream.columns
    own = _own_key(table, columns)
    if "opportunity_id" not in columns and own:
        columns["opportunity_id"] = Noted(own, f"{own!r} has a different value in every row, so it is used as the id")
    elif "opportunity_id" not in columns:
        name = _named(table, "deal name", "name")
        if name and name.is_unique:
            columns["opportunity_id"] = Noted(
                name.header, "the file has no deal id; a deal whose name changes becomes a second deal"
            )
        else:
            columns["opportunity_id"] = Noted(
                {"from": "hash"}, "the file has no deal id; a deal whose row changes becomes a second deal"
            )
    closed = columns.get("closed_at")
    if "stage" not in columns and closed:
        columns["stage"] = Noted({"value": "won"}, f"only {closed.value!r} indicates a stage: all are taken as won")
    elif closed and "expected_close_date" not in columns:
        stages = table.column(columns["stage"].value).cells
        dates = table.column(closed.value).cells
        if any(date and _is_open(stage) for stage, date in zip(stages, dates, strict=True)):
            columns["expected_close_date"] = Noted(closed.value)
            stream.notes.append(f"{closed.value} is the expected day of open deals and the actual one of closed deals")


def _is_open(stage: str) -> bool:
    return vocabulary.stage_of(stage, of_lead=False) not in ("won", "lost")


def _lead(stream: Proposed, table: Table, one: Recognised) -> None:
    columns = stream.columns
    own = _own_key(table, columns)
    if "lead_id" not in columns and own:
        columns["lead_id"] = Noted(own, f"{own!r} has a different value in every row, so it is used as the id")
    columns.setdefault(
        "lead_id", Noted({"from": "hash"}, "the file has no lead id; a lead whose row changes becomes a second lead")
    )


def _order(stream: Proposed, table: Table, one: Recognised) -> None:
    columns = stream.columns
    orders = table.column(columns["order_id"].value).cells
    if len(set(orders)) == len(orders):
        return
    # One row per line: values of the order are only in its first row.
    for name, header in list(headers_of(columns)):
        cells = table.column(header).cells
        said: dict[str, set[str]] = {}
        for order, cell in zip(orders, cells, strict=True):
            said.setdefault(order, set()).add(cell)
        if name != "order_id" and any(len(one) > 1 and "" in one for one in said.values()):
            # Never from the order above: an order without an address does not belong to that customer.
            stream.settings.setdefault("fill_down", Noted({})).value[name] = "order_id"


def _order_line(stream: Proposed, table: Table, one: Recognised) -> None:
    columns = stream.columns
    quantity, price = one.columns.get("units"), one.columns.get("unit_price")
    for name in ("amount", "freight_amount", "discount_amount"):
        header = columns[name].value if name in columns else ""
        if header and _is_of_order(table, columns["order_id"].value, header):
            del columns[name]
            stream.notes.append(
                f"{header} repeats on each line of an order, so it belongs to the order and would count twice"
            )
    if "amount" not in columns and price is None:
        # Shops call the unit price cost.
        item_cost = _named(table, "product cost", "line cost")
        price = item_cost.header if item_cost else None
    if price and quantity:
        stated = columns.get("amount")
        if stated is None or not _is_product(table, stated.value, quantity, price):
            columns["amount"] = Noted(
                Formula(f"{{{quantity}}} * {{{price}}}"), f"{price!r} may be the price of all units together"
            )
            if "unit" in vocabulary.meaning(price) or "line" in vocabulary.meaning(price):
                columns["amount"].note = None
    elif price and "amount" not in columns:
        columns["amount"] = Noted(price, "a price without a quantity, taken as the line's amount")
    if "order_line" in columns:
        return
    orders = table.column(columns["order_id"].value)
    product = columns.get("product_id")
    if orders.is_unique:
        columns["order_line"] = Noted({"value": "1"})
    elif product and len(table.column(product.value).filled) == table.rows:
        columns["order_line"] = Noted(product.value)
        stream.notes.append("rows of one order and product are added up: the file has no line numbers")
        stream.settings["repeats"] = Noted("add")
    else:
        columns["order_line"] = Noted(
            {"from": "hash"}, "the file has no line numbers; a line that changes becomes a second line"
        )


def _is_of_order(table: Table, order: str, header: str) -> bool:
    """True if all lines of an order hold the same number, other than 0, in every order of several lines."""
    of_order: dict[str, list[str]] = {}
    for key, cell in zip(table.column(order).cells, table.column(header).cells, strict=True):
        of_order.setdefault(key, []).append(cell)
    several = [
        cells for cells in of_order.values() if len(cells) > 1 and any(re.search("[1-9]", cell) for cell in cells)
    ]
    return bool(several) and all(len(set(cells)) == 1 for cells in several)


def _is_product(table: Table, amount: str, quantity: str, price: str) -> bool:
    """True if an amount is that of the line, not of the order."""
    sign = table.column(price).decimal or table.column(amount).decimal or "."
    fits = seen = 0
    for cells in zip(*(table.column(name).cells for name in (amount, quantity, price)), strict=True):
        try:
            total, units, each = (Decimal(amounts.amount(cell, sign, None).value) for cell in cells)
        except errors.BadCell:
            continue
        seen += 1
        # A discount makes it less, a tax more.
        fits += abs(total - units * each) <= abs(units * each) * Decimal("0.3")
    return seen > 0 and fits >= 0.9 * seen


def _deal_line(stream: Proposed, table: Table, one: Recognised) -> None:
    columns = stream.columns
    columns.setdefault("line_no", columns.get("product_id") or Noted({"from": "hash"}, "the file has no line numbers"))


def _ads(stream: Proposed, table: Table, one: Recognised) -> None:
    columns = stream.columns
    if "platform" not in columns:
        platform = platform_of(table)
        if platform:
            is_said = vocabulary.platform_of(_said_of(table)) == platform
            note = None if is_said else "the file does not name its platform; its headers look like this one"
            columns["platform"] = Noted({"value": platform}, note)
        else:
            columns["platform"] = Noted({"value": "ads"}, "no file names its platform, such as google_ads or meta_ads")
    kind = _named(table, "campaign type", "advertising channel type")
    if kind and "channel" not in columns:
        channels = {word: vocabulary.channel_of(word) for word in kind.distinct}
        if len(channels) <= 20 and any(channels.values()):
            columns["channel"] = Noted(kind.header)
            stream.maps["channel"] = {
                word: Noted(channel) if channel else Noted("Paid Other", "an unknown kind of campaigns")
                for word, channel in channels.items()
            }
    if columns["platform"].value == {"value": "google_ads"} and "channel" not in columns:
        search = Noted(
            "Paid Search", "the file does not say the kind of these campaigns; without it they are Paid Other"
        )
        stream.settings["channels"] = Noted({"google_ads": search})
    by = columns.get("channel") or columns.get("platform")
    if by and not {"campaign_id", "campaign_name"} & set(columns):
        columns["campaign_name"] = Noted(by.value, "no column names a campaign")
    if "date_day" not in columns:
        day = day_of(table)
        columns["date_day"] = Noted({"value": day}, "no column holds a day; the whole file counts on this one")
        return
    start, end = _named(table, "reporting starts", "start date"), _named(table, "reporting ends", "end date")
    day = columns["date_day"].value
    if start and end and day == start.header and start.cells != end.cells:
        columns["date_day"].note = "rows span several days and count on the first of them. Export by day"
    if vocabulary.meaning(day) & {"week", "month"}:
        columns["date_day"].note = "rows span several days and count on the first of them. Export by day"


def day_of(table: Table) -> str | None:
    """The last day of the period stated by the lines above the header or by the file's name; None without one."""
    for text in (table.above, os.path.basename(table.path)):
        found = [day for match in _DAYS.finditer(text) if (day := _iso(match[0]))]
        if found:
            return max(found)
    return None


def _iso(text: str) -> str | None:
    try:
        stated = moments.date_format([text], "", months=True)
        return moments.day(text, stated)
    except (errors.Unclear, errors.BadCell):
        return None


def platform_of(table: Table) -> str | None:
    """The ad platform named by the file's name, its first lines or its headers."""
    return vocabulary.platform_of(_said_of(table)) or _platform_by_headers(table)


def _said_of(table: Table) -> str:
    return f"{table.path} {table.sheet or ''} {table.above} {' '.join(table.headers)}"


def _platform_by_headers(table: Table) -> str | None:
    headers = set(table.headers)
    if headers & {"Gregorian date", "TimePeriod"} or "Last Completed Available Day" in table.above:
        return "microsoft_ads"
    if headers & {"Reporting starts", "Amount spent", "Auswertungsbeginn", "Début des rapports"}:
        return "meta_ads"
    if headers & {"Campaign Group Name", "Total Spent"}:
        return "linkedin_ads"
    return "google_ads" if headers & {"Impr.", "Campaign state", "Conv. value"} else None


def retailer_of(table: Table) -> str | None:
    """The retailer named by the lines above the header, or else by the file's name."""
    named = _RETAILER.search(table.above)
    if named:
        return named[1].strip()
    words = re.findall(r"[a-z]{3,}", vocabulary.plain(os.path.basename(table.path).partition(".")[0]))
    own = [word for word in words if not vocabulary.names_nothing(word)]
    return " ".join(word.capitalize() for word in own) or None


def _sell_through(stream: Proposed, table: Table, one: Recognised) -> None:
    columns = stream.columns
    if "retailer" not in columns:
        name = retailer_of(table)
        is_said = bool(_RETAILER.search(table.above))
        note = None if is_said else "taken from the file's name" if name else "no column names the retailer"
        columns["retailer"] = Noted({"value": name or "retailer"}, note)
    day = columns.get("date_day")
    if day and "week_start" not in columns and _is_weekly(table.column(day.value)):
        stream.notes.append(f"{day.value} seems to be one day a week")


def _is_weekly(column: Column) -> bool:
    return 1 < len(column.distinct) < len(column.filled) and len(column.distinct) <= 60


def _costs(stream: Proposed, table: Table, one: Recognised) -> None:
    columns = stream.columns
    if "team" not in columns and "channel" not in columns:
        columns["team"] = Noted({"value": "marketing"}, "no column names a team or a channel")
