"""The structure of a manifest in YAML."""

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from funnel.inbox import column_formulas


class StreamText(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One stream as written in the manifest, with the manifest's names."""

    entity: str
    path: str
    format: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    quote: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | list[str] | dict[str, str | list[str]] | None = None
    header: int | list[int] | None = None
    sheet: str | int | None = None
    sheets: str | list[str | int] | None = None
    key: list[str] | None = None
    columns: dict[str, str | dict[str, str | int | float | bool]] | None = None
    map: dict[str, dict[str, str | int | float | None]] = {}
    nulls: list[str] = []
    bad_rows: float | None = None
    newest_by: Literal["name", "time"] = "name"
    replace: Literal["key", "whole", "window"] = "key"
    scale: str | int | float | dict[str, str | int | float] | None = None
    default: dict[str, str | int | float | bool] = {}
    fill_down: list[str] | dict[str, str | None] = []
    repeats: Literal["add", "once"] | None = None
    totals: Literal["drop", "keep"] = "drop"
    channels: dict[str, str] = {}
    campaigns: dict[str, str] = {}


class ManifestText(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A manifest as written."""

    source: str
    streams: list[StreamText]
    timezone: str = "UTC"
    currency: str | None = None
    bad_rows: float | None = None
    owner: str | None = None
    opportunities_of: str | None = None
    default: dict[str, str | int | float | bool] = {}
    channels: dict[str, str] = {}
    campaigns: dict[str, str] = {}


@dataclass
class Columns:
    """The parts of a stream's `columns`, by kind."""

    headers: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    templates: dict[str, column_formulas.Template] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Our names of all columns."""
        return {*self.headers, *self.constants, *self.positions, *self.templates, *self.origins}
