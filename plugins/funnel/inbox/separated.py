"""Detects the format of a CSV or TSV file from its first lines: encoding, separator, quote, header.

Its rows are read in `records`.
"""

import codecs
import re

from funnel.inbox import headers
from funnel.inbox.errors import Refused
from funnel.inbox.headers import clean_headers as clean_headers
from funnel.inbox.records import BLOCK_BYTES as BLOCK_BYTES
from funnel.inbox.records import Dialect as Dialect
from funnel.inbox.records import Scanner, records
from funnel.inbox.records import read as read

SAMPLE_BYTES = 256 << 10
DELIMITERS = (",", ";", "\t", "|")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def sniff(
    sample: bytes,
    encoding: str | None,
    delimiter: str | None,
    quote: str | None,
    header: int | list[int] | None,
    wanted: set[str],
    fits: headers.Fits | None = None,
) -> Dialect:
    """The dialect of a file from its first bytes; `wanted` are the headers that the manifest names.

    If it names none, `fits` decides whether a line can be the header.

    Raises Refused if no line has all wanted headers, and for a file that is not text.
    """
    mark, marked = next(((mark, name) for mark, name in _MARKS if sample.startswith(mark)), (b"", None))
    encoding = marked or encoding or _sniff_encoding(sample)
    text = sample[len(mark) :].decode(encoding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    _refuse_binary(sample, text)
    if len(sample) >= SAMPLE_BYTES:
        text = text[: text.rfind("\n") + 1] or text
    if not text.strip():
        raise Refused("the file is empty: it has no header")
    quote = quote or _sniff_quote(text.split("\n", 50))
    separators = (delimiter,) if delimiter else DELIMITERS
    candidates = {each: _first_lines(text, each, quote, headers.within(header)) for each in separators}
    found = {each: one for each, lines in candidates.items() if (one := headers.find(lines, header, wanted, fits))}
    if not found:
        nearest = [headers.closest(lines, header, wanted) for lines in candidates.values()]
        raise Refused(
            headers.missing(max(nearest, key=lambda one: (len(wanted & {*one.names}), len(one.names))), wanted)
        )
    separator, chosen = max(found.items(), key=lambda pair: (bool(fits and fits(pair[1].names)), len(pair[1].names)))
    headers.check_width(chosen.names)
    return Dialect(encoding, separator, quote, chosen.stated, chosen.last, chosen.names, len(mark))


def _first_lines(text: str, delimiter: str, quote: str, within: int) -> list[headers.Line]:
    """The first records of a file, read with one separator."""
    lines = []
    for record in records(text, Scanner(delimiter, quote)):
        if record.line >= within:
            break
        written = text[record.start : record.end]
        cells = written.split(delimiter) if record.cells is None else record.cells
        lines.append(headers.Line(record.line + 1, record.line + 1 + written.count("\n"), tuple(cells)))
    return lines


# The first bytes of other kinds of files.
_KINDS = (
    (b"PK\x03\x04", "a ZIP file or a workbook"),
    (b"\xd0\xcf\x11\xe0", "an old workbook (.xls); save it as .xlsx"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"BZh", "a file compressed with bzip2; only gzip is read"),
    (b"\xfd7zXZ", "a file compressed with xz; only gzip is read"),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd; only gzip is read"),
    (b"7z\xbc\xaf", "a 7z file"),
    (b"SQLite format 3", "an SQLite database"),
)


def _refuse_binary(sample: bytes, text: str) -> None:
    """Raises Refused for a binary file: recognised by its first bytes, or by many control characters."""
    for start, kind in _KINDS:
        if sample.startswith(start) and (len(start) > 2 or re.search(r"[\x00-\x08]", text)):
            raise Refused(f"the file is not text but {kind}")
    controls = len(re.findall(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", text))
    if controls > 8 and controls * 50 > len(text):
        raise Refused(
            f"the file is not text: {controls:,} of its first {len(text):,} characters are control characters"
        )


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
    """The code page of a file that is not UTF-8: nearly always Windows-1252."""
    from charset_normalizer import from_bytes

    # Only lines with non-ASCII characters distinguish code pages.
    telling = b"\n".join(line for line in re.split(rb"[\r\n]+", sample) if any(byte > 127 for byte in line))[:65536]
    high = re.findall(rb"[\x80-\xff]+", telling)
    # In Western languages accented letters stand alone between others; in other alphabets and two-byte encodings they
    # do not.
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
