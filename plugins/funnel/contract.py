"""The declaration of a source: its streams, their columns, their keys.

Everything that must agree between connector, loader, dbt and Great Expectations is declared once: the types here, the
data in `funnel.sources.<source>`. This module only derives names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from funnel.logins import LoginStore

# A listing of a stream's ids is landed under the stream's name with this suffix.
LISTING = ".ids"

ColumnType = Literal["text", "bigint", "numeric", "boolean", "date", "timestamptz", "jsonb", "email", "hashed"]


@dataclass(frozen=True)
class Column:
    """One declared field of a vendor record.

    `path` is the dotted path in the vendor's JSON. `required` fields that are missing or null send the row to
    quarantine. Type `email` is never stored: it becomes `<name>_key` (HMAC of the normalised address) and
    `<name>_domain`. Type `hashed` is never stored either, only its HMAC under the same name: ids of persons in any
    form, and keys made of addresses.

    `costs_row` is the effect of an unreadable value: the row goes to quarantine (True), or the value becomes null and
    is noted (False). By default measures and flags cost the row, attributes do not: see `Stream.costs_row`. `free_text`
    is text that people enter although it is part of the key or named like an id: it may be empty, invalid characters
    are replaced, and the index has a hash of it.

    A jsonb column with `holds` is a list of objects, with the (path, type) that the marts read of each. An element
    without it is left out and noted, or costs the row if the column does. `counted_by` is the field that the marts add
    up: an element without it is kept and noted, because it counts as none.

    `person` names the kinds of persons that an id may refer to: streams of the same source (`contacts`) or of another
    (`salesforce.contacts`); a list of links refers to them by the first path of `holds`. `erased` columns are cleared
    in rows that name a forgotten person (ING-26): a text from this word on, a list of all elements without it.
    """

    name: str
    type: ColumnType
    path: str
    required: bool = False
    costs_row: bool | None = None
    free_text: bool = False
    holds: tuple[tuple[str, ColumnType], ...] | None = None
    counted_by: str | None = None
    person: tuple[str, ...] = ()
    erased: str | None = None

    @property
    def raw_columns(self) -> tuple[tuple[str, str], ...]:
        """(name, PostgreSQL type) of the raw columns this field fills."""
        if self.type == "email":
            return ((f"{self.name}_key", "text"), (f"{self.name}_domain", "text"))
        if self.type == "hashed":
            return ((self.name, "text"),)
        return ((self.name, self.type),)


@dataclass(frozen=True)
class Reconcile:
    """How silently deleted records are found: the vendor's ids are regularly compared with the stored ones (ING-16).

    `days` is the time between two listings of ids; `reconcile_days` in a connection's extra overrides it, and 0
    switches listings off. `since` is the column of the record's creation if a vendor does not list ids before some
    time: rows created before it are not compared. A listing with less than `at_least` (a share) of the stored records
    is refused.
    """

    days: int = 7
    since: str | None = None
    at_least: float = 0.5


@dataclass(frozen=True)
class Money:
    """The columns of a stream that hold amounts, and the column of their currency.

    If `amounts` is empty, every row needs a currency because rows of another stream use it, as an account's currency is
    used by its spend.
    """

    currency: str
    amounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stream:
    """One kind of vendor record and how it is stored in `raw.<source>__<name>`.

    dated    a read replaces its days; rows that vanished are retracted. `day` names the date column.
    changed  records are upserted by key; the newest (`modified`, fetched_at) wins; removal only by `removed`.
    With `keep_versions` a changed stream keeps one row per change seen, keyed by fetched_at too: for attributes
    that vendors overwrite (a campaign's name). A `modified` whose name begins with `_` orders rows, but is not part of
    their content: a row that differs in it alone has not changed. `person` streams also get `_record_key`, the HMAC of
    their vendor id.
    `lookups` are columns by which the marts find the rows of one person or deal; each has an index.
    `account` is the column that names the ad account, property or customer of a row, where one connection reads several
    of them: a read of some accounts does not affect the others. With `empty_is_doubtful` an account without a row may
    be one without access.

    Changes that a vendor does not report: `reconcile` for deletions. `merged_ids` is the column in which a survivor
    lists the records merged into it, separated by semicolons: these disappear without being deleted. `linked_days`:
    records changed within this number of days are read again in each run, because their associations may be newer.
    `whole_days`: days between two reads of all records, because computed fields change without their record.
    """

    name: str
    kind: Literal["dated", "changed"]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    day: str | None = None
    modified: str | None = None
    removed: str | None = None
    keep_versions: bool = False
    person: bool = False
    lookups: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    account: str | None = None
    empty_is_doubtful: bool = False
    reconcile: Reconcile | None = None
    merged_ids: str | None = None
    linked_days: int = 0
    whole_days: int = 0
    money: Money | None = None

    def __post_init__(self) -> None:
        if self.reconcile and (self.kind == "dated" or len(self.key) > 1):
            raise ValueError(f"Stream {self.name}: only changed records with one id can be compared with a listing.")
        if self.kind == "dated" and self.day not in self.key:
            raise ValueError(f"Dated stream {self.name}: its day must be part of its key, since a read replaces days.")

    def is_id(self, column: Column) -> bool:
        """True for a key, id or code, by which other records are found."""
        is_named_so = column.name.endswith(("_id", "_code"))
        return not column.free_text and (is_named_so or column.name in (*self.key, *self.lookups))

    def costs_row(self, column: Column) -> bool:
        """True if a row goes to quarantine when this value cannot be read.

        By default for amounts and counts, flags, keys, days, columns that order or remove rows, and required columns.
        Of any other attribute only the value is left out.
        """
        if column.required or column.name in (*self.key, self.day, self.modified, self.removed):
            return True
        return column.type in ("numeric", "bigint", "boolean") if column.costs_row is None else column.costs_row


@dataclass(frozen=True)
class AccountRead:
    """Yielded by `fetch` after the bodies of one account when all of it was read. `account` is written
    as in the rows.
    """

    account: str


@dataclass(frozen=True)
class AccountRefused:
    """Yielded by `fetch` instead of AccountRead if the vendor refuses one of several accounts: its bodies do not count.

    `reason` has the vendor's message and what to do.
    """

    account: str
    reason: str


@dataclass(frozen=True)
class HomeCurrency:
    """Yielded by `fetch` for a portal or an organisation: the currency (ISO 4217) of its amounts that name none."""

    code: str


Fetched = bytes | AccountRead | AccountRefused | HomeCurrency


@dataclass(frozen=True)
class Window:
    """Half-open range of days [from_day, to_day) that one read covers. Raises ValueError if it is empty.

    A vendor finds a changed record only by its last change. A read that ends with the newest day is therefore
    `until_now`: for changed streams it also takes later changes, because records changed again this morning would be
    missing (ING-2). A read that is `whole` takes all records of a changed stream, whenever they changed; its days stay
    those of its run.
    """

    from_day: date
    to_day: date
    until_now: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if self.from_day >= self.to_day:
            raise ValueError(
                f"Window {self.from_day} to {self.to_day} is empty: the end day is excluded and must follow the start."
            )

    @property
    def days(self) -> tuple[date, ...]:
        """All days of the window, in order."""
        return tuple(self.from_day + timedelta(n) for n in range((self.to_day - self.from_day).days))


@dataclass(frozen=True)
class Connection:
    """Address and login of one connection of a source.

    Mirrors an Airflow connection; never logged. `origin` is the place where it was found, for messages; `logins` stores
    its login for later clients and runs.
    """

    connection_id: str
    base_url: str
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)
    origin: str = ""
    logins: LoginStore | None = field(default=None, repr=False, compare=False)

    def days(self, setting: str, stream: Stream, default: int) -> int:
        """The number of days that `extra` sets for this stream, or else for all streams; otherwise the default."""
        chosen = self.extra.get(setting)
        if isinstance(chosen, dict):
            chosen = chosen.get(stream.name)
        return default if chosen is None else int(chosen)


@dataclass(frozen=True)
class Source:
    """One vendor.

    `fetch(connection, stream, window)` yields the vendor's bodies, page by page, as received. For a stream with an
    `account` it yields those of one account after the other, and after each an AccountRead or AccountRefused.
    `records(stream, body)` yields the records of one landed body, as parsed by `funnel.rest.bodies`: what is not an
    object is left to the loader, which quarantines it.
    `list_ids(connection, stream, window)` yields the ids of all records of a stream with `reconcile`, in bodies of
    `funnel.rest.listing`.
    `envelope` names the array in a body that holds the records, so that the loader may decode it without building
    dictionaries. `restatement_days` is the time for which the vendor states that it changes a day,
    `longest_restatement_days` the maximum of a scheduled run if days change for longer; `owner` is the responsible
    team.
    The connections of an inbox (`is_inbox`) are the manifests found in it, and its bodies are tables, see
    `funnel.ingest.arrow_rows`.
    """

    name: str
    streams: tuple[Stream, ...]
    restatement_days: int
    fetch: Callable[[Connection, Stream, Window], Iterator[Fetched]]
    records: Callable[[Stream, bytes], Iterator[Any]]
    envelope: str | None = None
    longest_restatement_days: int = 90
    owner: str = "marketing operations"
    is_inbox: bool = False
    list_ids: Callable[[Connection, Stream, Window], Iterator[bytes]] | None = None

    def stream(self, name: str) -> Stream:
        """The stream of this name, or the stream whose ids a listing of this name holds. Raises KeyError if there is
        neither.
        """
        for stream in self.streams:
            if stream.name == name.removesuffix(LISTING):
                return stream
        known = ", ".join(stream.name for stream in self.streams)
        raise KeyError(f"Source {self.name} has no stream {name!r}; it has {known}.")


def raw_table(source: Source, stream: Stream) -> str:
    """Name of the stream's table in schema `raw`."""
    return f"{source.name}__{stream.name}"
