"""Manifests: a source's description of its files, read from YAML and checked before any file is opened.

A manifest is any `*.yml` or `*.yaml` file of the inbox with the keys `source` and `streams`; its globs are relative to
its folder. Every mistake is reported with its place and what to write instead.
"""

import difflib
import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import msgspec

from funnel.inbox import column_formulas, errors, yaml_text
from funnel.inbox.catalogue import ENTITIES
from funnel.inbox.entities import WINDOW_DATES, Entity
from funnel.inbox.errors import ManifestError
from funnel.inbox.manifest_form import Columns, ManifestText, StreamText

# Names of vendors: a source of files must not use one of them.
FORMATS = ("csv", "tsv", "txt", "xlsx", "xlsm", "parquet", "json", "jsonl", "ndjson", "x12", "edi", "852")
DEFAULT_BAD_SHARE = 0.05


@dataclass(frozen=True)
class StreamSpec:
    """One checked stream of a manifest: the files that hold the entity, and how they are read."""

    entity: Entity
    path: str
    format: str | None
    delimiter: str | None
    encoding: str | None
    quote: str | None
    decimal: str | None
    thousands: str | None
    date_formats: dict[str, tuple[str, ...]]
    header: int | list[int] | None
    sheet: str | int | None
    key: tuple[str, ...]
    columns: dict[str, str] | None
    constants: dict[str, str]
    maps: dict[str, dict[str, str | None]]
    nulls: tuple[str, ...]
    bad_share: float
    newest_by: str
    timezone: str
    currency: str | None
    replace: str = "key"
    sheets: tuple[str | int, ...] = ()
    # Our names by the column's position, the template it is computed from, and other origins.
    positions: dict[str, int] = field(default_factory=dict)
    templates: dict[str, column_formulas.Template] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    # Columns whose empty cells take the value above, each with the column that must be equal there, if any.
    fill_down: Mapping[str, str | None] = field(default_factory=dict)
    repeats: str | None = None
    totals: str = "drop"
    channels: dict[str, str] = field(default_factory=dict)
    campaigns: dict[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> set[str]:
        """All headers of the file that the manifest names."""
        return {*(self.columns or {}).values(), *(one for made in self.templates.values() for one in made.headers)}


@dataclass(frozen=True)
class Manifest:
    """One source of files."""

    source: str
    path: str
    timezone: str
    streams: tuple[StreamSpec, ...]
    owner: str | None = field(default=None)

    def of(self, entity_name: str) -> tuple[StreamSpec, ...]:
        """The streams of an entity."""
        return tuple(spec for spec in self.streams if spec.entity.name == entity_name)


def is_manifest(text: bytes) -> bool:
    """True if a YAML file is a manifest: other YAML files may be next to the exports."""
    return bool(re.search(rb"^source\s*:", text, re.MULTILINE) and re.search(rb"^streams\s*:", text, re.MULTILINE))


def parse(text: bytes, path: str, reserved: frozenset[str] = frozenset()) -> Manifest:
    """The manifest in `text`. `reserved` are the names of the vendors. Raises ManifestError."""
    try:
        written = msgspec.convert(yaml_text.load(text), ManifestText)
    except errors.YamlError as error:
        place = f", line {error.line}" if error.line else ""
        raise ManifestError(f"{path}{place}: {error}.") from None
    except msgspec.ValidationError as error:
        raise ManifestError(f"{path}: {_told(str(error))}") from None
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", written.source):
        raise ManifestError(
            f"{path}: source is {written.source!r}; write a name of lower-case letters, digits and _, such as acme_crm."
        )
    if written.source in reserved:
        raise ManifestError(f"{path}: source {written.source!r} is a vendor's name; choose another, such as acme_crm.")
    try:
        ZoneInfo(written.timezone)
    except (KeyError, ValueError, OSError):
        raise ManifestError(
            f"{path}: timezone is {written.timezone!r}, which is not an IANA time zone such as America/Sao_Paulo."
        ) from None
    currency = written.currency.upper() if written.currency else None
    if currency and not re.fullmatch("[A-Z]{3}", currency):
        raise ManifestError(f"{path}: currency is {written.currency!r}, which is not an ISO 4217 code such as BRL.")
    if not written.streams:
        raise ManifestError(f"{path}: streams is empty; list at least one with an entity and a path.")
    streams = tuple(
        _stream(one, written, currency, f"{path}, streams[{place}]") for place, one in enumerate(written.streams)
    )
    _check_replacements(streams, path)
    return Manifest(written.source, path, written.timezone, streams, written.owner)


def _told(message: str) -> str:
    """The message of a msgspec error, in terms of the manifest."""
    found = re.search(r"unknown field `(.*?)`", message)
    if found:
        settings = {*StreamText.__struct_fields__} if "streams" in message else {*ManifestText.__struct_fields__}
        close = difflib.get_close_matches(found[1], settings, 1)
        message = message.replace(found[0], found[0] + (f"; perhaps {close[0]}" if close else ""))
    message = message.replace("Object contains unknown field", "there is no setting").replace(
        "Object missing required field", "lacks"
    )
    return re.sub(r" - at `\$\.?(.*)`$", r", at \1.", message)


def _check_columns(entity: Entity, one: StreamText, mapped: set[str], currency: str | None, place: str) -> None:
    if one.columns is not None:
        _require(entity, mapped, place)
        if lacks_currency(entity, mapped, currency):
            raise ManifestError(
                f"{place}: in which currency are the amounts? State currency: USD for the whole manifest, or map "
                "currency_code."
            )


def _key(entity: Entity, one: StreamText, place: str) -> tuple[str, ...]:
    key = tuple(one.key) if one.key else entity.key
    for name in key:
        _known(entity, name, f"{place}, key")
    if entity.is_fixed and one.key and not set(entity.key) - {"valid_from"} <= set(key) <= set(entity.key):
        raise ManifestError(f"{place}: the key of {entity.name} is always [{', '.join(entity.key)}].")
    return key


def _check_format(one: StreamText, place: str) -> None:
    if one.delimiter is not None and len(one.delimiter.replace("\\t", "\t")) != 1:
        raise ManifestError(f"{place}: delimiter is {one.delimiter!r}, but must be one character.")
    if one.quote is not None and (len(one.quote) != 1 or not one.quote.isascii() or one.quote.isalnum()):
        raise ManifestError(f"{place}: quote is {one.quote!r}, but must be one sign such as '\"'.")
    for name, mark in (("decimal", one.decimal), ("thousands", one.thousands)):
        if mark is not None and (len(mark) > 1 or mark.isdigit()):
            raise ManifestError(f"{place}: {name} is {mark!r}, but must be one sign such as . or ,.")
    if one.decimal is not None and one.decimal not in (".", ","):
        raise ManifestError(f"{place}: decimal is {one.decimal!r}, but must be . or ,.")
    if one.decimal is not None and one.decimal == one.thousands:
        raise ManifestError(f"{place}: decimal and thousands are both {one.decimal!r}.")
    if one.format is not None and one.format.lower() not in FORMATS:
        raise ManifestError(f"{place}: format is {one.format!r}; there are {', '.join(FORMATS)}.")
    if one.encoding is not None:
        import codecs

        try:
            codecs.lookup(one.encoding)
        except LookupError:
            raise ManifestError(f"{place}: there is no encoding {one.encoding!r}; write utf-8 or cp1252.") from None
    if one.path.startswith("/") or "://" in one.path or ".." in one.path.split("/"):
        raise ManifestError(f"{place}: path is {one.path!r}; it must be in the manifest's own folder.")


def _check_names(entity: Entity, one: StreamText, place: str) -> None:
    for name in one.columns or {}:
        _known(entity, name, f"{place}, columns")
    for name in one.map:
        _known(entity, name, f"{place}, map")
    fill_down = _fill_down(one)
    for name in (*fill_down, *filter(None, fill_down.values())):
        _known(entity, name, f"{place}, fill_down")


def _fill_down(one: StreamText) -> dict[str, str | None]:
    return one.fill_down if isinstance(one.fill_down, dict) else dict.fromkeys(one.fill_down)


def _maps(one: StreamText) -> dict[str, dict[str, str | None]]:
    """Corrections of cells by column; a correction to null makes the cell empty."""
    return {
        name: {written.strip(): None if ours is None else _text(ours) for written, ours in pairs.items()}
        for name, pairs in one.map.items()
    }


def _stated(one: StreamText, entity: Entity, place: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """The formats of dates and the scales of numbers, by column."""
    try:
        return column_formulas.date_formats(one.date_format, entity), column_formulas.scale(one.scale, entity)
    except errors.Misstated as error:
        raise ManifestError(f"{place}: {error}.") from None


def _stream(one: StreamText, manifest: ManifestText, currency: str | None, place: str) -> StreamSpec:
    entity = ENTITIES.get(one.entity)
    if entity is None:
        raise ManifestError(f"{place}: there is no entity {one.entity!r}; there are {', '.join(ENTITIES)}.")
    place = f"{place} ({entity.name})"
    _check_names(entity, one, place)
    columns = _columns(entity, one, place)
    date_formats, scales = _stated(one, entity, place)
    defaults = _defaults(entity, one, manifest, place)
    fill_down = _fill_down(one)
    _check_columns(entity, one, {*columns.names, *defaults}, currency, place)
    key = _key(entity, one, place)
    _check_format(one, place)
    bad_share = next((share for share in (one.bad_rows, manifest.bad_rows) if share is not None), DEFAULT_BAD_SHARE)
    if not 0 <= bad_share <= 1:
        raise ManifestError(f"{place}: bad_rows is {bad_share}, but is a share between 0 and 1.")
    return StreamSpec(
        entity=entity,
        path=one.path,
        format=one.format.lower() if one.format else None,
        delimiter=one.delimiter.replace("\\t", "\t") if one.delimiter else None,
        encoding=one.encoding,
        quote=one.quote,
        decimal=one.decimal,
        thousands=one.thousands,
        date_formats=date_formats,
        header=one.header,
        sheet=sheets[0] if len(sheets := _sheets(one, place)) == 1 else None,
        key=key,
        columns=columns.headers if one.columns is not None else None,
        constants=columns.constants,
        maps=_maps(one),
        nulls=tuple(one.nulls),
        bad_share=bad_share,
        newest_by=one.newest_by,
        timezone=manifest.timezone,
        currency=currency,
        replace=one.replace,
        sheets=sheets,
        positions=columns.positions,
        templates=columns.templates,
        origins=columns.origins,
        scales=scales,
        defaults=defaults,
        fill_down=fill_down,
        repeats=one.repeats,
        totals=one.totals,
        channels={theirs.strip(): ours for theirs, ours in {**manifest.channels, **one.channels}.items()},
        campaigns={theirs.strip(): ours for theirs, ours in {**manifest.campaigns, **one.campaigns}.items()},
    )


def _columns(entity: Entity, one: StreamText, place: str) -> Columns:
    made = Columns()
    for name, theirs in (one.columns or {}).items():
        if isinstance(theirs, str):
            try:
                template = column_formulas.template(theirs, entity, name)
            except errors.Misstated as error:
                raise ManifestError(f"{place}, columns: {error}.") from None
            if template:
                made.templates[name] = template
            else:
                made.headers[name] = theirs.strip()
            continue
        word = next(iter(theirs), None) if len(theirs) == 1 else None
        value = theirs[word] if word else None
        if word == "value":
            made.constants[name] = _text(theirs[word])
        elif word == "column" and isinstance(value, str):
            made.headers[name] = value.strip()
        elif word == "position" and isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            made.positions[name] = value
        elif word == "from" and value in column_formulas.ORIGINS:
            made.origins[name] = str(value)
        else:
            raise ManifestError(
                f"{place}, columns: {name} is {theirs!r}; write the header of a column, {{value: a constant}}, "
                f"{{position: 3}}, {{column: a header with braces}} or {{from: {', '.join(column_formulas.ORIGINS)}}}."
            )
    return made


def _defaults(entity: Entity, one: StreamText, manifest: ManifestText, place: str) -> dict[str, str]:
    """The manifest's defaults that apply to the entity; the stream's own settings must be valid for it."""
    for name in one.default:
        _known(entity, name, f"{place}, default")
    for name in manifest.default:
        if not any(name in each.names for each in ENTITIES.values()):
            raise ManifestError(f"{place}, default: no entity has a column {name!r}.")
    named = {"opportunities_of": manifest.opportunities_of} if manifest.opportunities_of else {}
    chosen = {**named, **manifest.default, **one.default}
    return {name: _text(value) for name, value in chosen.items() if name in entity.names}


def _sheets(one: StreamText, place: str) -> tuple[str | int, ...]:
    if one.sheet is not None and one.sheets is not None:
        raise ManifestError(f"{place}: sheet and sheets are both stated; leave one out.")
    if one.sheet is not None:
        return (one.sheet,)
    if one.sheets is None or one.sheets == "all":
        return ()
    return (one.sheets,) if isinstance(one.sheets, str) else tuple(one.sheets)


def _check_replacements(streams: tuple[StreamSpec, ...], path: str) -> None:
    """Raises ManifestError if an entity that is replaced by whole exports comes from more than one stream."""
    for place, spec in enumerate(streams):
        if spec.replace == "key":
            continue
        where = f"{path}, streams[{place}] ({spec.entity.name})"
        if sum(other.entity.name == spec.entity.name for other in streams) > 1:
            raise ManifestError(
                f"{where}: replace: {spec.replace} would retract the rows of the other streams of {spec.entity.name}. "
                "Give each of them a manifest with a source of its own, or leave replace out."
            )
        if spec.replace == "window" and spec.entity.name not in WINDOW_DATES:
            raise ManifestError(
                f"{where}: replace: window goes by the days of a file, and {spec.entity.name} have no main date. Write "
                f"replace: whole if each file holds all rows. A window can be stated for {', '.join(WINDOW_DATES)}."
            )


def _known(entity: Entity, name: str, place: str) -> None:
    if name not in entity.names:
        close = difflib.get_close_matches(name, entity.names, 1)
        hint = f"; perhaps {close[0]}" if close else f"; there are {', '.join(entity.names)}"
        raise ManifestError(f"{place}: {entity.name} has no column {name!r}{hint}.")


def _require(entity: Entity, mapped: set[str], place: str) -> None:
    """Raises ManifestError if a required field has neither a column nor a constant."""
    mapped = mapped | {name for name, other in entity.fallbacks if other in mapped}
    for field_ in entity.fields:
        if field_.required and field_.name not in mapped:
            hint = lines_for_key(field_.name) if field_.name in entity.key and field_.kind == "text" else ""
            raise ManifestError(f"{place}: {entity.name} need {field_.name}; map it to a column of the file{hint}.")
    for group in entity.any_of:
        if not mapped & set(group):
            raise ManifestError(f"{place}: {entity.name} need {' or '.join(group)}; map one to a column of the file.")


def lines_for_key(name: str) -> str:
    """The lines to write in the manifest for a key that no column holds."""
    return (
        f". If no column names the record, write under columns: `{name}: {{from: row}}` (file and line) or "
        f"`{name}: {{from: hash}}` (content and repeat number)"
    )


def lacks_currency(entity: Entity, mapped: set[str], currency: str | None) -> bool:
    """True if amounts would be read without a known currency."""
    amounts = {field_.name for field_ in entity.fields if field_.kind == "number"} - {
        "units",
        "units_sold",
        "units_on_hand",
    }
    known = currency is not None or "currency_code" in mapped or "currency_code" not in entity.names
    return bool(amounts & mapped) and not known


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def matches(path: str, pattern: str) -> bool:
    """True if a glob matches a path below the manifest's folder; compressed files match without their .gz."""
    return any(
        fnmatch.fnmatchcase(candidate, pattern) for candidate in (path, path.removesuffix(".gz"))
    ) and path.count("/") == pattern.count("/")
