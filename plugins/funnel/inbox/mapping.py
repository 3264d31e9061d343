"""The layout of a file by its format, and the mapping of its columns to ours."""

import re
from dataclasses import replace
from typing import IO

from funnel.inbox import headers, separated
from funnel.inbox.errors import Refused
from funnel.inbox.layout import Layout, opened
from funnel.inbox.manifest import StreamSpec, lacks_currency


def layout_of(source: IO[bytes], spec: StreamSpec, path: str) -> Layout:
    """The layout of a file, by the format that the manifest or its name states. Raises Refused."""
    kind = spec.format or path.lower().removesuffix(".gz").rpartition(".")[2]
    wanted = set(headers.clean_headers(sorted(spec.headers)))
    by_sheet = [name for name, origin in spec.origins.items() if origin == "sheet"]
    if by_sheet and kind not in ("xlsx", "xlsm"):
        raise Refused(f"{by_sheet[0]} is {{from: sheet}}, but this file has no sheets; {{from: file}} takes its name")
    if kind in ("xlsx", "xlsm"):
        from funnel.inbox import workbooks

        return workbooks.layout(
            source,
            path,
            spec,
            wanted | {headers.SHEET for _ in by_sheet},
            lambda names: _fits(spec, names),
            list(spec.sheets),
        )
    if kind == "parquet":
        from funnel.inbox import spreadsheets

        return spreadsheets.parquet(source, path, spec)
    if kind in ("json", "jsonl", "ndjson"):
        from funnel.inbox import spreadsheets

        return spreadsheets.json_records(source, path, spec)
    if kind in ("x12", "edi", "852"):
        from funnel.inbox import x12

        return x12.layout(source, path, spec)
    with opened(source, path) as file:
        sample = file.read(separated.SAMPLE_BYTES)
    delimiter = spec.delimiter or ("\t" if kind == "tsv" else None)
    fits = None if spec.headers else lambda names: _fits(spec, names)
    dialect = separated.sniff(sample, spec.encoding, delimiter, spec.quote, spec.header, wanted, fits)
    if dialect.encoding == "utf-8" and not spec.encoding and not dialect.mark_bytes:
        dialect = _checked_encoding(source, path, dialect)
    return Layout(
        dialect.headers,
        lambda file, only: separated.read(file, dialect, only),
        {"format": "csv", **dialect.as_settings()},
    )


def _checked_encoding(source: IO[bytes], path: str, dialect: separated.Dialect) -> separated.Dialect:
    """The dialect with its encoding verified on the whole file: UTF-8, else the likely code page of the first other
    line.
    """
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


def _fits(spec: StreamSpec, names: tuple[str, ...]) -> bool:
    """True if these headers have what the stream needs."""
    try:
        mapping_of(spec, names)
    except Refused:
        return False
    return True


def used_of(spec: StreamSpec, mapping: dict[str, str]) -> set[str]:
    """The headers of all columns that are read."""
    parts = (header for made in spec.templates.values() for header in made.headers)
    return {*mapping.values(), *headers.clean_headers(list(parts))}


def mapping_of(spec: StreamSpec, names: tuple[str, ...]) -> dict[str, str]:
    """Our names → the file's headers. Raises Refused if a column that the manifest names is missing."""
    if spec.columns is None:
        ours = {re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_"): header for header in reversed(names)}
        mapping = {name: ours[name] for name in spec.entity.names if name in ours and name not in spec.constants}
        known = {*mapping, *spec.constants, *spec.defaults}
        known |= {name for name, other in spec.entity.fallbacks if other in known}
        lacking = [each.name for each in spec.entity.fields if each.required and each.name not in known]
        lacking += [" or ".join(group) for group in spec.entity.any_of if not known & set(group)]
        if lacking:
            raise Refused(
                f"the header has no column {', '.join(lacking)}; it reads {', '.join(names[:30])}. Say in the "
                "manifest's columns which column is which"
            )
        if lacks_currency(spec.entity, known, spec.currency):
            raise Refused(
                "the currency of the amounts is not stated; write currency: USD in the manifest, or map currency_code"
            )
    else:
        cleaned = {name: headers.clean_headers([header])[0] for name, header in spec.columns.items()}
        wanted = {*cleaned.values(), *used_of(spec, {})}
        lacking = sorted(header for header in wanted if header not in names)
        if lacking:
            raise Refused(f"the header has no column {', '.join(map(repr, lacking))}; it reads {', '.join(names[:30])}")
        mapping = cleaned | {name: headers.at(names, place) for name, place in spec.positions.items()}
    return mapping | {name: headers.SHEET for name, origin in spec.origins.items() if origin == "sheet"}
