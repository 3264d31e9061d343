"""The plan of a publication: what it would change in `bi`, from the comparison that publication itself makes.

Nothing is written: `compare` only reads, inside the caller's transaction. Words are in `plan_text`, the page is in
`plan_page`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.publication import causes
from funnel.publication.mart_tables import Mart, differing, shown_rows

FUNNEL = "fct_funnel_daily"
# The measures of the funnel whose months and largest keys a plan shows, and the columns that each adds up.
MEASURES = {
    "spend": ("spend",),
    "leads": ("leads",),
    "won amount": ("won_amount",),
    "revenue": ("won_amount", "order_amount"),
}
# Values that people are paid or evaluated by: their name, mart and column. A verdict counts if its row stays.
DECISIONS = (
    ("target", "fct_targets", "target", False),
    ("commission", "fct_opportunities", "commission_amount", False),
    ("scorecard verdict: enough data", "rpt_alignment_scorecard", "is_sufficient", True),
    ("scorecard verdict: reversed", "rpt_alignment_scorecard", "is_reversed", True),
)
LARGEST = 10


@dataclass(frozen=True)
class RowCounts:
    """Rows of one mart: new ones, those that leave, those whose values change, and what is shown now."""

    added: int
    removed: int
    changed: int
    shown_now: int


@dataclass(frozen=True)
class Movement:
    """One value before and after publication; `subject` is a measure or a decision, `key` says where."""

    subject: str
    key: str
    before: Any
    after: Any

    @property
    def change(self) -> Decimal:
        """After minus before, for numbers; null counts as 0."""
        return Decimal(self.after or 0) - Decimal(self.before or 0)


@dataclass(frozen=True)
class Plan:
    """What publishing a build would change. `months` hold only months that move; `decisions` at most ten of each kind,
    with their number in `decisions_moved`.
    """

    build_id: int
    publication_id: int | None
    marts: Mapping[str, RowCounts]
    tables: tuple[str, ...] = ()
    months: tuple[Movement, ...] = ()
    largest: tuple[Movement, ...] = ()
    decisions: tuple[Movement, ...] = ()
    decisions_moved: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def rows_changed(self) -> dict[str, dict[str, int]]:
        """The counts as `ops.publications.rows_changed` will hold them."""
        return {
            mart: {"shown": rows.added + rows.changed, "withdrawn": rows.removed + rows.changed}
            for mart, rows in self.marts.items()
        }

    @property
    def is_empty(self) -> bool:
        """True if readers would see no difference."""
        return not self.tables and not any(rows.added or rows.removed or rows.changed for rows in self.marts.values())


def compare(
    connection: psycopg.Connection[Any],
    marts: list[Mart],
    build: Mapping[str, Any],
    previous: Mapping[str, Any] | None,
    *,
    whole: bool,
) -> Plan:
    """The plan of a build against the publication in effect; `whole` as in publication."""
    stored = {mart.name: warehouse.columns(connection, "bi", mart.name) for mart in marts}
    by_name = {mart.name: mart for mart in marts}
    compared = {mart.name: differing(mart, stored[mart.name], None if whole else _touched_keys(mart)) for mart in marts}
    counts = {mart.name: _count(connection, mart, stored[mart.name], compared[mart.name]) for mart in marts}
    moved = {name for name, rows in counts.items() if rows.added or rows.removed or rows.changed}
    months: list[Movement] = []
    largest: list[Movement] = []
    if FUNNEL in moved:
        funnel, rows = by_name[FUNNEL], compared[FUNNEL]
        months = _months(connection, funnel, stored[FUNNEL], rows)
        largest = _largest(connection, funnel, rows)
    decisions: list[Movement] = []
    number: dict[str, int] = {}
    for subject, name, column, stays in DECISIONS:
        if name in moved and column in by_name[name].columns:
            found, number[subject] = _decided(connection, by_name[name], compared[name], (subject, column), stays=stays)
            decisions += found
    return Plan(
        build["build_id"],
        previous["publication_id"] if previous else None,
        counts,
        tuple(_tables(marts, stored)),
        tuple(months),
        tuple(largest),
        tuple(decisions),
        {subject: count for subject, count in number.items() if count},
        tuple(causes.known(connection, build, previous, compared.get(causes.RESTATEMENT))) if moved else (),
    )


def _touched_keys(mart: Mart) -> sql.Composed:
    return sql.SQL("(select distinct {key} from {changes})").format(**mart.identifiers)


def _count(connection: psycopg.Connection[Any], mart: Mart, stored: dict[str, str], rows: sql.Composed) -> RowCounts:
    counted = connection.execute(
        sql.SQL(
            """
            select
                count(*) filter (where shown.place is null),
                count(*) filter (where built.place is null),
                count(*) filter (where shown.place is not null and built.place is not null)
            {}
            """
        ).format(rows)
    ).fetchone()
    now = connection.execute(sql.SQL("select count(*) from {shown}").format(**mart.identifiers)) if stored else None
    shown_now = now.fetchone() if now else None
    added, removed, changed = counted or (0, 0, 0)
    return RowCounts(added, removed, changed, shown_now[0] if shown_now else 0)


def _tables(marts: list[Mart], stored: Mapping[str, dict[str, str]]) -> list[str]:
    """New marts, and columns that appear, disappear or change their type."""
    told = []
    for mart in marts:
        before = {name: kind for name, kind in stored[mart.name].items() if name != "publication_id"}
        if not before:
            told.append(f"{mart.name} is a new mart")
            continue
        told += [
            f"{mart.name} gets the column {name} ({kind})" for name, kind in mart.columns.items() if name not in before
        ]
        told += [f"{mart.name} loses the column {name}" for name in before if name not in mart.columns]
        told += [
            f"{mart.name}.{name} becomes {kind}; it is {before[name]}"
            for name, kind in mart.columns.items()
            if name in before and before[name] != kind
        ]
    return told


def _measures(mart: Mart) -> dict[str, tuple[str, ...]]:
    known = {name: tuple(each for each in parts if each in mart.columns) for name, parts in MEASURES.items()}
    return {name: parts for name, parts in known.items() if parts}


def _sum_of(parts: tuple[str, ...], alias: str) -> sql.Composed:
    """The measure of one row: the sum of its columns, null as 0."""
    return sql.SQL(" + ").join(
        sql.SQL("coalesce({}, 0)::numeric").format(sql.Identifier(alias, column)) for column in parts
    )


def _months(
    connection: psycopg.Connection[Any], mart: Mart, stored: dict[str, str], rows: sql.Composed
) -> list[Movement]:
    """Each measure by month, before and after, where it moves: what is shown, and with the differing rows replaced."""
    measures = _measures(mart)
    day = sql.SQL("date_trunc('month', {}.date_day)::date")
    changes = [
        sql.SQL("coalesce(sum({}), 0) - coalesce(sum({}), 0)").format(_sum_of(parts, "built"), _sum_of(parts, "shown"))
        for parts in measures.values()
    ]
    moved = connection.execute(
        sql.SQL(
            "select date_trunc('month', coalesce(built.date_day, shown.date_day))::date, {} {} group by 1 order by 1"
        ).format(sql.SQL(", ").join(changes), rows)
    ).fetchall()
    sums = [sql.SQL("sum({})").format(_sum_of(parts, "shown")) for parts in measures.values()]
    before: dict[date, tuple[Any, ...]] = {
        month: values
        for month, *values in connection.execute(
            sql.SQL("select {}, {} from ({}) as shown group by 1").format(
                day.format(sql.Identifier("shown")), sql.SQL(", ").join(sums), shown_rows(mart, stored, None)
            )
        )
    }
    return [
        Movement(name, f"{month:%Y-%m}", start, start + change)
        for place, name in enumerate(measures)
        for month, *change_of in moved
        if (change := change_of[place])
        for start in (before[month][place] if month in before else Decimal(0),)
    ]


def _largest(connection: psycopg.Connection[Any], mart: Mart, rows: sql.Composed) -> list[Movement]:
    """The ten keys whose measure moves most, for each measure."""
    found = []
    for name, parts in _measures(mart).items():
        before, after = _sum_of(parts, "shown"), _sum_of(parts, "built")
        for *key, start, end in connection.execute(
            sql.SQL(
                "select {key}, {before}, {after} {rows} and {before} <> {after} "
                "order by abs({after} - ({before})) desc, {key} limit {limit}"
            ).format(key=_key(mart), before=before, after=after, rows=rows, limit=sql.Literal(LARGEST))
        ):
            found.append(Movement(name, _words(mart, key), start, end))
    return found


def _decided(
    connection: psycopg.Connection[Any], mart: Mart, rows: sql.Composed, what: tuple[str, str], *, stays: bool
) -> tuple[list[Movement], int]:
    """Values of one decision that move, at most ten, and their number; with `stays` only of rows on both sides."""
    subject, column = what
    limit = sql.SQL("and shown.place is not null and built.place is not null" if stays else "")
    moved = connection.execute(
        sql.SQL(
            "select {key}, shown.{column}, built.{column}, count(*) over () {rows} "
            "and shown.{column} is distinct from built.{column} {limit} order by {key} limit {most}"
        ).format(key=_key(mart), column=sql.Identifier(column), rows=rows, limit=limit, most=sql.Literal(LARGEST))
    ).fetchall()
    found = [Movement(subject, _words(mart, key), before, after) for *key, before, after, _ in moved]
    return found, moved[0][-1] if moved else 0


def _key(mart: Mart) -> sql.Composed:
    """The columns of the key, from the side that has the row."""
    return sql.SQL(", ").join(
        sql.SQL("coalesce({}, {})").format(sql.Identifier("built", column), sql.Identifier("shown", column))
        for column in mart.key
    )


def _words(mart: Mart, key: list[Any]) -> str:
    return " · ".join(str(value) for value in key)
