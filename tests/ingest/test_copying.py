"""Binary COPY stores the same as text COPY, for any cells; values that do not fit their type exactly are
sent as text.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from funnel.ingest import copying

TYPES = {"a": "text", "b": "bigint", "n": "numeric", "d": "date", "t": "timestamptz", "j": "jsonb"}
NAMES = ("a", "b", "n", "d", "t")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(10**45), 10**45).map(str),
    st.integers(-1000, 1000).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12).map(str),
    st.tuples(st.integers(-(10**30), 10**30), st.integers(0, 40)).map(
        lambda pair: f"{Decimal(pair[0]).scaleb(-pair[1]):f}"
    ),
)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(datetime.isoformat)  # noqa: DTZ001
CELLS = {
    "a": TEXTS,
    "b": st.integers(-(2**63), 2**63 - 1).map(str),
    "n": NUMBERS,
    "d": st.dates().map(date.isoformat),
    "t": MOMENTS,
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | cells for name, cells in CELLS.items()}), min_size=1, max_size=20
)


@pytest.fixture(scope="module")
def connection(cluster_home: Any) -> Iterator[psycopg.Connection[Any]]:
    from funnel import settings

    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute("set time zone 'UTC'")
        columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
        admin.execute(f"create temporary table as_binary ({columns})".encode())
        admin.execute(f"create temporary table as_text ({columns})".encode())
        yield admin


def batch_of(rows: list[dict[str, Any]], names: tuple[str, ...] = NAMES) -> Any:
    return pa.record_batch([pa.array([row[name] for row in rows], pa.string()) for name in names], names=list(names))


def stored(connection: Any, table: str, names: tuple[str, ...], form: copying.Form, rows: bytes) -> list[Any]:
    """The rows as PostgreSQL prints them: some days are outside Python's calendar."""
    connection.execute(f"truncate {table}")
    copying.copy_encoded(connection, sql.Identifier(table), names, form, [rows])
    return connection.execute(f"select a, b, n, d::text, t::text, j from {table}").fetchall()


@given(rows=ROWS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_are_the_same_by_both_ways(connection: Any, rows: list[dict[str, Any]]) -> None:
    batch = batch_of(rows)
    form, encoded = copying.encode(batch, TYPES)
    assert stored(connection, "as_binary", NAMES, form, encoded) == stored(
        connection, "as_text", NAMES, copying.CSV, copying.as_csv(batch)
    )


def test_what_fits_is_copied_in_binary(connection: Any) -> None:
    """Otherwise the property above would compare text with text."""
    rows = [
        {"a": "", "b": "7", "n": "12345678901234567890123456789012345678", "d": "0001-01-01", "t": None},
        {"a": None, "b": "-9223372036854775808", "n": "-1", "d": None, "t": "2026-01-02T10:00:00.123456+00:00"},
        {"a": 'ü"\\\n\U0001f600', "b": None, "n": None, "d": "9999-12-31", "t": "0001-01-02T00:00:00+00:00"},
    ]
    form, encoded = copying.encode(batch_of(rows), TYPES)
    assert form == copying.BINARY
    assert stored(connection, "as_binary", NAMES, form, encoded) == [
        ("", 7, Decimal("12345678901234567890123456789012345678"), "0001-01-01", None, None),
        (None, -(2**63), Decimal(-1), None, "2026-01-02 10:00:00.123456+00", None),
        ('ü"\\\n\U0001f600', None, None, "9999-12-31", "0001-01-02 00:00:00+00", None),
    ]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("n", "1" * 39),
        ("n", "0." + "1" * 38),
        ("n", "NaN"),
        ("b", "9223372036854775808"),
        ("d", "infinity"),
        ("j", "{}"),
    ],
)
def test_what_does_not_fit_goes_as_text(connection: Any, column: str, cell: str) -> None:
    batch = batch_of([{column: cell}, {column: None}], (column,))
    form, encoded = copying.encode(batch, TYPES)
    assert (form, encoded) == (copying.CSV, copying.as_csv(batch))


def test_whole_numbers_reach_a_numeric_column(connection: Any) -> None:
    form, encoded = copying.encode(batch_of([{"n": str(number)} for number in range(5)], ("n",)), TYPES)
    assert form == copying.BINARY
    assert [row[2] for row in stored(connection, "as_binary", ("n",), form, encoded)] == [0, 1, 2, 3, 4]


def test_many_rows_of_many_batches_are_all_taken(connection: Any) -> None:
    """An encoder holds rows back until it is finished, whatever the size of a batch."""
    sizes = [1, 5, 1_000, 30_000, 2]
    connection.execute("truncate as_binary")
    blocks = []
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for size in sizes:
        rows = [
            {"a": f"{number}", "n": f"{number}.50", "t": (first + timedelta(hours=number)).isoformat()}
            for number in range(size)
        ]
        form, encoded = copying.encode(batch_of(rows, ("a", "n", "t")), TYPES)
        assert form == copying.BINARY
        blocks.append(encoded)
    assert copying.copy_encoded(
        connection, sql.Identifier("as_binary"), ("a", "n", "t"), copying.BINARY, blocks
    ) == sum(sizes)
    assert connection.execute(
        "select count(*), count(distinct t), sum(n) = sum(a::numeric + 0.5) from as_binary"
    ).fetchone() == (
        sum(sizes),
        30_000,
        True,
    )
