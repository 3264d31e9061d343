"""The fields of each entity of files, as docs/files.md lists them.

Data only. How a cell is read is in `values`, how rows are kept in `raw.files__<entity>` follows from `stream`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from funnel.contract import Column, ColumnType, Stream

# moment: a time, or a day without a time, which is that day in every time zone. share: 0.4, or 40 % written with the
# sign.
Kind = Literal["text", "number", "integer", "share", "date", "moment", "email", "person", "stage", "currency", "month"]


@dataclass(frozen=True)
class Field:
    """One field of an entity. `required` fields must be mapped and filled in every row.

    A date with `is_week` may also be a calendar week: its value is that week's Monday.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    values: tuple[str, ...] = ()
    is_week: bool = False


@dataclass(frozen=True)
class Entity:
    """One kind of row. `key` names what a corrected file replaces; a manifest may state another unless `is_fixed`.

    Of each group in `any_of` at least one field must be filled. `fallbacks` fill a field from another when it is not
    mapped. `is_personal_key` keys hold addresses or ids of persons and are stored as their hash only.
    """

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    any_of: tuple[tuple[str, ...], ...] = ()
    fallbacks: tuple[tuple[str, str], ...] = ()
    is_fixed: bool = False
    is_person: bool = False
    is_personal_key: bool = False
    lookups: tuple[str, ...] = ()

    def field(self, name: str) -> Field:
        """The field of this name."""
        return next(field for field in self.fields if field.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all fields, in order."""
        return tuple(field.name for field in self.fields)


# The main date of an entity gives the days of an export that replaces its window: the first of these that a row states.
WINDOW_DATES: dict[str, tuple[str, ...]] = {
    "leads": ("created_at",),
    "opportunities": ("created_at",),
    "orders": ("ordered_at",),
    "ad_stats": ("date_day",),
    "sell_through": ("week_start", "date_day"),
    "touches": ("touched_at",),
    "stage_events": ("entered_at",),
    "costs": ("month",),
    "targets": ("period_start",),
    "exchange_rates": ("rate_date",),
}

# The fields that hold ids of persons, by the kind of person; and texts that may describe one.
PERSONS: dict[str, tuple[str, ...]] = {"lead_id": ("leads",), "customer_id": ("customers",)}
ERASED = {"landing_page": "?"}

_COUNTS = frozenset(
    {"units", "units_sold", "units_on_hand", "platform_conversions", "leads", "orders", "employees", "rate", "baseline"}
)


def money_of(entity: Entity) -> frozenset[str]:
    """The fields of an entity that hold amounts of money."""
    return frozenset(each.name for each in entity.fields if each.kind == "number" and each.name not in _COUNTS)


_TYPES: dict[Kind, ColumnType] = {
    "text": "text",
    "number": "numeric",
    "integer": "bigint",
    "share": "numeric",
    "date": "date",
    "month": "date",
    "email": "email",
    "stage": "text",
    "currency": "text",
}


def day_name(field_name: str) -> str:
    """Column for a moment's day where the file states no time: created_at, created_on."""
    return field_name.removesuffix("_at") + "_on"


def columns_of(field: Field) -> Iterator[Column]:
    """The raw columns of a field."""
    if field.kind == "moment":
        yield Column(field.name, "timestamptz", field.name)
        yield Column(day_name(field.name), "date", day_name(field.name))
    elif field.kind == "person":
        yield Column(f"{field.name}_key", "hashed", field.name)
    else:
        yield Column(
            *(field.name, _TYPES[field.kind], field.name),
            required=field.required,
            person=PERSONS.get(field.name, ()),
            erased=ERASED.get(field.name),
        )


def stream(entity: Entity) -> Stream:
    """How an entity is kept in raw: upserted by `row_key`; between two files with one row `_file_order` decides."""
    return Stream(
        name=entity.name,
        kind="changed",
        key=("row_key",),
        modified="_file_order",
        person=entity.is_person,
        lookups=entity.lookups,
        columns=(
            Column(
                *("row_key", "hashed" if entity.is_personal_key else "text", "row_key"),
                required=True,
                person=PERSONS.get("lead_id", ()) if entity.is_person else (),
            ),
            *(column for field in entity.fields for column in columns_of(field)),
            Column("_file_order", "text", "_file_order", required=True),
            Column("_first_seen_at", "timestamptz", "_first_seen_at"),
        ),
    )
