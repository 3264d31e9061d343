"""Rows of one file with the same key: added up, taken once, or all but the last in quarantine."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox.blocks import BadRow
from funnel.inbox.errors import Refused
from funnel.inbox.layout import LINES_OF_A_SHEET, Layout
from funnel.inbox.manifest import StreamSpec
from funnel.inbox.spool import Spool

# The measures of entities that may have several rows per key; an entity is added up only if all of its mapped numbers
# are among them.
ADDITIVE: dict[str, tuple[str, ...]] = {
    "ad_stats": ("impressions", "clicks", "spend", "platform_conversions", "leads", "orders", "revenue"),
    "costs": ("amount",),
    "sell_through": ("units_sold", "sales_amount"),
    "payments": ("amount",),
}
_NUMBERS = ("number", "integer", "share")


@dataclass
class Settled:
    """The rows of a file, each key once, and counts of the others."""

    spool: Spool
    bad: list[BadRow] = field(default_factory=list)
    added: int = 0
    equal: int = 0


def hashes(keys: Any) -> Any:
    """Eight bytes for each key: finding a repeated key must not require all keys of a million rows in memory."""
    import numpy as np

    return np.fromiter(map(hash, keys.to_pylist()), np.int64, len(keys))


def has_repeated(keys: list[Any]) -> bool:
    """True if a hash occurs twice in these arrays."""
    import numpy as np

    together = np.sort(np.concatenate(keys))
    return bool((together[1:] == together[:-1]).any())


def refuse_keys_of_two_sheets(spool: Spool, layout: Layout) -> None:
    """Raises Refused if a key is in two sheets: only the manifest can say which row counts."""
    counts = pc.value_counts(pa.chunked_array([batch.column("row_key") for batch in spool.batches()]))
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    first: dict[str, int] = {}
    for batch in spool.batches():
        chosen = batch.filter(pc.is_in(batch.column("row_key"), value_set=repeated))
        for key, line in zip(chosen.column("row_key").to_pylist(), chosen.column("_line").to_pylist(), strict=True):
            before = first.setdefault(key, line)
            if before // LINES_OF_A_SHEET != line // LINES_OF_A_SHEET:
                raise Refused(
                    f"{layout.place(before)} and {layout.place(line)} have the same key; name the sheets that are "
                    f"meant, sheets: [{layout.sheets[0]}], or state repeats: add where both count"
                )


def measures(spec: StreamSpec, names: list[str]) -> tuple[str, ...]:
    """The numbers to add up; empty if rows with the same key must not be added."""
    numbers = {each.name for each in spec.entity.fields if each.kind in _NUMBERS and each.name in names}
    additive = ADDITIVE.get(spec.entity.name, ())
    if spec.repeats == "once" or not numbers:
        return ()
    if spec.repeats == "add":
        return tuple(sorted(numbers))
    return tuple(sorted(numbers)) if numbers <= set(additive) else ()


def settle(spool: Spool, spec: StreamSpec) -> Settled:
    """Keep each key once. Contradicting rows are in `bad`."""
    counts = pc.value_counts(pa.chunked_array([batch.column("row_key") for batch in spool.batches()]))
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    groups: dict[str, list[dict[str, Any]]] = {}
    settled = Settled(Spool())
    schema = None
    for batch in spool.batches():
        schema = batch.schema
        is_repeated = pc.is_in(batch.column("row_key"), value_set=repeated)
        for row in batch.filter(is_repeated).to_pylist():
            _join(groups.setdefault(row["row_key"], []), row, spec, settled)
        rest = batch.filter(pc.invert(is_repeated))
        if rest.num_rows:
            settled.spool.add(rest)
    rows = [row for kept in groups.values() for row in kept]
    if rows:
        settled.spool.add(pa.RecordBatch.from_pylist(rows, schema=schema))
    spool.file.close()
    return settled


def _join(kept: list[dict[str, Any]], row: dict[str, Any], spec: StreamSpec, settled: Settled) -> None:
    """Add one more row of a key: `kept` holds the row that counts so far."""
    if not kept:
        kept.append(row)
        return
    before = kept[0]
    added = measures(spec, list(row))
    if added and before.get("currency_code") == row.get("currency_code"):
        sums = {name: _sum(before[name], row[name]) for name in added}
        texts = {name: value for name, value in row.items() if value is not None and name not in (*added, "_line")}
        kept[0] = {**before, **texts, **sums}
        settled.added += 1
        return
    is_equal = all(row[name] == before[name] for name in row if name != "_line")
    if is_equal or spec.repeats == "once":
        kept[0] = row
        settled.equal += 1
        return
    kept[0] = row
    of = f"{', '.join(spec.key)} (the key of {spec.entity.name})"
    payload = {name: value for name, value in before.items() if value is not None and name != "row_key"}
    line = row["_line"] % LINES_OF_A_SHEET
    reason = f"line {line} has the same {of} and other values; the last one counts (repeats: add counts both)"
    settled.bad.append(BadRow(before["_line"], "key", reason, payload, before["row_key"]))


def _sum(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return other if one is None else one
    return format(Decimal(one) + Decimal(other), "f")
