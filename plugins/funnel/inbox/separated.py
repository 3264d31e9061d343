"""Separated values: from the bytes of a CSV or TSV file to blocks of text columns with the line each row stands on.

Blocks without a line break inside quotes, nearly all, are parsed at once by Arrow; any other block is put together
line by line. Both ways give the same rows. A quote that is opened and never closed costs its own line, not the rest of
the file. What the cells mean is not decided here.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.csv as arrow_csv

from funnel.inbox.blocks import BadRow, Block, Refused

BLOCK_BYTES = 2 << 20
SAMPLE_BYTES = 256 << 10
# A quoted text over more lines than these is a quote that somebody forgot to close.
LONGEST_RECORD = 500
HEADER_WITHIN = 30
DELIMITERS = (",", ";", "\t", "|")
csv.field_size_limit(64 << 20)

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Dialect:
    """How a file is written: stated by the manifest or found in its first lines."""

    encoding: str
    delimiter: str
    quote: str
    header_line: int
    headers: tuple[str, ...]
    mark_bytes: int

    def told(self) -> dict[str, str | int]:
        """For people: the settings one could state in the manifest."""
        return {
            "encoding": self.encoding,
            "delimiter": "\\t" if self.delimiter == "\t" else self.delimiter,
            "quote": self.quote,
            "header": self.header_line,
        }


def sniff(
    sample: bytes, encoding: str | None, delimiter: str | None, quote: str | None, header: int | None, wanted: set[str]
) -> Dialect:
    """The dialect of a file from its first bytes; `wanted` are the headers that the manifest names.

    Raises Refused when no line holds all wanted headers.
    """
    mark, marked = next(((mark, name) for mark, name in _MARKS if sample.startswith(mark)), (b"", None))
    encoding = marked or encoding or _sniff_encoding(sample)
    text = sample[len(mark) :].decode(encoding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if len(sample) >= SAMPLE_BYTES:
        lines = lines[:-1] or lines
    if not any(line.strip() for line in lines):
        raise Refused("the file is empty: it has not even a header")
    quote = quote or _sniff_quote(lines)
    candidates = (delimiter,) if delimiter else DELIMITERS
    found = [one for each in candidates if (one := _find_header(lines, each, quote, header, wanted))]
    if not found:
        seen = _closest(lines, candidates, quote, header, wanted)
        raise Refused(seen)
    # Most wanted names, then most columns.
    _, number, headers, separator = max(found, key=lambda one: one[0])
    return Dialect(encoding, separator, quote, number, headers, len(mark))


def _find_header(
    lines: list[str], delimiter: str, quote: str, stated: int | None, wanted: set[str]
) -> tuple[tuple[int, int], int, tuple[str, ...], str] | None:
    for number, line in enumerate(lines[:HEADER_WITHIN], start=1):
        if (stated and number != stated) or not line.strip():
            continue
        cells = clean_headers(_cells(line, delimiter, quote))
        if wanted <= set(cells):
            return (len(wanted & set(cells)), len(cells)), number, cells, delimiter
        if not wanted and not stated:
            return (0, len(cells)), number, cells, delimiter
    return None


def _closest(lines: list[str], candidates: tuple[str, ...], quote: str, stated: int | None, wanted: set[str]) -> str:
    """What to say about a file whose header does not hold the wanted names."""
    import difflib

    best: tuple[int, int, int, tuple[str, ...]] = (-1, 0, 0, ())
    for delimiter in candidates:
        for number, line in enumerate(lines[:HEADER_WITHIN], start=1):
            if (stated and number != stated) or not line.strip():
                continue
            cells = clean_headers(_cells(line, delimiter, quote))
            best = max(best, (len(wanted & set(cells)), len(cells), -number, cells))
    missing = sorted(wanted - set(best[3]))
    hints = []
    for name in missing:
        near = difflib.get_close_matches(name, best[3], 1, cutoff=0.6)
        hints.append(f"{name!r}" + (f" (perhaps {near[0]!r}?)" if near else ""))
    seen = ", ".join(best[3][:30]) or "nothing"
    return f"the header has no column {', '.join(hints)}; line {-best[2] or 1} reads {seen}"


def clean_headers(cells: list[str]) -> tuple[str, ...]:
    """Headers without the spaces around them and invisible marks; empty ones are named after their place."""
    return tuple(
        re.sub(r"\s+", " ", cell.replace("\ufeff", "").replace("\u00a0", " ")).strip() or f"column {place}"
        for place, cell in enumerate(cells, start=1)
    )


def _cells(line: str, delimiter: str, quote: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, quotechar=quote), [])
    except csv.Error:
        return line.split(delimiter)


def _sniff_encoding(sample: bytes) -> str:
    if sample[1:2] == b"\0" and sample[3:4] == b"\0":
        return "utf-16-le"
    if sample[:1] == b"\0" and sample[2:3] == b"\0":
        return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=False)
    except UnicodeDecodeError:
        return guess_encoding(sample)
    return "utf-8"


def guess_encoding(sample: bytes) -> str:
    """A file that is not UTF-8 comes from a program that knows one code page: nearly always Windows' western one."""
    from charset_normalizer import from_bytes

    # Only lines with other than ASCII characters tell code pages apart.
    telling = b"\n".join(line for line in re.split(rb"[\r\n]+", sample) if any(byte > 127 for byte in line))[:65536]
    high = re.findall(rb"[\x80-\xff]+", telling)
    # Letters with accents stand alone among others; alphabets of their own and signs of two bytes do not.
    if sum(len(run) == 1 for run in high) * 2 > len(high):
        return "cp1252"
    best = from_bytes(telling).best()
    if best is None:
        return "cp1252"
    multibyte = ("shift_jis", "cp932", "euc_jp", "gb2312", "gb18030", "gbk", "big5", "euc_kr", "cp949")
    alphabets = {"Cyrillic", "Greek and Coptic", "Hebrew", "Arabic"}
    if best.encoding in multibyte or alphabets & set(best.alphabets):
        return best.encoding
    return "cp1252"


def _sniff_quote(lines: list[str]) -> str:
    head = "\n".join(lines[:50])
    if '"' not in head and re.search(r"(^|[,;\t|])'[^'\n]*'([,;\t|]|$)", head, re.MULTILINE):
        return "'"
    return '"'


# Blocks -------------------------------------------------------------------------------------------------------------


def read(file: IO[bytes], dialect: Dialect, only: set[str] | None = None) -> Iterator[Block]:
    """Blocks of text columns by header, all rows below the header. `only` limits the columns that are kept."""
    positions = _positions(dialect.headers)
    kept = {name: place for name, place in positions.items() if only is None or name in only}
    names = [f"c{place}" for place in range(len(dialect.headers))]
    number, rest = 1, ""
    for text, is_last in _texts(file, dialect):
        lines = rest + text
        rest = ""
        if number <= dialect.header_line:
            skipped = lines.split("\n", dialect.header_line - number + 1)
            if len(skipped) <= dialect.header_line - number + 1:
                if is_last:
                    return
                rest = lines
                continue
            lines = skipped[-1]
            number = dialect.header_line + 1
        count = lines.count("\n") + (1 if is_last and lines and not lines.endswith("\n") else 0)
        if not count:
            rest = lines
            continue
        block = _parse_at_once(lines, number, count, names, kept, dialect)
        if block is None:
            block, rest = _parse_by_line(lines, number, kept, dialect, is_last)
            count -= rest.count("\n")
        number += count
        if len(block.lines) or block.bad:
            yield block


def _positions(headers: tuple[str, ...]) -> dict[str, int]:
    """Place of each header. Of two columns with one name the second cannot be meant by it."""
    positions: dict[str, int] = {}
    for place, name in enumerate(headers):
        positions.setdefault(name, place)
    return positions


def _texts(file: IO[bytes], dialect: Dialect) -> Iterator[tuple[str, bool]]:
    """The file in pieces of whole lines ended by \\n, whatever ended them before; (piece, whether it is the last)."""
    file.read(dialect.mark_bytes)
    decoder = codecs.getincrementaldecoder(dialect.encoding)(errors="replace")
    held = ""
    while True:
        data = file.read(BLOCK_BYTES)
        text = held + decoder.decode(data, final=not data)
        held = ""
        if data and text.endswith("\r"):
            text, held = text[:-1], "\r"
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not data:
            yield text, True
            return
        cut = text.rfind("\n") + 1
        if not cut:
            held = text + held
            continue
        held = text[cut:] + held
        yield text[:cut], False


def _parse_at_once(
    text: str, number: int, count: int, names: list[str], kept: dict[str, int], dialect: Dialect
) -> Block | None:
    """The block by Arrow, or None when its rows are not its lines."""
    if "\0" in text:
        return None
    invalid: list[tuple[int, int]] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        invalid.append((row.number, row.actual_columns))
        return "skip"

    included = [f"c{place}" for place in kept.values()]
    data = text.encode()
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote,
                double_quote=True,
                newlines_in_values=False,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                strings_can_be_null=False,
                include_columns=included,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows + len(invalid) != count:
        return None
    if invalid:
        if any(actual > len(names) for _, actual in invalid):
            # Trailing separators are no columns: line by line they are seen for what they are.
            return None
        missing = {place for place, _ in invalid}
        lines = pa.array([number + place - 1 for place in range(1, count + 1) if place not in missing], pa.int64())
    else:
        import numpy as np

        lines = pa.array(np.arange(number, number + count, dtype="int64"))
    columns = {
        name: table.column(f"c{place}").combine_chunks() if table.num_rows else pa.array([], pa.string())
        for name, place in kept.items()
    }
    bad = [
        BadRow(number + place - 1, None, _wrong_width(actual, len(names)), _line_of(text, place))
        for place, actual in invalid
    ]
    return Block(columns, lines, bad, is_clean="#" not in text and "\ufffd" not in text)


def _line_of(text: str, place: int) -> str:
    return text.split("\n", place)[place - 1] if text else ""


def _wrong_width(actual: int, expected: int) -> str:
    return f"the line has {actual} {'cell' if actual == 1 else 'cells'}, the header {expected}"


def _parse_by_line(text: str, number: int, kept: dict[str, int], dialect: Dialect, is_last: bool) -> tuple[Block, str]:
    """The block line by line, and the lines at its end that the next block must complete."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    cells: dict[str, list[str | None]] = {name: [] for name in kept}
    numbers: list[int] = []
    bad: list[BadRow] = []
    width = len(dialect.headers)
    place = 0
    while place < len(lines):
        span = _span(lines, place, dialect)
        if span is None and not is_last and len(lines) - place <= LONGEST_RECORD:
            rest = "\n".join(lines[place:]) + "\n"
            return Block({name: pa.array(cells[name], pa.string()) for name in kept}, _int64(numbers), bad), rest
        if span is None:
            bad.append(BadRow(number + place, None, "a quote is opened and never closed", lines[place]))
            place += 1
            continue
        record = "\n".join(lines[place : place + span])
        if "\0" in record:
            bad.append(BadRow(number + place, None, "holds a NUL character", record.replace("\0", "")))
        else:
            row = next(
                csv.reader(io.StringIO(record, newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote), []
            )
            while len(row) > width and not row[-1].strip():
                row.pop()
            if row and len(row) != width and any(cell.strip() for cell in row):
                bad.append(BadRow(number + place, None, _wrong_width(len(row), width), record))
            elif len(row) == width:
                numbers.append(number + place)
                for name, position in kept.items():
                    cells[name].append(row[position])
        place += span
    return Block({name: pa.array(cells[name], pa.string()) for name in kept}, _int64(numbers), bad), ""


def _int64(numbers: list[int]) -> pa.Array:
    return pa.array(numbers, pa.int64())


def _span(lines: list[str], place: int, dialect: Dialect) -> int | None:
    """How many lines the record at `place` takes; None when a quote in it is not closed within reach."""
    is_open = False
    for length, line in enumerate(lines[place : place + LONGEST_RECORD], start=1):
        is_open = _ends_open(line, dialect, is_open)
        if not is_open:
            return length
    return None


def _ends_open(line: str, dialect: Dialect, is_open: bool) -> bool:
    """Whether a quoted cell is still open at the end of a line. A quote inside an unquoted cell is a mere character."""
    quote, delimiter = dialect.quote, dialect.delimiter
    if quote not in line:
        return is_open
    at_start = not is_open
    place = 0
    while place < len(line):
        sign = line[place]
        if is_open:
            if sign == quote:
                if line[place + 1 : place + 2] == quote:
                    place += 1
                else:
                    is_open = False
        elif sign == delimiter:
            at_start = True
        elif sign == quote and at_start:
            is_open, at_start = True, False
        else:
            at_start = False
        place += 1
    return is_open
