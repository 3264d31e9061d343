"""The clock is set back two hours, or was ahead, between two events: the later event still counts as the later."""

from datetime import timedelta

import psycopg
import pytest

from funnel import ledger, settings, warehouse

BUILT = """
    insert into ops.builds (
        started_at, as_of, is_full, since_load_id, through_load_id, reporting_currency, reporting_timezone, master_crm,
        sources_configured, sources_late, status, project_fingerprint, code_version
    )
    values (
        clock_timestamp() + interval '2 hours', '2026-03-29', false, 0, 0, 'USD', 'UTC', 'salesforce', '{google_ads}',
        '{}', 'published', 'p', ''
    )
    returning build_id
"""
PUBLISHED = """
    insert into ops.publications (build_id, as_of, through_load_id, marts, rows_changed, audited_at, published_at)
    values (%s, '2026-03-29', 0, '{}', '{}', now(), clock_timestamp() + interval '2 hours')
    returning publication_id
"""
SOURCE = """
    insert into ops.sources (source, connection_id, owner, time_zone, restatement_days, last_day_complete)
    values ('google_ads', 'google_ads', 'x', 'UTC', 30, %s)
"""
REMOVED = """
    insert into ops.removals (source, connection_id, stream, reason, rows_removed)
    values ('files', 'files', 'leads', 'withdrawn', 3)
"""


@pytest.fixture
def published(warehouse: str) -> int:
    """A published build, by a clock that was two hours ahead; returns its id."""
    with psycopg.connect(settings.dsn("admin")) as connection:
        (build_id,) = connection.execute(BUILT).fetchone()  # type: ignore[misc]
        connection.execute(PUBLISHED, (build_id,))
        connection.execute(SOURCE, ("2026-03-28",))
    return int(build_id)


def next_build() -> ledger.Build:
    with ledger.build_lock() as connection:
        return ledger.open_build(connection, "p")


def test_without_a_removal_the_next_build_is_incremental(published: int) -> None:
    assert not ledger.has_unpublished_loads()
    assert not next_build().is_full


def test_a_removal_after_a_build_is_seen_when_the_clock_was_set_back(published: int) -> None:
    with warehouse.connect("loader") as connection:
        connection.execute(REMOVED)
    assert ledger.has_unpublished_loads()
    assert next_build().is_full


def test_a_removal_before_a_build_is_not_seen_again_when_the_clock_was_ahead(published: int) -> None:
    with psycopg.connect(settings.dsn("admin")) as connection:
        connection.execute(REMOVED)
        connection.execute("update ops.removals set removed_at = removed_at + interval '1 year'")
        (build_id,) = connection.execute(BUILT).fetchone()  # type: ignore[misc]
        connection.execute(PUBLISHED, (build_id,))
    assert not ledger.has_unpublished_loads()
    assert not next_build().is_full


def test_a_roll_back_after_a_build_is_seen_when_the_clock_was_set_back(published: int) -> None:
    from funnel.publication import undo

    with psycopg.connect(settings.dsn("admin")) as connection:
        (build_id,) = connection.execute(BUILT).fetchone()  # type: ignore[misc]
        connection.execute(PUBLISHED, (build_id,))
        connection.execute(
            "update ops.publications set previous_id = publication_id - 1 where build_id = %s", (build_id,)
        )
        # The build that the roll-back leaves in effect began before, so the next one is full.
    undo.roll_back("a test")
    with psycopg.connect(settings.dsn("admin")) as connection:
        reverted = connection.execute(
            "select reverted_after_build_id from ops.publications where reverted_at is not null"
        ).fetchone()
    assert reverted == (build_id,)
    assert next_build().is_full


def test_the_audit_that_counts_is_the_newest_when_the_clock_was_set_back(published: int) -> None:
    insert = (
        "insert into ops.checks (build_id, suite, table_name, expectation, severity, passed, checked_at) "
        "values (%s, 's', 't', 'rows', 'critical', %s, clock_timestamp() + %s)"
    )
    with psycopg.connect(settings.dsn("admin")) as connection:
        connection.execute(insert, (published, False, timedelta(hours=2)))
        connection.execute(insert, (published, True, timedelta(0)))
        assert connection.execute("select passed from ops.latest_checks").fetchall() == [(True,)]


@pytest.mark.parametrize(
    ("last_day", "as_of"),
    [
        # Clocks of Berlin change in the nights to 29 March and 25 October.
        ("2026-03-28", "2026-03-28T23:00:00+00:00"),
        ("2026-03-29", "2026-03-29T22:00:00+00:00"),
        ("2026-10-24", "2026-10-24T22:00:00+00:00"),
        ("2026-10-25", "2026-10-25T23:00:00+00:00"),
    ],
)
def test_as_of_is_the_end_of_the_last_day_in_the_reporting_zone_when_clocks_change(
    warehouse: str, monkeypatch: pytest.MonkeyPatch, last_day: str, as_of: str
) -> None:
    monkeypatch.setenv("REPORTING_TIMEZONE", "Europe/Berlin")
    with psycopg.connect(settings.dsn("admin")) as connection:
        connection.execute(SOURCE, (last_day,))
    assert next_build().as_of.isoformat() == as_of
