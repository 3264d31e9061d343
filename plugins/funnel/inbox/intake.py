"""Intake: one file of the inbox, from its bytes to blocks of typed rows, or refused with the first ten reasons.

Formats of numbers and dates are inferred from the first block and verified against the rest, unless the manifest states
them; only if that fails is the file read again (FIL-5). Rows are kept in a temporary file until the whole file is
accepted, so that no row of a refused file is loaded. Personal data are hashed later by the loader, which has the key.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import IO, Any

import pyarrow.compute as pc

from funnel.inbox import headers, totals
from funnel.inbox.blocks import BadRow, Block, ahead
from funnel.inbox.conversion import Converter
from funnel.inbox.errors import Refused, Vanished
from funnel.inbox.layout import Layout, opened
from funnel.inbox.manifest import StreamSpec
from funnel.inbox.mapping import layout_of, mapping_of, used_of
from funnel.inbox.reading import Evidence, describe
from funnel.inbox.repeats import Settled, has_repeated, hashes, refuse_keys_of_two_sheets, settle
from funnel.inbox.spool import Spool

# Part of a file's fingerprint: raise it if the reading of files changes, so that they are read again.
READING_VERSION = 2
FIRST_REASONS = 10
# Bad rows are held in memory until the file is accepted.
MOST_BAD = 200_000


@dataclass
class Outcome:
    """The result of one file. rows_read = rows_loaded + rows_quarantined + rows_merged.

    For a refused file, none is loaded or quarantined.
    """

    path: str
    entity: str
    fingerprint: str
    size: int
    modified_at: datetime | None
    status: str = "loaded"
    reason: str | None = None
    reasons: list[str] = field(default_factory=list)
    rows_read: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    first_day: str | None = None
    last_day: str | None = None
    unmapped: list[str] = field(default_factory=list)
    rows_merged: int = 0
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The outcome as values of JSON."""
        return {**self.__dict__, "modified_at": self.modified_at.isoformat() if self.modified_at else None}


@dataclass(frozen=True)
class Taken:
    """An accepted file: tables of its typed rows (Arrow IPC streams, one per block), the values that all rows share,
    and the bad rows. Can be read once.
    """

    tables: Iterator[bytes]
    constants: dict[str, str]
    bad: list[BadRow]


def fingerprint(source: IO[bytes], spec: StreamSpec) -> tuple[str, int]:
    """Hash of a file's bytes and of the way they are read, and the size. Renaming a file does not change it."""
    source.seek(0)
    digest = hashlib.sha256()
    size = 0
    while data := source.read(1 << 20):
        digest.update(data)
        size += len(data)
    meaning = {**spec.__dict__, "entity": spec.entity.name, "path": None, "bad_share": None}
    digest.update(json.dumps([READING_VERSION, meaning], sort_keys=True, default=str).encode())
    return digest.hexdigest()[:32], size


def file_order(path: str, modified_at: datetime | None, newest_by: str) -> str:
    """Sort key of a file: the later of two files with the same row counts. Numbers in names are compared by value.

    Times sort after all names: a manifest with `newest_by: time` overrides the order by name.
    """
    stem = re.sub(r"\.(gz|[a-z0-9]{2,7})$", "", re.sub(r"\.gz$", "", path.lower()))
    natural = re.sub(r"\d+", lambda found: found[0].zfill(12), stem)
    time = f"~{modified_at.astimezone(UTC).isoformat()}" if modified_at and newest_by == "time" else ""
    # A tab sorts before any character that may follow in a longer name.
    return f"{time}|{natural}\t{path}"


@contextmanager
def take(source: IO[bytes], spec: StreamSpec, outcome: Outcome) -> Iterator[Taken]:
    """Read one whole file; fills `outcome`. Raises Refused with the reasons; nothing of the file may be loaded then."""
    try:
        converted = _convert_all(source, spec, outcome)
    except Refused as refused:
        outcome.status, outcome.reason = "refused", refused.reason
        outcome.reasons = list(refused.reasons)[:FIRST_REASONS]
        outcome.rows_loaded = outcome.rows_quarantined = outcome.rows_merged = 0
        raise
    with converted.spool.file:
        yield Taken(converted.spool.tables(), converted.convert.constants, converted.bad)


@dataclass
class _Converted:
    """A whole file, converted with one choice of formats."""

    convert: Converter
    spool: Spool = field(default_factory=Spool)
    bad: list[BadRow] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)

    def add(self, blocks: Iterator[Block]) -> None:
        for batch, bad in ahead(map(self.convert, blocks)):
            self.bad += bad
            if len(self.bad) > MOST_BAD:
                raise Refused(
                    f"more than {MOST_BAD:,} rows are bad", tuple(in_words(row) for row in self.bad[:FIRST_REASONS])
                )
            if batch.num_rows:
                self.keys.append(hashes(batch.column("row_key")))
                self.spool.add(batch)


def _convert_all(source: IO[bytes], spec: StreamSpec, outcome: Outcome) -> _Converted:
    try:
        layout = layout_of(source, spec, outcome.path)
        mapping = mapping_of(spec, layout.headers)
        used = used_of(spec, mapping)
        named = {ours: theirs for ours, theirs in mapping.items() if ours not in spec.positions}
        read, notes = headers.agreeing(layout.read, layout.headers, named)
        layout = replace(layout, read=read)
        outcome.notes += [*layout.notes, *notes]
        outcome.unmapped = [header for header in layout.headers if header not in used]
        converted = _converted(source, spec, layout, mapping, outcome)
        bad = converted.bad
        rows = sum(map(len, converted.keys))
        if rows and spec.totals == "drop":
            rows -= _without_last_total(converted, spec)
        if rows and has_repeated(converted.keys):
            if layout.sheets and not layout.is_named and spec.repeats is None:
                refuse_keys_of_two_sheets(converted.spool, layout)
            settled = settle(converted.spool, spec)
            converted.spool = settled.spool
            bad += settled.bad
            outcome.rows_merged = settled.added + settled.equal
            rows -= len(settled.bad) + outcome.rows_merged
            _note_repeats(settled, spec, outcome)
    except (Refused, Vanished):
        raise
    except FileNotFoundError:
        raise Vanished(f"{outcome.path} was listed but no longer exists.") from None
    except Exception as error:
        # Readers of workbooks and similar formats fail in many ways on a damaged file. Their messages may quote cells.
        raise Refused(f"the file is damaged or of another format than its name says ({type(error).__name__})") from None
    bad.sort(key=lambda row: row.line)
    bad[:] = map(layout.placed, bad)
    outcome.rows_read = rows + len(bad) + outcome.rows_merged
    outcome.rows_loaded, outcome.rows_quarantined = rows, len(bad)
    outcome.first_day, outcome.last_day = converted.convert.first_day, converted.convert.last_day
    # A total is expected at the end of an export.
    faults = [row for row in bad if not row.reason.startswith(totals.REASON)]
    if len(bad) > len(faults):
        outcome.notes.append(f"totals left out: {len(bad) - len(faults):,} (totals: keep loads them)")
    if faults and len(faults) > spec.bad_share * outcome.rows_read:
        raise Refused(
            f"{len(faults)} of {outcome.rows_read} rows are bad, more than the share of {spec.bad_share:g} that the "
            "manifest allows (bad_rows)",
            tuple(in_words(row) for row in faults[:FIRST_REASONS]),
        )
    return converted


def _without_last_total(converted: _Converted, spec: StreamSpec) -> int:
    """Move a last row that sums all others to quarantine; returns the number of rows moved."""
    line = totals.last_line(converted.convert.last, converted.spool, spec.entity, spec.key, converted.convert.filled)
    if line is None:
        return 0
    kept = Spool()
    for batch in converted.spool.batches():
        rest = batch.filter(pc.not_equal(batch.column("_line"), line))
        if rest.num_rows:
            kept.add(rest)
    converted.spool.file.close()
    converted.spool = kept
    converted.keys = [hashes(batch.column("row_key")) for batch in kept.batches()]
    converted.bad.append(BadRow(line, None, totals.REASON, {}))
    return 1


def _note_repeats(settled: Settled, spec: StreamSpec, outcome: Outcome) -> None:
    key = ", ".join(spec.key)
    if settled.added:
        outcome.notes.append(
            f"rows added to another row of the same {key}: {settled.added:,} (repeats: once keeps one of them)"
        )
    if settled.equal:
        outcome.notes.append(f"rows equal to another row of the same {key}, of which one is kept: {settled.equal:,}")


def _converted(
    source: IO[bytes], spec: StreamSpec, layout: Layout, mapping: dict[str, str], outcome: Outcome
) -> _Converted:
    """The file, converted with the formats that all of it proves. Raises Refused if the file leaves them open."""
    parts = tuple(
        {headers.clean_headers([one])[0] for made in spec.templates.values() if made.is_sum for one in made.headers}
    )
    evidence = Evidence(spec, layout.has_types, mapping, parts)
    # The first column is the one in which a line of totals has its word.
    used = {*used_of(spec, mapping), *layout.headers[:1]}
    believed: _Converted | None = None
    with opened(source, outcome.path) as file:
        blocks = evidence.watched(ahead(layout.read(file, used)))
        first = list(itertools.islice(blocks, 1))
        with suppress(Refused):
            believed = _Converted(Converter(spec, mapping, evidence.reading(), layout.has_types, outcome.path))
        if believed:
            believed.add(itertools.chain(first, blocks))
        else:
            # The first block left it open; the others may settle it.
            for _ in blocks:
                pass
    reading = evidence.reading()
    outcome.settings = {**layout.settings, **describe(reading, spec, mapping)}
    if believed and believed.convert.reading == reading:
        return believed
    if believed:
        believed.spool.file.close()
    again = _Converted(Converter(spec, mapping, reading, layout.has_types, outcome.path))
    with opened(source, outcome.path) as file:
        again.add(ahead(layout.read(file, used)))
    return again


def in_words(row: BadRow) -> str:
    """A bad row in words, without its content, which may contain personal data."""
    column = f", {row.column}" if row.column else ""
    return f"line {row.line}{column}: {row.reason}"
