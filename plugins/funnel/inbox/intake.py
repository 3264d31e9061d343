"""Intake: one file of the inbox, from its bytes to blocks of typed rows, or refused with the first ten reasons.

A file is read twice: once to learn how its numbers and dates are written, where the manifest does not say, and once to
read them. Rows wait in a temporary file until the whole file is accepted: nothing of a refused one gets out. What is
kept of persons is hashed later, by the loader, which has the key.
"""

import gzip
import hashlib
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """An accepted file: its typed rows and its bad ones, to be read once."""

    rows: Iterator[Any]
    bad: list[BadRow]


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
    """Orders files: of two that hold the same row, the later one's counts. Names are compared as people read them."""
    stem = re.sub(r"\.(gz|[a-z0-9]{2,7})$", "", re.sub(r"\.gz$", "", path.lower()))
    natural = re.sub(r"\d+", lambda found: found[0].zfill(12), stem)
    time = modified_at.astimezone(UTC).isoformat() if modified_at and newest_by == "time" else ""
    return f"{time}|{natural}"


@contextmanager
def take(source: IO[bytes], spec: StreamSpec, outcome: Outcome) -> Iterator[Taken]:
    """Read one file whole; fills `outcome`. Raises Refused with the reasons, and then nothing of it may be loaded."""
    with tempfile.TemporaryFile() as spool:
        try:
            bad, schema = _convert_all(source, spec, outcome, spool)
        except Refused as refused:
            outcome.status, outcome.reason = "refused", refused.reason
            outcome.reasons = list(refused.reasons)[:FIRST_REASONS]
            outcome.rows_loaded = outcome.rows_quarantined = 0
            raise
        yield Taken(_replay(spool) if schema is not None else iter(()), bad)


def _replay(spool: IO[bytes]) -> Iterator[Any]:
    spool.seek(0)
    with pa.ipc.open_stream(spool) as stream:
        yield from stream


def _convert_all(source: IO[bytes], spec: StreamSpec, outcome: Outcome, spool: IO[bytes]) -> tuple[list[BadRow], Any]:
    try:
        layout = _layout(source, spec, outcome.path)
        mapping = _mapping(spec, layout.headers)
        used = set(mapping.values())
        outcome.unmapped = [header for header in layout.headers if header not in used]
        reading = _learn(source, spec, layout, mapping, outcome)
        convert = _Converter(spec, mapping, reading, layout.has_types)
        bad: list[BadRow] = []
        writer = None
        keys: list[Any] = []
        with opened(source, outcome.path) as file:
            for block in ahead(layout.read(file, used)):
                batch, worse = convert(block)
                bad += worse
                if batch.num_rows:
                    writer = writer or pa.ipc.new_stream(spool, batch.schema)
                    writer.write_batch(batch)
                    keys.append(_hashes(batch.column("row_key")))
        rows = sum(len(each) for each in keys)
        if writer is not None:
            writer.close()
            repeated = _repeated(spool, keys)
            if repeated:
                bad += repeated["bad"]
                rows -= len(repeated["bad"])
                shutil.copyfileobj(repeated["spool"], _emptied(spool))
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
    outcome.first_day, outcome.last_day = convert.first_day, convert.last_day
    if bad and len(bad) > spec.bad_share * outcome.rows_read:
        raise Refused(
            f"{len(bad)} of {outcome.rows_read} rows are bad, more than the share of {spec.bad_share:g} that the "
            "manifest allows (bad_rows)",
            tuple(told(row) for row in bad[:FIRST_REASONS]),
        )
    return bad, writer


def _emptied(spool: IO[bytes]) -> IO[bytes]:
    spool.seek(0)
    spool.truncate()
    return spool


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


def _learn(source: IO[bytes], spec: StreamSpec, layout: Layout, mapping: dict[str, str], outcome: Outcome) -> Reading:
    """How numbers and dates are written. Raises Refused where the file leaves it open."""
    fields = {name: spec.entity.field(name) for name in mapping}
    dates = [name for name, each in fields.items() if each.kind in _DATES and name not in spec.date_formats]
    numbers = [name for name, each in fields.items() if each.kind in _NUMBERS]
    shares = [name for name in numbers if fields[name].kind == "share"]
    asks_sign = bool(numbers) and spec.decimal is None
    formats: dict[str, str | None] = dict(spec.date_formats)
    percents: set[str] = set()
    decimal = spec.decimal or "."
    if dates or asks_sign or shares:
        seen: dict[str, set[str]] = {name: set() for name in dates}
        proof = {"point": 0, "comma": 0, "unclear": 0}
        example = ""
        largest: dict[str, float] = dict.fromkeys(shares, 0.0)
        wanted = {mapping[name] for name in (*dates, *(numbers if asks_sign else shares))}
        with opened(source, outcome.path) as file:
            for block in ahead(layout.read(file, wanted)):
                for name in dates:
                    if len(seen[name]) < DISTINCT_DATES:
                        seen[name] |= _distinct(block.columns[mapping[name]], spec, name)
                for name in numbers if asks_sign else ():
                    column = block.columns[mapping[name]]
                    if layout.has_types:
                        column = column.filter(pc.invert(pc.ends_with(column, TYPED)))
                    has_sign = pc.or_(pc.match_substring(column, "."), pc.match_substring(column, ","))
                    odd = column.filter(has_sign)
                    if not len(odd):
                        continue
                    points = pc.sum(pc.match_substring_regex(odd, values.POINT_PROOF)).as_py()
                    if points == len(odd):
                        proof["point"] += points
                        continue
                    proof["point"] += points
                    proof["comma"] += pc.sum(pc.match_substring_regex(odd, values.COMMA_PROOF)).as_py()
                    unclear = odd.filter(pc.match_substring_regex(odd, values.UNCLEAR_NUMBER))
                    proof["unclear"] += len(unclear)
                    example = example or (unclear[0].as_py().strip() if len(unclear) else "")
                for name in shares:
                    plain = pc.replace_substring(block.columns[mapping[name]], TYPED, "")
                    plain = pc.utf8_trim_whitespace(plain)
                    plain = plain.filter(pc.match_substring_regex(plain, r"^[0-9]{1,3}([.,][0-9]+)?$"))
                    if len(plain):
                        highest = pc.max(pc.cast(pc.replace_substring(plain, ",", "."), pa.float64())).as_py()
                        largest[name] = max(largest[name], highest)
        try:
            if asks_sign:
                decimal = values.decimal_sign(proof["point"], proof["comma"], proof["unclear"], example)
            for name in dates:
                texts = seen[name]
                kind = fields[name].kind
                formats[name] = values.date_format(texts, name, months=kind == "month")
        except values.Unclear as unclear:
            raise Refused(str(unclear)) from None
        percents = {name for name, highest in largest.items() if highest > 1}
    if numbers:
        outcome.settings["decimal"] = decimal
    outcome.settings = {**layout.settings, **outcome.settings}
    told_formats = {name: stated for name, stated in formats.items() if name in mapping and stated}
    if told_formats:
        outcome.settings["date_format"] = told_formats
    if percents:
        outcome.settings["percentages"] = sorted(percents)
    return Reading(decimal, spec.thousands, formats, frozenset(percents))


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
                payload = {header: (cells[place] or "").replace(TYPED, "") for header, cells in texts.items()}
                bad.append(BadRow(block.lines[place].as_py(), column, reason, payload))
            good = [place not in problems for place in range(length)]
            batch = batch.filter(pa.array(good))
        self._note_days(batch)
        return batch, bad

    def _cells(self, name: str, column: Any) -> Any:
        if self.has_types:
            is_number = pc.fill_null(pc.ends_with(column, TYPED), False)
            column = pc.replace_substring(column, TYPED, "")
            if self.reading.decimal == "," and self.spec.entity.field(name).kind in _NUMBERS:
                column = pc.if_else(is_number, pc.replace_substring(column, ".", ","), column)
        column = pc.utf8_trim_whitespace(column)
        nulls = pa.array(["", *self.spec.nulls], pa.string())
        column = pc.if_else(pc.is_in(column, value_set=nulls), pa.scalar(None, pa.string()), column)
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
            odd = pc.invert(pc.match_substring_regex(column, pattern))
            if each.kind == "share":
                odd = pc.is_valid(column)
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
                column = columns[name]
                likely = pc.fill_null(
                    pc.match_substring_regex(column, r"(?i)^(grand|sub|total|sum|gesamt|totaal)"), False
                )
                if pc.any(likely).as_py():
                    for place in pc.indices_nonzero(likely).to_pylist():
                        if values.TOTALS.fullmatch(column[place].as_py().lower()):
                            problems[place] = (name, "is a total, not a record")

    def _key_column(self, columns: dict[str, Any], name: str) -> Any:
        column = columns.get(name)
        if self.spec.entity.field(name).kind == "moment" and column is not None:
            column = pc.coalesce(column, columns[day_name(name)])
        return column

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


# Rows that stand twice ----------------------------------------------------------------------------------------------


def _hashes(keys: Any) -> Any:
    """Eight bytes for each key: a million rows must not stay in memory to find the two that are the same."""
    import numpy as np

    return np.fromiter(map(hash, keys.to_pylist()), np.int64, len(keys))


def _repeated(spool: IO[bytes], keys: list[Any]) -> dict[str, Any]:
    """Rows whose key stands again further down with other values: the last one counts, the others are bad rows.

    Rows that say the same twice are no problem. Empty when every key stands once, which one count tells.
    """
    import numpy as np

    together = np.sort(np.concatenate(keys))
    if not (together[1:] == together[:-1]).any():
        return {}
    counts = pc.value_counts(pa.chunked_array([batch.column("row_key") for batch in _replay(spool)]))
    counted = counts.filter(pc.greater(counts.field("counts"), 1))
    repeated = counted.field("values")
    last: dict[str, tuple[int, tuple[Any, ...]]] = {}
    for batch in _replay(spool):
        chosen = batch.filter(pc.is_in(batch.column("row_key"), value_set=repeated))
        for row in chosen.to_pylist():
            line = row.pop("_line")
            last[row["row_key"]] = (line, tuple(row.values()))
    bad: list[BadRow] = []
    kept = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's to read and leave to the collector
    writer = None
    for batch in _replay(spool):
        writer = writer or pa.ipc.new_stream(kept, batch.schema)
        is_repeated = pc.is_in(batch.column("row_key"), value_set=repeated)
        wrong: set[int] = set()
        for row in batch.filter(is_repeated).to_pylist():
            line = row.pop("_line")
            other_line, content = last[row["row_key"]]
            if line != other_line and tuple(row.values()) != content:
                reason = f"line {other_line} has the same key and other values; the last one counts"
                payload = {name: value for name, value in row.items() if value is not None and name != "row_key"}
                bad.append(BadRow(line, "key", reason, payload))
                wrong.add(line)
        if wrong:
            mask = pc.is_in(batch.column("_line"), value_set=pa.array(sorted(wrong), pa.int64()))
            batch = batch.filter(pc.invert(mask))
        writer.write_batch(batch)
    if writer is not None:
        writer.close()
    kept.seek(0)
    return {"bad": bad, "spool": kept} if bad else {}
