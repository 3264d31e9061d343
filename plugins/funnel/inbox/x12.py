"""X12 852, product activity: a retailer's sales and stock, by store or in total, from EDI segments.

These segments are read: XQ (the reported days), N1 (retailer, store), LIN (product), ZA (activity) and SDQ (activity by
store). Control totals must agree, otherwise the whole file is refused: a lost line would not be visible otherwise.
Other transactions of the interchange are skipped.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import IO, Any

import pyarrow as pa

from funnel.inbox.blocks import TYPED, BadRow, Block
from funnel.inbox.errors import Refused
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
# Qualifiers of LIN: general product numbers first, then the manufacturer's, then the retailer's own. A manifest can
# choose another by name: `columns: {product_id: VN}`.
PRODUCT_IDS = ("UP", "UK", "EN", "UI", "UA", "VN", "VP", "VA", "SK", "IN", "BP")
# The reporting party: the retailer, else the buyer, else the sender of the message.
RETAILERS, STORES = ("RT", "RL", "BY", "FR"), ("ST", "SN", "BS", "Z7", "SL")
ISA_LENGTH = 106
LONGEST = 32 << 20


def layout(source: IO[bytes], path: str, spec: StreamSpec) -> Layout:
    """The layout of an interchange of 852s; lines are its segments. Raises Refused if a control total disagrees."""
    if spec.entity.name != "sell_through":
        raise Refused("X12 852 holds only sell_through")
    with opened(source, path) as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise Refused(f"the interchange is longer than {LONGEST >> 20} MB; ask the retailer to send it in parts")
    segments = _segments(data)
    _check_totals(segments)
    headers = (*HEADERS, *_qualifiers(segments))

    def read(file: IO[bytes], only: set[str] | None) -> Iterator[Block]:
        rows, bad = _activities(segments)
        columns = {
            name: pa.array([row.get(name) for _, row in rows], pa.string())
            for name in headers
            if only is None or name in only
        }
        yield Block(columns, pa.array([number for number, _ in rows], pa.int64()), bad)

    return Layout(
        headers, read, {"format": "x12", "transactions": _count(segments)}, has_types=True, notes=_notes(segments)
    )


def _notes(segments: list[list[str]]) -> tuple[str, ...]:
    """Notes on what is not read."""
    codes = {_at(segment, 1) for segment in segments if segment[0] == "ZA"} - SOLD - ON_HAND - RETURNED
    others = sum(segment[0] == "ST" for segment in segments) - _count(segments)
    notes = [f"activities (ZA01) that are not read: {', '.join(sorted(codes))}"] if codes else []
    return tuple(notes + ([f"transactions other than 852, not read: {others}"] if others else []))


def _qualifiers(segments: list[list[str]]) -> list[str]:
    """The kinds of product numbers in the interchange."""
    found = {segment[place] for segment in segments if segment[0] == "LIN" for place in range(2, len(segment), 2)}
    return [kind for kind in PRODUCT_IDS if kind in found]


def _count(segments: list[list[str]]) -> int:
    return sum(segment[:2] == ["ST", "852"] for segment in segments)


def _segments(data: bytes) -> list[list[str]]:
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff\r\n ")
    if not text.startswith("ISA") or len(text) < ISA_LENGTH:
        raise Refused("this is not an X12 interchange: it does not begin with an ISA segment")
    separator, terminator = text[3], text[ISA_LENGTH - 1]
    if separator.isalnum() or text[:ISA_LENGTH].count(separator) != 16:
        raise Refused("the ISA segment does not have its fixed length of 106 characters, so its separators are unknown")
    return [
        [element.strip() for element in segment.strip("\r\n ").split(separator)]
        for segment in text.split(terminator)
        if segment.strip("\r\n ")
    ]


def _at(segment: list[str], place: int) -> str:
    return segment[place] if place < len(segment) else ""


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text) if text and len(text) < 40 else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() and abs(amount.adjusted()) < 30 else None


def _check_totals(segments: list[list[str]]) -> None:
    """Check every control total of the interchange. Raises Refused."""
    wrong: list[str] = []

    def compare(what: str, stated: str, found: int) -> None:
        if _integer(stated) != found:
            wrong.append(f"{what}: {stated or 'nothing'} stated, {found} found")

    names = [segment[0] for segment in segments]
    if names[-1] != "IEA":
        raise Refused("the interchange is cut short: it does not end with an IEA segment")
    groups = transactions = lines = 0
    start, hash_total = 0, Decimal(0)
    for number, segment in enumerate(segments, start=1):
        name = segment[0]
        if name == "GS":
            groups, transactions = groups + 1, 0
        elif name == "ST":
            transactions, start, lines, hash_total = transactions + 1, number, 0, Decimal(0)
            opened_as = _at(segment, 2)
        elif name == "LIN":
            lines += 1
        elif name == "ZA":
            hash_total += _amount(_at(segment, 2)) or Decimal(0)
        elif name == "CTT":
            compare(f"segment {number}, line items (CTT01)", _at(segment, 1), lines)
            stated = _amount(_at(segment, 2))
            if stated is not None and stated != hash_total:
                wrong.append(f"segment {number}, sum of quantities (CTT02): {stated:f} stated, {hash_total:f} found")
        elif name == "SE":
            compare(f"segment {number}, segments (SE01)", _at(segment, 1), number - start + 1)
            if _at(segment, 2) != opened_as:
                wrong.append(f"segment {number}, control number (SE02): {_at(segment, 2)}, started as {opened_as}")
        elif name == "GE":
            compare(f"segment {number}, transactions (GE01)", _at(segment, 1), transactions)
        elif name == "IEA":
            compare(f"segment {number}, groups (IEA01)", _at(segment, 1), groups)
    if names.count("ST") != names.count("SE") or names.count("GS") != names.count("GE"):
        wrong.append("a transaction or group starts but does not end")
    if wrong:
        raise Refused("control totals disagree; ask the retailer to send the file again", tuple(wrong))


Activity = tuple[int, dict[str, Any]]


def _activities(segments: list[list[str]]) -> tuple[list[Activity], list[BadRow]]:
    """Rows by store and product, with the segment that begins each."""
    found: list[Activity] = []
    bad: list[BadRow] = []
    is_852 = False
    sender = first_day = last_day = retailer = role = store = product = price = code = ""
    numbers: dict[str, str] = {}
    product_line, summed = 0, -1
    for number, segment in enumerate(segments, start=1):
        name, kind = segment[0], _at(segment, 1)
        if name == "ISA":
            sender = _at(segment, 6)
        elif name == "ST":
            is_852 = kind == "852"
            first_day = last_day = retailer = role = store = product = price = code = ""
        elif not is_852:
            continue
        elif name == "XQ":
            first_day, last_day = _at(segment, 2), _at(segment, 3) or _at(segment, 2)
        elif name == "N1" and kind in RETAILERS:
            if not role or RETAILERS.index(kind) <= RETAILERS.index(role):
                retailer, role = _at(segment, 2) or _at(segment, 4), kind
        elif name == "N1" and kind in STORES:
            store = _at(segment, 4) or _at(segment, 2)
        elif name == "LIN":
            numbers = {_at(segment, place): _at(segment, place + 1) for place in range(2, len(segment), 2)}
            product = next((numbers[kind] for kind in PRODUCT_IDS if numbers.get(kind)), "")
            price, product_line, code, summed = "", number, "", -1
            if not product:
                bad.append(BadRow(number, "product_id", "names no product (LIN)", "*".join(segment)))
        elif name == "CTP":
            price = _at(segment, 3)
        elif name in ("ZA", "SDQ") and product:
            if name == "ZA":
                code, summed = kind, -1
            elif summed >= 0:
                # Sales follow by store (SDQ); drop the sum that came before them, which is not a store.
                del found[summed]
                summed = -1
            for where, quantity in _quantities(segment, store):
                if _amount(quantity) is None:
                    bad.append(BadRow(number, "units_sold", "is not a quantity", "*".join(segment)))
                    continue
                summed = len(found) if name == "ZA" else -1
                sold = {"code": code, "quantity": _amount(quantity), "price": _amount(price)}
                week = {"week_start": first_day, "week_end": last_day}
                place = {"retailer": retailer or sender, "store_id": where or None, "product_id": product}
                known = {kind: numbers.get(kind) for kind in PRODUCT_IDS}
                found.append((product_line, {**week, **place, **known, **sold}))
    return _combined(found), bad


def _quantities(segment: list[str], store: str) -> list[tuple[str, str]]:
    """Stores with their quantities: one in a segment ZA, several in SDQ."""
    if segment[0] == "ZA":
        return [(store, _at(segment, 2))] if _at(segment, 2) else []
    return [(_at(segment, place), _at(segment, place + 1)) for place in range(3, len(segment), 2)]


def _combined(activities: list[Activity]) -> list[Activity]:
    """Sold and on-hand quantities of a product in a store as one row; repeated ones are added up."""
    rows: dict[tuple[Any, ...], Activity] = {}
    for number, activity in activities:
        code, quantity = activity["code"], activity["quantity"]
        if code not in SOLD | ON_HAND | RETURNED:
            continue
        key = (activity["week_start"], activity["retailer"], activity["store_id"], activity["product_id"])
        _, row = rows.setdefault(key, (number, {**dict.fromkeys(HEADERS), **activity}))
        if code in ON_HAND:
            row["units_on_hand"] = (row["units_on_hand"] or 0) + quantity
            continue
        signed = -quantity if code in RETURNED else quantity
        row["units_sold"] = (row["units_sold"] or 0) + signed
        if activity["price"] is not None:
            row["sales_amount"] = (row["sales_amount"] or 0) + signed * activity["price"]
    return [(number, {name: _told(value) for name, value in row.items()}) for number, row in rows.values()]


def _told(value: Any) -> str | None:
    """A quantity as text, with the mark of a number and without trailing zeros."""
    if not isinstance(value, Decimal):
        return value  # type: ignore[no-any-return]
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + TYPED
