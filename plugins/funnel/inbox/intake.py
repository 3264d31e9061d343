"""Intake: one file of the inbox, from its bytes to blocks of typed rows, or refused with the first ten reasons.

How numbers and dates are written is learnt from the whole file, where the manifest does not say. The first block is
believed meanwhile: when the rest proves it right, as nearly always, the file is read once, else once more. Rows wait in
a temporary file until the whole file is accepted: nothing of a refused one gets out. What is kept of persons is hashed
later, by the loader, which has the key.
"""

import gzip
import hashlib
import itertools
import json
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import IO, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox import separated, values
from funnel.inbox.blocks import TYPED, BadRow, Block, Refused, ahead
from funnel.inbox.entities import Field, day_name
from funnel.inbox.manifest import StreamSpec, lacks_currency

# Part of a file's fingerprint: files are read again when the way of reading them changes.
READING_VERSION = 1
FIRST_REASONS = 10
DISTINCT_DATES = 200_000
_DATES = ("date", "moment", "month")
_NUMBERS = ("number", "integer", "share")
_TABLES = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
# Arrow's own pool keeps for each thread what that thread let go: 100 MB of a million rows.
pa.set_memory_pool(pa.system_memory_pool())


class Vanished(Exception):
    """A file was listed and is gone, or changes while it is read. The next run finds it as it is then."""


@dataclass
class Outcome:
    """What became of one file. rows_read = rows_loaded + rows_quarantined; a refused file has loaded and kept none."""

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

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__, "modified_at": self.modified_at.isoformat() if self.modified_at else None}


@dataclass(frozen=True)
class Taken:
    """An accepted file: tables of its typed rows (Arrow IPC streams, one a block), what all rows say alike and the bad
    rows. To be read once."""

    tables: Iterator[bytes]
    constants: dict[str, str]
    bad: list[BadRow]


class _Spool:
    """Tables of rows in a temporary file, as they will be landed."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by take
        self.ends: list[int] = [0]

    def add(self, batch: Any) -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=_TABLES) as writer:
            writer.write_batch(batch)
        self.file.write(sink.getvalue())
        self.ends.append(self.file.tell())

    def tables(self) -> Iterator[bytes]:
        self.file.seek(0)
        for start, end in itertools.pairwise(self.ends):
            yield self.file.read(end - start)

    def batches(self) -> Iterator[Any]:
        for table in self.tables():
            with pa.ipc.open_stream(table) as rows:
                yield from rows


Reader = Callable[[IO[bytes], set[str] | None], Iterator[Block]]


@dataclass(frozen=True)
class Layout:
    """How one file is to be read: headers, a reader for them, and what is known of its signs."""

    headers: tuple[str, ...]
    read: Reader
    settings: dict[str, Any]
    has_types: bool = False


@contextmanager
def opened(source: IO[bytes], path: str) -> Iterator[IO[bytes]]:
    """The file's content, decompressed when it is gzip, whatever its name says."""
    source.seek(0)
    is_gzip = source.read(2) == b"\x1f\x8b"
    source.seek(0)
    file: IO[bytes] = gzip.GzipFile(fileobj=source) if is_gzip else source  # type: ignore[assignment]
    try:
        yield file
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise Refused("the compressed file is cut short or damaged; send it again") from None


def fingerprint(source: IO[bytes], spec: StreamSpec) -> tuple[str, int]:
    """Hash of a file's bytes and of how they are read, and its size. A renamed file keeps it."""
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
    """Orders files: of two that hold the same row, the later one's counts. Names are compared as people read them.

    Times come after all names: a manifest that states `newest_by: time` replaces what names had settled.
    """
    stem = re.sub(r"\.(gz|[a-z0-9]{2,7})$", "", re.sub(r"\.gz$", "", path.lower()))
    natural = re.sub(r"\d+", lambda found: found[0].zfill(12), stem)
    time = f"~{modified_at.astimezone(UTC).isoformat()}" if modified_at and newest_by == "time" else ""
    # A tab sorts before what a longer name may go on with.
    return f"{time}|{natural}\t{path}"


@contextmanager
def take(source: IO[bytes], spec: StreamSpec, outcome: Outcome) -> Iterator[Taken]:
    """Read one file whole; fills `outcome`. Raises Refused with the reasons, and then nothing of it may be loaded."""
    try:
        converted = _convert_all(source, spec, outcome)
    except Refused as refused:
        outcome.status, outcome.reason = "refused", refused.reason
        outcome.reasons = list(refused.reasons)[:FIRST_REASONS]
        outcome.rows_loaded = outcome.rows_quarantined = 0
        raise
    with converted.spool.file:
        yield Taken(converted.spool.tables(), converted.convert.constants, converted.bad)


@dataclass
class _Converted:
    """A whole file by one reading of its cells."""

    convert: "_Converter"
    spool: _Spool = field(default_factory=_Spool)
    bad: list[BadRow] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)

    def add(self, blocks: Iterator[Block]) -> None:
        for batch, bad in ahead(map(self.convert, blocks)):
            self.bad += bad
            if batch.num_rows:
                self.keys.append(_hashes(batch.column("row_key")))
                self.spool.add(batch)


def _convert_all(source: IO[bytes], spec: StreamSpec, outcome: Outcome) -> _Converted:
    try:
        layout = _layout(source, spec, outcome.path)
        mapping = _mapping(spec, layout.headers)
        used = set(mapping.values())
        outcome.unmapped = [header for header in layout.headers if header not in used]
        converted = _converted(source, spec, layout, mapping, outcome)
        bad, spool = converted.bad, converted.spool
        rows = sum(map(len, converted.keys))
        if rows and _has_repeated(converted.keys):
            bad_before = len(bad)
            spool = converted.spool = _without_repeated(spool, bad)
            rows -= len(bad) - bad_before
    except (Refused, Vanished):
        raise
    except FileNotFoundError:
        raise Vanished(f"{outcome.path} was listed and is gone.") from None
    except Exception as error:
        # Readers of workbooks and the like fail in many ways on a damaged file. Their messages may quote cells.
        raise Refused(f"the file is damaged or of another format than its name says ({type(error).__name__})") from None
    bad.sort(key=lambda row: row.line)
    outcome.rows_read = rows + len(bad)
    outcome.rows_loaded, outcome.rows_quarantined = rows, len(bad)
    outcome.first_day, outcome.last_day = converted.convert.first_day, converted.convert.last_day
    if bad and len(bad) > spec.bad_share * outcome.rows_read:
        raise Refused(
            f"{len(bad)} of {outcome.rows_read} rows are bad, more than the share of {spec.bad_share:g} that the "
            "manifest allows (bad_rows)",
            tuple(told(row) for row in bad[:FIRST_REASONS]),
        )
    return converted


def _converted(
    source: IO[bytes], spec: StreamSpec, layout: Layout, mapping: dict[str, str], outcome: Outcome
) -> _Converted:
    """The file by the reading that all of it proves. Raises Refused where the file leaves it open."""
    evidence = _Evidence(spec, layout, mapping)
    used = set(mapping.values())
    believed: _Converted | None = None
    with opened(source, outcome.path) as file:
        blocks = evidence.watched(ahead(layout.read(file, used)))
        first = list(itertools.islice(blocks, 1))
        with suppress(Refused):
            believed = _Converted(_Converter(spec, mapping, evidence.reading(), layout.has_types))
        if believed:
            believed.add(itertools.chain(first, blocks))
        else:
            # The first block left it open; the others may settle it.
            for _ in blocks:
                pass
    reading = evidence.reading()
    _tell_reading(reading, spec, layout, mapping, outcome)
    if believed and believed.convert.reading == reading:
        return believed
    if believed:
        believed.spool.file.close()
    again = _Converted(_Converter(spec, mapping, reading, layout.has_types))
    with opened(source, outcome.path) as file:
        again.add(ahead(layout.read(file, used)))
    return again


def told(row: BadRow) -> str:
    """A bad row in words, without what it says: that may be anybody's name."""
    column = f", {row.column}" if row.column else ""
    return f"line {row.line}{column}: {row.reason}"


# Headers ------------------------------------------------------------------------------------------------------------


def _layout(source: IO[bytes], spec: StreamSpec, path: str) -> Layout:
    kind = spec.format or path.lower().removesuffix(".gz").rpartition(".")[2]
    wanted = set((spec.columns or {}).values())
    if kind in ("xlsx", "xlsm"):
        from funnel.inbox import spreadsheets

        return spreadsheets.workbook(source, path, spec, wanted)
    if kind == "parquet":
        from funnel.inbox import spreadsheets

        return spreadsheets.parquet(source, path, spec)
    if kind in ("jsonl", "ndjson"):
        from funnel.inbox import spreadsheets

        return spreadsheets.json_lines(source, path, spec)
    if kind in ("x12", "edi", "852"):
        from funnel.inbox import x12

        return x12.layout(source, path, spec)
    with opened(source, path) as file:
        sample = file.read(separated.SAMPLE_BYTES)
    delimiter = spec.delimiter or ("\t" if kind == "tsv" else None)
    dialect = separated.sniff(sample, spec.encoding, delimiter, spec.quote, spec.header, wanted)
    if dialect.encoding == "utf-8" and not spec.encoding and not dialect.mark_bytes:
        dialect = _checked_encoding(source, path, dialect)
    return Layout(
        dialect.headers,
        lambda file, only: separated.read(file, dialect, only),
        {"format": "csv", **dialect.told()},
    )


def _checked_encoding(source: IO[bytes], path: str, dialect: separated.Dialect) -> separated.Dialect:
    """Whether the whole file is UTF-8; else what its first other line looks like."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    with opened(source, path) as file:
        while True:
            data = file.read(separated.BLOCK_BYTES)
            try:
                decoder.decode(data, final=not data)
            except UnicodeDecodeError:
                return replace(dialect, encoding=separated.guess_encoding(data))
            if not data:
                return dialect


def _mapping(spec: StreamSpec, headers: tuple[str, ...]) -> dict[str, str]:
    """Our names → the file's headers. Raises Refused when a column that the manifest names is missing."""
    if spec.columns is None:
        ours = {re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_"): header for header in reversed(headers)}
        mapping = {name: ours[name] for name in spec.entity.names if name in ours and name not in spec.constants}
        known = {*mapping, *spec.constants}
        known |= {name for name, other in spec.entity.fallbacks if other in known}
        lacking = [each.name for each in spec.entity.fields if each.required and each.name not in known]
        lacking += [" or ".join(group) for group in spec.entity.any_of if not known & set(group)]
        if lacking:
            raise Refused(
                f"the header has no column {', '.join(lacking)}; it reads {', '.join(headers[:30])}. Say in the "
                "manifest's columns which column is which"
            )
        if lacks_currency(spec.entity, known, spec.currency):
            raise Refused("nobody says in which currency the amounts are; state currency: USD in the manifest")
    else:
        cleaned = {name: separated.clean_headers([header])[0] for name, header in spec.columns.items()}
        lacking = sorted({header for header in cleaned.values() if header not in headers})
        if lacking:
            raise Refused(
                f"the header has no column {', '.join(map(repr, lacking))}; it reads {', '.join(headers[:30])}"
            )
        mapping = cleaned
    return mapping


# Learning how a column is written -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """What is stated or was learnt of a file."""

    decimal: str
    thousands: str | None
    formats: dict[str, str | None]
    percents: frozenset[str]


class _Evidence:
    """What the cells seen so far prove about how numbers and dates are written, where the manifest does not say."""

    def __init__(self, spec: StreamSpec, layout: Layout, mapping: dict[str, str]) -> None:
        self.spec, self.mapping, self.has_types = spec, mapping, layout.has_types
        fields = {name: spec.entity.field(name) for name in mapping}
        self.months = {name for name, each in fields.items() if each.kind == "month"}
        self.dates = [name for name, each in fields.items() if each.kind in _DATES and name not in spec.date_formats]
        self.numbers = [name for name, each in fields.items() if each.kind in _NUMBERS]
        self.shares = [name for name in self.numbers if fields[name].kind == "share"]
        self.asks_sign = bool(self.numbers) and spec.decimal is None
        self.seen: dict[str, set[str]] = {name: set() for name in self.dates}
        self.points = self.commas = self.unclear = 0
        self.example = ""
        self.largest: dict[str, float] = dict.fromkeys(self.shares, 0.0)

    def watched(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """The same blocks, each looked at before it is passed on."""
        for block in blocks:
            self._look_at(block)
            yield block

    def _look_at(self, block: Block) -> None:
        for name in self.dates:
            if len(self.seen[name]) < DISTINCT_DATES:
                self.seen[name] |= _distinct(block.columns[self.mapping[name]], self.spec, name)
        for name in self.numbers if self.asks_sign else ():
            self._look_for_signs(block.columns[self.mapping[name]])
        for name in self.shares:
            plain = pc.replace_substring(block.columns[self.mapping[name]], TYPED, "")
            plain = pc.utf8_trim_whitespace(plain)
            plain = plain.filter(pc.match_substring_regex(plain, r"^[0-9]{1,3}([.,][0-9]+)?$"))
            if len(plain):
                highest = pc.max(pc.cast(pc.replace_substring(plain, ",", "."), pa.float64())).as_py()
                self.largest[name] = max(self.largest[name], highest)

    def _look_for_signs(self, column: Any) -> None:
        if self.has_types:
            column = column.filter(pc.invert(pc.ends_with(column, TYPED)))
        if _is_all_digits(column):
            return
        odd = column.filter(pc.or_(pc.match_substring(column, "."), pc.match_substring(column, ",")))
        if not len(odd):
            return
        points = pc.sum(pc.match_substring_regex(odd, values.POINT_PROOF)).as_py()
        self.points += points
        if points == len(odd):
            return
        self.commas += pc.sum(pc.match_substring_regex(odd, values.COMMA_PROOF)).as_py()
        unclear = odd.filter(pc.match_substring_regex(odd, values.UNCLEAR_NUMBER))
        self.unclear += len(unclear)
        self.example = self.example or (unclear[0].as_py().strip() if len(unclear) else "")

    def reading(self) -> Reading:
        """What it comes to. Raises Refused where it may be read in two ways."""
        decimal = self.spec.decimal or "."
        formats: dict[str, str | None] = dict(self.spec.date_formats)
        try:
            if self.asks_sign:
                decimal = values.decimal_sign(self.points, self.commas, self.unclear, self.example)
            for name in self.dates:
                formats[name] = values.date_format(self.seen[name], name, months=name in self.months)
        except values.Unclear as unclear:
            raise Refused(str(unclear)) from None
        percents = frozenset(name for name, highest in self.largest.items() if highest > 1)
        return Reading(decimal, self.spec.thousands, formats, percents)


def _tell_reading(
    reading: Reading, spec: StreamSpec, layout: Layout, mapping: dict[str, str], outcome: Outcome
) -> None:
    outcome.settings = dict(layout.settings)
    if any(spec.entity.field(name).kind in _NUMBERS for name in mapping):
        outcome.settings["decimal"] = reading.decimal
    told_formats = {name: stated for name, stated in reading.formats.items() if name in mapping and stated}
    if told_formats:
        outcome.settings["date_format"] = told_formats
    if reading.percents:
        outcome.settings["percentages"] = sorted(reading.percents)


def _distinct(column: Any, spec: StreamSpec, name: str) -> set[str]:
    corrections, nulls = spec.maps.get(name, {}), set(spec.nulls)
    found = set()
    for text in pc.unique(column).to_pylist():
        text = (text or "").replace(TYPED, "").strip()
        text = corrections.get(text, text) or ""
        if text and text not in nulls and not values.SPREADSHEET_ERRORS.match(text):
            found.add(text)
    return found


# Reading the cells --------------------------------------------------------------------------------------------------


class _Converter:
    """Blocks of a file's cells → batches of our columns, all as the text that PostgreSQL reads, and the bad rows."""

    def __init__(self, spec: StreamSpec, mapping: dict[str, str], reading: Reading, has_types: bool) -> None:
        self.spec = spec
        self.has_types = has_types
        self.mapping = mapping
        self.reading = reading
        self.zone = ZoneInfo(spec.timezone)
        self.first_day: str | None = None
        self.last_day: str | None = None
        # Of columns that say the same in all rows of the file; null where they say nothing.
        self.constants: dict[str, str] = {}
        self.readers = {name: self._reader(spec.entity.field(name)) for name in (*mapping, *spec.constants)}

    def __call__(self, block: Block) -> tuple[Any, list[BadRow]]:
        length = len(block.lines)
        cells = {name: self._cells(name, block.columns[header]) for name, header in self.mapping.items()}
        if length:
            filled = None
            for column in cells.values():
                mask = pc.is_valid(column)
                filled = mask if filled is None else pc.or_(filled, mask)
            if filled is not None and not pc.all(filled).as_py():
                block = replace(
                    block,
                    columns={name: column.filter(filled) for name, column in block.columns.items()},
                    lines=block.lines.filter(filled),
                )
                cells = {name: column.filter(filled) for name, column in cells.items()}
                length = len(block.lines)
        problems: dict[int, tuple[str | None, str]] = {}
        columns: dict[str, Any] = {}
        for each in self.spec.entity.fields:
            name = each.name
            if name in cells:
                read = self._read(each, cells[name], problems, block.is_clean)
            elif name in self.spec.constants:
                constant = pa.repeat(pa.scalar(self.spec.constants[name], pa.string()), length)
                read = self._read(each, constant, problems, False)
            elif each.kind == "currency" and self.spec.currency:
                read = {name: pa.repeat(pa.scalar(self.spec.currency, pa.string()), length)}
            else:
                continue
            columns |= read
        for name, other in self.spec.entity.fallbacks:
            if name not in columns and other in columns:
                columns[name] = columns[other]
        self._require(columns, problems)
        key = [column for name in self.spec.key if (column := self._key_column(columns, name)) is not None]
        columns["row_key"] = (
            pc.fill_null(key[0], "")
            if len(key) == 1
            else pc.binary_join_element_wise(*key, "|", null_handling="replace", null_replacement="")
        )
        columns["_line"] = block.lines
        batch = pa.record_batch(list(columns.values()), names=list(columns))
        bad = list(block.bad)
        if problems:
            texts = {name: column.to_pylist() for name, column in block.columns.items()} if problems else {}
            for place, (column, reason) in sorted(problems.items()):
                payload = {header: (theirs[place] or "").replace(TYPED, "") for header, theirs in texts.items()}
                row_key = self._readable_key(place, cells, columns)
                bad.append(BadRow(block.lines[place].as_py(), column, reason, payload, row_key))
            good = [place not in problems for place in range(length)]
            batch = batch.filter(pa.array(good))
        self._note_days(batch)
        return self._without_constants(batch), bad

    def _cells(self, name: str, column: Any) -> Any:
        if self.has_types:
            is_number = pc.fill_null(pc.ends_with(column, TYPED), False)
            column = pc.replace_substring(column, TYPED, "")
            if self.reading.decimal == "," and self.spec.entity.field(name).kind in _NUMBERS:
                column = pc.if_else(is_number, pc.replace_substring(column, ".", ","), column)
        ends = _ends(column)
        if ends.may_have_space:
            column = pc.utf8_trim_whitespace(column)
        if self.spec.nulls or ends.may_have_space:
            nulls = pa.array(["", *self.spec.nulls], pa.string())
            column = pc.if_else(pc.is_in(column, value_set=nulls), pa.scalar(None, pa.string()), column)
        elif ends.has_empty:
            column = pc.if_else(pc.equal(pc.binary_length(column), 0), pa.scalar(None, pa.string()), column)
        corrections = self.spec.maps.get(name)
        if corrections:
            places = pc.index_in(column, value_set=pa.array(list(corrections), pa.string()))
            corrected = pa.array([ours or None for ours in corrections.values()], pa.string()).take(places)
            column = pc.if_else(pc.is_valid(places), corrected, column)
        return column

    def _read(
        self, each: Field, column: Any, problems: dict[int, tuple[str | None, str]], is_clean: bool
    ) -> dict[str, Any]:
        """The raw columns of one field; puts what cannot be read into `problems`."""
        if not is_clean:
            column = self._without_errors(each.name, column, problems)
        if each.kind in ("text", "email", "person"):
            return {each.name: column}
        if each.kind == "moment":
            return self._read_moments(each, column, problems)
        if each.kind in ("number", "integer", "share"):
            pattern = values.PLAIN_INTEGER if each.kind == "integer" else values.PLAIN_NUMBER
            if each.kind == "share" or (self.reading.decimal == "," and each.kind == "number"):
                pattern = values.PLAIN_INTEGER
            if each.kind == "share":
                odd = pc.is_valid(column)
            elif _is_all_digits(column):
                return {each.name: column}
            else:
                odd = pc.invert(pc.match_substring_regex(column, pattern))
        else:
            odd = pc.is_valid(column)
        odd = pc.fill_null(odd, False)
        places = pc.indices_nonzero(odd)
        if not len(places):
            return {each.name: column}
        chosen = column.take(places).dictionary_encode()
        answers = [self.readers[each.name](text) for text in chosen.dictionary.to_pylist()]
        read = pa.array([answer[0] for answer in answers], pa.string()).take(chosen.indices)
        self._note(each.name, places, chosen, answers, problems)
        return {each.name: pc.replace_with_mask(column, odd, read)}

    def _note(
        self, name: str, places: Any, chosen: Any, answers: list[Any], problems: dict[int, tuple[str | None, str]]
    ) -> None:
        wrong = {number for number, answer in enumerate(answers) if answer[1] is not None}
        if wrong:
            for place, number in zip(places.to_pylist(), chosen.indices.to_pylist(), strict=True):
                if number in wrong:
                    problems.setdefault(place, (name, answers[number][1]))

    def _read_moments(self, each: Field, column: Any, problems: dict[int, tuple[str | None, str]]) -> dict[str, Any]:
        coded = column.dictionary_encode()
        answers = [self.readers[each.name](text) for text in coded.dictionary.to_pylist()]
        times, days = [], []
        for value, _ in answers:
            time, _, day = (value or "\0").partition("\0")
            times.append(time or None)
            days.append(day or None)
        places = pc.indices_nonzero(pc.fill_null(pc.is_valid(column), False))
        wrong = any(reason is not None for _, reason in answers)
        if wrong:
            chosen = column.take(places).dictionary_encode()
            again = [self.readers[each.name](text) for text in chosen.dictionary.to_pylist()]
            self._note(each.name, places, chosen, again, problems)
        return {
            each.name: pa.array(times, pa.string()).take(coded.indices),
            day_name(each.name): pa.array(days, pa.string()).take(coded.indices),
        }

    def _without_errors(self, name: str, column: Any, problems: dict[int, tuple[str | None, str]]) -> Any:
        for pattern, reason in (
            (
                r"^#(REF!|DIV/0!|N/A|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|FIELD!|BLOCKED!|GETTING_DATA)",
                "holds a spreadsheet's error",
            ),
            ("\ufffd", "holds characters that are not in the file's encoding"),
            ("\x00", "holds a NUL character"),
        ):
            wrong = pc.fill_null(pc.match_substring_regex(column, pattern), False)
            if pc.any(wrong).as_py():
                for place in pc.indices_nonzero(wrong).to_pylist():
                    problems.setdefault(place, (name, reason))
                column = pc.if_else(wrong, pa.scalar(None, pa.string()), column)
        return column

    def _require(self, columns: dict[str, Any], problems: dict[int, tuple[str | None, str]]) -> None:
        for each in self.spec.entity.fields:
            if each.required and each.name in columns:
                present = pc.is_valid(columns[each.name])
                if each.kind == "moment":
                    present = pc.or_(present, pc.is_valid(columns[day_name(each.name)]))
                if not pc.all(present).as_py():
                    for place in pc.indices_nonzero(pc.invert(present)).to_pylist():
                        problems.setdefault(place, (each.name, "is required, but empty"))
        for group in self.spec.entity.any_of:
            present = None
            for name in (name for each in group for name in (each, day_name(each)) if name in columns):
                mask = pc.is_valid(columns[name])
                present = mask if present is None else pc.or_(present, mask)
            if present is not None and not pc.all(present).as_py():
                for place in pc.indices_nonzero(pc.invert(present)).to_pylist():
                    problems.setdefault(place, (group[0], f"is empty, and so is all of {', '.join(group)}"))
        for name in self.spec.key:
            if self.spec.entity.field(name).kind == "text" and name in columns:
                places = pa.array(_beginning_with(columns[name], b"gGsStT"))
                begun = columns[name].take(places)
                likely = pc.match_substring_regex(begun, r"(?i)^(grand|sub|total|sum|gesamt|totaal)")
                for place in places.filter(likely).to_pylist():
                    if values.TOTALS.fullmatch(columns[name][place].as_py().lower()):
                        problems[place] = (name, "is a total, not a record")

    def _key_column(self, columns: dict[str, Any], name: str) -> Any:
        column = columns.get(name)
        if self.spec.entity.field(name).kind == "moment" and column is not None:
            column = pc.coalesce(column, columns[day_name(name)])
        return column

    def _readable_key(self, place: int, cells: dict[str, Any], columns: dict[str, Any]) -> str | None:
        """The key of a bad row; None where one of its parts is what could not be read."""
        for name in self.spec.key:
            part = self._key_column(columns, name)
            if name in cells and cells[name][place].is_valid and not part[place].is_valid:
                return None
        return columns["row_key"][place].as_py() or None

    def _note_days(self, batch: Any) -> None:
        """The range of the dates that a person would ask about first."""
        for each in self.spec.entity.fields:
            if each.kind not in _DATES or each.name == "expected_close_date":
                continue
            names = (each.name, day_name(each.name)) if each.kind == "moment" else (each.name,)
            for name in names if each.name in batch.schema.names else ():
                span = pc.min_max(batch.column(name))
                low, high = span["min"].as_py(), span["max"].as_py()
                if low:
                    self.first_day = min(self.first_day or low[:10], low[:10])
                    self.last_day = max(self.last_day or high[:10], high[:10])

    def _without_constants(self, batch: Any) -> Any:
        """The batch without the columns that the manifest fills; what it fills them with is noted once."""
        stated = set(self.spec.constants)
        if self.spec.currency and "currency_code" not in self.mapping:
            stated.add("currency_code")
        names = [each for name in stated for each in (name, day_name(name)) if each in batch.schema.names]
        if batch.num_rows:
            filled = {name: batch.column(name)[0].as_py() for name in names}
            self.constants = {name: value for name, value in filled.items() if value is not None}
        return batch.drop_columns(names)

    def _reader(self, each: Field) -> values.Remembered:
        decimal, thousands = self.reading.decimal, self.reading.thousands
        stated = self.reading.formats.get(each.name)
        is_percent = each.name in self.reading.percents

        def integer(text: str) -> str:
            plain = values.number(text, decimal, thousands)
            whole, _, fraction = plain.partition(".")
            if fraction.strip("0"):
                raise values.BadCell("is no whole number")
            if len(whole.lstrip("-")) > 18:
                raise values.BadCell("is outside the range of whole numbers")
            return whole

        def moment(text: str) -> str:
            time, day = values.moment(text, stated, self.zone)
            return f"{time or ''}\0{day or ''}"

        readers: dict[str, Callable[[str], str]] = {
            "number": lambda text: values.number(text, decimal, thousands),
            "integer": integer,
            "share": lambda text: values.share(text, decimal, thousands, is_percent),
            "date": lambda text: values.day(text, stated),
            "month": lambda text: values.month(text, stated),
            "moment": moment,
            "stage": lambda text: values.stage(text, each.values),
            "currency": values.currency,
        }
        return values.Remembered(readers.get(each.kind, lambda text: text))


# Cells as bytes: what a whole column has or has not, without looking at each cell ------------------------------------


@dataclass(frozen=True)
class _Ends:
    may_have_space: bool
    has_empty: bool


def _laid_out(column: Any) -> tuple[Any, Any]:
    """(bytes of all cells, where each begins and the last one ends). A null has no bytes."""
    import numpy as np

    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data or b"", np.uint8), places


def _ends(column: Any) -> _Ends:
    """Whether cells may begin or end with a space, of which Unicode knows many, and whether some are empty."""
    if not len(column):
        return _Ends(False, False)
    data, places = _laid_out(column)
    filled = places[1:] > places[:-1]
    ends = data[places[:-1][filled]], data[places[1:][filled] - 1]
    return _Ends(any(bool(((each <= 32) | (each >= 127)).any()) for each in ends), not filled.all())


def _is_all_digits(column: Any) -> bool:
    """Whether every cell is a null or a whole number of at most 18 digits."""
    if not len(column):
        return True
    data, places = _laid_out(column)
    lengths = places[1:] - places[:-1]
    if lengths.max() > 18 or int((lengths == 0).sum()) != column.null_count:
        return False
    digits = data[places[0] : places[-1]]
    return not len(digits) or (int(digits.min()) >= 48 and int(digits.max()) <= 57)


def _beginning_with(column: Any, letters: bytes) -> Any:
    """The places of the cells that begin with one of the letters."""
    import numpy as np

    if not len(column):
        return np.array([], np.int64)
    data, places = _laid_out(column)
    filled = np.flatnonzero(places[1:] > places[:-1])
    return filled[np.isin(data[places[:-1][filled]], np.frombuffer(letters, np.uint8))]


# Rows that stand twice ----------------------------------------------------------------------------------------------


def _hashes(keys: Any) -> Any:
    """Eight bytes for each key: a million rows must not stay in memory to find the two that are the same."""
    import numpy as np

    return np.fromiter(map(hash, keys.to_pylist()), np.int64, len(keys))


def _has_repeated(keys: list[Any]) -> bool:
    import numpy as np

    together = np.sort(np.concatenate(keys))
    return bool((together[1:] == together[:-1]).any())


def _without_repeated(spool: _Spool, bad: list[BadRow]) -> _Spool:
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
    kept = _Spool()
    for batch in spool.batches():
        is_repeated = pc.is_in(batch.column("row_key"), value_set=repeated)
        wrong: set[int] = set()
        for row in batch.filter(is_repeated).to_pylist():
            line = row.pop("_line")
            other_line, content = last[row["row_key"]]
            if line != other_line and tuple(row.values()) != content:
                reason = f"line {other_line} has the same key and other values; the last one counts"
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
