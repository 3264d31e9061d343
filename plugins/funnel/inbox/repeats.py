"""Rows of one file that have the same key."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox.blocks import BadRow, Refused
from funnel.inbox.layout import LINES_OF_A_SHEET, Layout
from funnel.inbox.spool import Spool


def hashes(keys: Any) -> Any:
    """Eight bytes for each key: a million rows must not stay in memory to find the two that are the same."""
    import numpy as np

    return np.fromiter(map(hash, keys.to_pylist()), np.int64, len(keys))


def has_repeated(keys: list[Any]) -> bool:
    import numpy as np

    together = np.sort(np.concatenate(keys))
    return bool((together[1:] == together[:-1]).any())


def refuse_keys_of_two_sheets(spool: Spool, layout: Layout) -> None:
    """Raises Refused where a key stands in two sheets: which of the rows is meant, or both, only the manifest knows."""
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


def without_repeated(spool: Spool, bad: list[BadRow]) -> Spool:
    """The rows without those whose key stands again further down with other values: the last one counts, the others
    are added to `bad`. Rows that say the same twice are no problem.
    """
    counts = pc.value_counts(pa.chunked_array([batch.column("row_key") for batch in spool.batches()]))
    counted = counts.filter(pc.greater(counts.field("counts"), 1))
    repeated = counted.field("values")
    last: dict[str, tuple[int, tuple[Any, ...]]] = {}
    for batch in spool.batches():
        chosen = batch.filter(pc.is_in(batch.column("row_key"), value_set=repeated))
        for row in chosen.to_pylist():
            line = row.pop("_line")
            last[row["row_key"]] = (line, tuple(row.values()))
    kept = Spool()
    for batch in spool.batches():
        is_repeated = pc.is_in(batch.column("row_key"), value_set=repeated)
        wrong: set[int] = set()
        for row in batch.filter(is_repeated).to_pylist():
            line = row.pop("_line")
            other_line, content = last[row["row_key"]]
            if line != other_line and tuple(row.values()) != content:
                reason = f"line {other_line % LINES_OF_A_SHEET} has the same key and other values; the last one counts"
                payload = {name: value for name, value in row.items() if value is not None and name != "row_key"}
                bad.append(BadRow(line, "key", reason, payload, row["row_key"]))
                wrong.add(line)
        if wrong:
            mask = pc.is_in(batch.column("_line"), value_set=pa.array(sorted(wrong), pa.int64()))
            batch = batch.filter(pc.invert(mask))
        if batch.num_rows:
            kept.add(batch)
    spool.file.close()
    return kept
