"""Real bodies of the sandbox's vendors, a few records each, and mutations of them.

A mutation changes one record (its values, names, nesting), or the body itself (bytes, its list). JSON is composed of
tokens, since no JSON writer writes what is tested here.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from random import Random
from typing import Any

from funnel.contract import Stream, Window
from funnel.rest.accounts import bodies as bodies_of
from funnel.sources import SOURCES
from tests.vendors import Company

WEEK = Window(date(2026, 11, 9), date(2026, 11, 16))
QUARTER = Window(date(2026, 8, 25), date(2026, 11, 23))
RECORDS = 6
LISTS = {
    "google_ads": "results",
    "meta_ads": "data",
    "linkedin_ads": "elements",
    "hubspot": "results",
    "salesforce": "records",
    "shopify": "data.orders.nodes",
    "ga4": "rows",
}
ODD_TEXTS = (
    b'"Winter \\ud83d"', b'"\\ude00 \\ud83d x"', b'"a\xff\xfeb"', b'"\xed\xa0\xbd"', b'"x\\u0000"', b'"\x00"',
    b'"a\\\\u0000b"', b'""', b'" "', b'"a\\tb\\nc\\\\N\\\\."', b'"\\u2028"', b'"' + b"k" * 9_000 + b'"',
    b'"' + "中".encode() * 900 + b'"', b'"' + b"z" * 140_000 + b'"', b'"2026-11-10"', b'"1"', b'"true"',
)  # fmt: skip
ODD_NUMBERS = (
    b"1e400000", b"-1e-400000", b"1E99999999999999999999", b"9" * 5_000, b"0." + b"3" * 20_000, b"-0", b"-0.0", b"NaN",
    b"-Infinity", b"12345678901234567.89", b"1e5", b"0", b"1.5", b'"1e400000"', b'"NaN"', b'"1,5"', b'"12.50 EUR"',
)  # fmt: skip
ODD_MOMENTS = (
    b'"9999-12-31T23:59:59-05:00"', b'"0001-01-01T00:00:00+14:00"', b'"11111111111111111111"', b"11111111111111111111",
    b'"infinity"', b'"2026-02-30"', b'"20261110"', b'"-1"', b'"2026-11-10T25:00:00Z"', b'"0000-00-00"',
)  # fmt: skip
ODD_SHAPES = (b"null", b"true", b"[]", b"{}", b'["x"]', b"[null]", b'{"a":{"b":[1]}}', b"[[[[[[[[1]]]]]]]]")
ODD_VALUES = (*ODD_TEXTS, *ODD_NUMBERS, *ODD_MOMENTS, *ODD_SHAPES)
ODD_NAMES = (b'"a\\u0000"', b'""', b'"\\ud83d"', b'"ID"', b'"properties"', b'"' + b"n" * 5_000 + b'"')
ODD_CELLS = tuple(
    json.loads(one.decode("utf-8", "surrogateescape"), strict=False) if one.startswith(b'"') else one.decode()
    for one in (*ODD_TEXTS, *ODD_NUMBERS, *ODD_MOMENTS)
)


@dataclass(frozen=True)
class Sample:
    """One body as a vendor sent it, cut to a few records."""

    source: str
    stream: Stream
    window: Window
    records: list[Any]
    write: Callable[[list[Any]], bytes]
    header: tuple[str, ...] = ()

    @property
    def body(self) -> bytes:
        return self.write(self.records)


def samples(company: Company, source: str) -> list[Sample]:
    """One sample of every stream of a source that has records."""
    found = [_sample(company, source, stream) for stream in SOURCES[source].streams]
    if source == "salesforce":
        stream = SOURCES[source].stream("opportunities")
        found.append(_of_csv(source, stream, QUARTER, next(_fetch(company, source, stream, QUARTER))))
    return [one for one in found if one is not None]


def _fetch(company: Company, source: str, stream: Stream, window: Window) -> Iterator[bytes]:
    return bodies_of(SOURCES[source].fetch(company.connection(source), stream, window))


def _sample(company: Company, source: str, stream: Stream) -> Sample | None:
    window = WEEK if stream.kind == "dated" else QUARTER
    if source == "salesforce":
        window = Window(date(2026, 11, 1), date(2026, 11, 23))
    for body in _fetch(company, source, stream, window):
        if source == "microsoft_ads":
            return _of_zip(source, stream, window, body)
        if source == "exchange_rates":
            return _of_csv(source, stream, window, body)
        parsed = json.loads(body)
        place: Any = parsed
        *parents, leaf = LISTS[source].split(".")
        for name in parents:
            place = place.get(name, {})
        if not isinstance(place.get(leaf), list):
            return Sample(
                source, stream, window, [parsed], lambda records: b"".join(map(_tokens, records[:1])) or b"[]"
            )
        if place[leaf]:
            records = place[leaf][:RECORDS]
            place[leaf] = Token(b"@list@")
            return Sample(source, stream, window, records, partial(_between, *_tokens(parsed).split(b"@list@")))
    return None


def _between(before: bytes, after: bytes, records: list[Any]) -> bytes:
    return before + _tokens(records) + after


def _of_csv(source: str, stream: Stream, window: Window, body: bytes) -> Sample:
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    return Sample(source, stream, window, rows[:RECORDS], lambda rows: _csv([header, *rows]), tuple(header))


def _of_zip(source: str, stream: Stream, window: Window, body: bytes) -> Sample:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        lines = list(csv.reader(io.StringIO(archive.read(archive.namelist()[0]).decode("utf-8-sig"), newline="")))
    start = next(number for number, line in enumerate(lines) if sum(map(bool, line)) > 1)

    def write(rows: list[Any]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("report.csv", _csv([*lines[: start + 1], *rows]))
        return out.getvalue()

    rows = [row for row in lines[start + 1 :] if sum(map(bool, row)) > 1][:RECORDS]
    return Sample(source, stream, window, rows, write, tuple(lines[start]))


def _csv(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    # JSON escapes give surrogates of their own, bytes that are not UTF-8 those of the error handler.
    return out.getvalue().encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Token:
    """JSON text to be written unchanged."""

    text: bytes


def _tokens(value: Any) -> bytes:
    if isinstance(value, Token):
        return value.text
    if isinstance(value, dict):
        pairs = (
            (name.text if isinstance(name, Token) else json.dumps(name).encode()) + b":" + _tokens(below)
            for name, below in value.items()
        )
        return b"{" + b",".join(pairs) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_tokens, value)) + b"]"
    return json.dumps(value).encode()


def struck(sample: Sample, random: Random) -> tuple[bytes, int]:
    """The body with one record changed, and which one."""
    victim = random.randrange(len(sample.records))
    records = json.loads(json.dumps(sample.records))
    record = records[victim]
    if sample.source in ("microsoft_ads", "exchange_rates") or isinstance(record, list):
        _strike_row(record, random)
    else:
        records[victim] = _strike(record, random)
    return sample.write(records), victim


def struck_at(sample: Sample, path: str, token: bytes, place: int = 0) -> bytes:
    """The body with one value of one record written as `token`. `path` is dotted; a cell of CSV has its column's."""
    records = json.loads(json.dumps(sample.records))
    if sample.header:
        is_text = token.startswith(b'"')
        cell = json.loads(token.decode("utf-8", "surrogateescape"), strict=False) if is_text else token.decode()
        records[place][sample.header.index(path)] = cell
        return sample.write(records)
    node = records[place]
    *parents, leaf = path.split(".")
    for name in parents:
        node = node[int(name)] if isinstance(node, list) else node.setdefault(name, {})
    node[leaf] = Token(token)
    return sample.write(records)


def sample_of(company: Company, source: str, stream: str, *, in_bulk: bool = False) -> Sample:
    """A sample of one stream; for Salesforce also in the format of its Bulk API."""
    declared = SOURCES[source].stream(stream)
    if in_bulk:
        return _of_csv(source, declared, QUARTER, next(_fetch(company, source, declared, QUARTER)))
    sample = _sample(company, source, declared)
    assert sample is not None
    return sample


def _strike_row(row: list[str], random: Random) -> None:
    what = random.randrange(10)
    if what == 0:
        row.append("one too many")
    elif what == 1:
        row.pop()
    else:
        row[random.randrange(len(row))] = random.choice(ODD_CELLS)


def _strike(value: Any, random: Random) -> Any:
    """Change one place below `value`: mostly a leaf, sometimes a name or a whole branch."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        name = random.choice(list(value))
        what = random.randrange(12)
        if what == 0:
            return {Token(random.choice(ODD_NAMES)) if key == name else key: below for key, below in value.items()}
        if what == 1:
            return {key: below for key, below in value.items() if key != name}
        if what == 2:
            own = {Token(f'"own_{number}"'.encode()): number for number in range(random.choice((1, 2_000)))}
            return {**value, **own, Token(random.choice(ODD_NAMES)): Token(random.choice(ODD_VALUES))}
        if what == 3:
            return {**value, name: [value[name]]}
        return {**value, name: _strike(value[name], random)}
    if isinstance(value, list) and value and random.random() < 0.8:
        place = random.randrange(len(value))
        return [_strike(below, random) if number == place else below for number, below in enumerate(value)]
    return Token(random.choice(ODD_VALUES))


def damaged(sample: Sample, random: Random) -> bytes:
    """The body with a few bytes changed, or with another value in place of its list."""
    body = bytearray(sample.body)
    what = random.randrange(4)
    if what == 0 and body[:1] == b"{":
        return sample.write([]).replace(b"[]", random.choice(ODD_SHAPES), 1)
    if what == 1:
        return bytes(body[: random.randrange(len(body))])
    for _ in range(random.choice((1, 1, 3))):
        body[random.randrange(len(body))] = random.randrange(256)
    return bytes(body)
