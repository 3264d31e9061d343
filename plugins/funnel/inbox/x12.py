"""X12 852, product activity: what a retailer sold and has left, by store or in all, from EDI segments.

Read are XQ (the days reported), N1 (retailer, store), LIN (product), ZA (activity) and SDQ (activity by store). Control
totals must agree, else the file is refused whole: a file that lost a line says so nowhere else. Other transactions of
the interchange are passed over.
"""

from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa

from funnel.inbox.blocks import TYPED, BadRow, Block, Refused
from funnel.inbox.layout import Layout, opened
from funnel.inbox.manifest import StreamSpec

HEADERS = (
    "week_start",
    "week_end",
    "retailer",
    "store_id",
    "product_id",
    "units_sold",
    "units_on_hand",
    "sales_amount",
)
# Activity codes of ZA01.
SOLD, ON_HAND = {"QS", "QU", "QT"}, {"QA", "QE"}
RETURNED = {"QR", "QW"}
# Qualifiers of LIN, the retailer's own number last: the manufacturer knows the others.
PRODUCT_IDS = ("VN", "VP", "VA", "UP", "UK", "EN", "UI", "UA", "SK", "IN", "BP")
RETAILERS, STORES = ("RT", "RL", "BY", "FR", "SU", "VN"), ("ST", "SN", "BS", "Z7", "SL")
ISA_LENGTH = 106


def layout(source: IO[bytes], path: str, spec: StreamSpec) -> Layout:
    """An interchange of 852s; lines are its segments. Raises Refused when a control total disagrees."""
    if spec.entity.name != "sell_through":
        raise Refused("X12 852 holds sell_through, no other entity")
    with opened(source, path) as file:
        segments = _segments(file.read())
    _check_totals(segments)

    def read(file: IO[bytes], only: set[str] | None) -> Iterator[Block]:
        rows, bad = _activities(segments)
        columns = {
            name: pa.array([row[name] for _, row in rows], pa.string())
            for name in HEADERS
            if only is None or name in only
        }
        yield Block(columns, pa.array([number for number, _ in rows], pa.int64()), bad)

    return Layout(HEADERS, read, {"format": "x12", "transactions": _count(segments)}, has_types=True)


def _count(segments: list[list[str]]) -> int:
    return sum(segment[:2] == ["ST", "852"] for segment in segments)


def _segments(data: bytes) -> list[list[str]]:
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff\r\n ")
    if not text.startswith("ISA") or len(text) < ISA_LENGTH:
        raise Refused("this is no X12 interchange: it does not begin with an ISA segment")
    separator, terminator = text[3], text[ISA_LENGTH - 1]
    if separator.isalnum() or text[:ISA_LENGTH].count(separator) != 16:
        raise Refused("the ISA segment has not its fixed length of 106 characters; its separators cannot be known")
    return [
        [element.strip() for element in segment.strip("\r\n ").split(separator)]
        for segment in text.split(terminator)
        if segment.strip("\r\n ")
    ]


def _at(segment: list[str], place: int) -> str:
    return segment[place] if place < len(segment) else ""


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _amount(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _check_totals(segments: list[list[str]]) -> None:
    """Every count that the interchange makes of itself."""
    wrong: list[str] = []

    def compare(what: str, stated: str, found: int) -> None:
        if _integer(stated) != found:
            wrong.append(f"{what}: {stated or 'nothing'} stated, {found} found")

    names = [segment[0] for segment in segments]
    if names[-1] != "IEA":
        raise Refused("the interchange is cut short: it does not end with an IEA segment")
    groups = transactions = lines = 0
    start, hash_total = 0, 0.0
    for number, segment in enumerate(segments, start=1):
        name = segment[0]
        if name == "GS":
            groups, transactions = groups + 1, 0
        elif name == "ST":
            transactions, start, lines, hash_total = transactions + 1, number, 0, 0.0
            opened_as = _at(segment, 2)
        elif name == "LIN":
            lines += 1
        elif name == "ZA":
            hash_total += _amount(_at(segment, 2)) or 0.0
        elif name == "CTT":
            compare(f"segment {number}, line items (CTT01)", _at(segment, 1), lines)
            stated = _amount(_at(segment, 2))
            if stated is not None and abs(stated - hash_total) > 0.005:
                wrong.append(f"segment {number}, sum of quantities (CTT02): {stated:g} stated, {hash_total:g} found")
        elif name == "SE":
            compare(f"segment {number}, segments (SE01)", _at(segment, 1), number - start + 1)
            if _at(segment, 2) != opened_as:
                wrong.append(f"segment {number}, control number (SE02): {_at(segment, 2)}, begun as {opened_as}")
        elif name == "GE":
            compare(f"segment {number}, transactions (GE01)", _at(segment, 1), transactions)
        elif name == "IEA":
            compare(f"segment {number}, groups (IEA01)", _at(segment, 1), groups)
    if names.count("ST") != names.count("SE") or names.count("GS") != names.count("GE"):
        wrong.append("a transaction or group is begun and not ended")
    if wrong:
        raise Refused("control totals disagree; ask the retailer to send the file again", tuple(wrong))


def _activities(segments: list[list[str]]) -> tuple[list[tuple[int, dict[str, str | None]]], list[BadRow]]:
    """Rows by (store, product) of each transaction, with the segment that began them."""
    rows: dict[tuple[int, str, str], tuple[int, dict[str, str | None]]] = {}
    bad: list[BadRow] = []
    is_852, transaction = False, 0
    sender = first_day = last_day = retailer = store = product = price = code = ""
    product_line = 0
    for number, segment in enumerate(segments, start=1):
        name = segment[0]
        if name == "ISA":
            sender = _at(segment, 6)
        elif name == "ST":
            is_852, transaction = _at(segment, 1) == "852", transaction + 1
            first_day = last_day = retailer = store = product = price = code = ""
        elif not is_852:
            continue
        elif name == "XQ":
            first_day, last_day = _at(segment, 2), _at(segment, 3) or _at(segment, 2)
        elif name == "N1" and _at(segment, 1) in RETAILERS and _at(segment, 1) not in STORES:
            if _at(segment, 1) not in ("SU", "VN", "FR"):
                retailer = _at(segment, 2) or _at(segment, 4)
        elif name == "N1" and _at(segment, 1) in STORES:
            store = _at(segment, 4) or _at(segment, 2)
        elif name == "LIN":
            numbers = {_at(segment, place): _at(segment, place + 1) for place in range(2, len(segment), 2)}
            product = next((numbers[kind] for kind in PRODUCT_IDS if numbers.get(kind)), "")
            price, product_line, code = "", number, ""
            if not product:
                bad.append(BadRow(number, "product_id", "names no product (LIN)", "*".join(segment)))
        elif name == "CTP":
            price = _at(segment, 3)
        elif name in ("ZA", "SDQ") and product:
            if name == "ZA":
                code = _at(segment, 1)
                amounts = [(store, _at(segment, 2))] if _at(segment, 2) else []
            else:
                amounts = [(_at(segment, place), _at(segment, place + 1)) for place in range(3, len(segment), 2)]
                # What stores sold is said store by store now; the sum before it is no store of its own.
                rows.pop((transaction, store, f"{product}|{code}|sum"), None)
            for where, quantity in amounts:
                if _amount(quantity) is None:
                    bad.append(BadRow(number, "units_sold", "is no quantity", "*".join(segment)))
                    continue
                key = (transaction, where, f"{product}|{code}|{'sum' if name == 'ZA' else where}")
                rows[key] = (
                    product_line,
                    {
                        "week_start": first_day,
                        "week_end": last_day,
                        "retailer": retailer or sender,
                        "store_id": where or None,
                        "product_id": product,
                        "code": code,
                        "quantity": quantity,
                        "price": price,
                    },
                )
    return _combined(list(rows.values())), bad


def _combined(
    activities: list[tuple[int, dict[str, str | None]]],
) -> list[tuple[int, dict[str, str | None]]]:
    """Sold and on hand of one product in one store side by side."""
    rows: dict[tuple[Any, ...], tuple[int, dict[str, Any]]] = {}
    for number, activity in activities:
        code, quantity = activity["code"] or "", float(activity["quantity"] or 0)
        if code not in SOLD | ON_HAND | RETURNED:
            continue
        key = (activity["week_start"], activity["retailer"], activity["store_id"], activity["product_id"])
        _, row = rows.setdefault(key, (number, {**dict.fromkeys(HEADERS), **activity}))
        if code in ON_HAND:
            row["units_on_hand"] = _told((_amount((row["units_on_hand"] or "").rstrip(TYPED)) or 0.0) + quantity)
            continue
        signed = -quantity if code in RETURNED else quantity
        row["units_sold"] = _told((_amount((row["units_sold"] or "").rstrip(TYPED)) or 0.0) + signed)
        price = _amount(activity["price"] or "")
        if price is not None:
            row["sales_amount"] = _told(
                round((_amount((row["sales_amount"] or "").rstrip(TYPED)) or 0.0) + signed * price, 4)
            )
    return [(number, {name: row[name] for name in HEADERS}) for number, row in rows.values()]


def _told(number: float) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") + TYPED
