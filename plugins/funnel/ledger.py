"""Schema `ops`: migrations, the record of loads, builds and publications, and their lock.

Its SQL reads and writes `ops` only; data are loaded in `funnel.ingest` and published in `funnel.publication`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from funnel import privileges, release, settings, warehouse

log = logging.getLogger(__name__)

# In the order of their numbers; those left out (0017 to 0022) never were a migration.
MIGRATIONS = Path(__file__).parent / "migrations"
SUPPORTED_MAJORS = range(15, 19)

# Loads hold this advisory lock shared, a build holds it exclusively from its start to its end: a build sees whole
# loads only, and load ids below its mark can no longer appear.
BUILD_LOCK = 7_205_759
# Publications and roll-backs take turns; a roll-back does not wait for a build.
PUBLICATION_LOCK = BUILD_LOCK + 2


# The parts of the dbt project that give rows their meaning: a hash of code and seeds, the value of variables.
Rules = dict[str, str]


class LedgerError(Exception):
    """The ledger cannot do what was requested. The message says why and what to do."""


def migrate(admin_dsn: str | None = None) -> list[str]:
    """Create the roles and bring `raw` and `ops` to the newest version. Forward only; returns the names of the applied
    migrations.

    Raises LedgerError if the server is older than version 15 or newer than 18, or if a newer release has migrated the
    warehouse; nothing is changed then.
    """
    with psycopg.connect(admin_dsn or settings.dsn("admin")) as admin:
        major = admin.info.server_version // 10_000
        if major not in SUPPORTED_MAJORS:
            raise LedgerError(
                f"The warehouse server is PostgreSQL {major}; versions 15 to 18 are supported. "
                "Point WAREHOUSE_DSN at one of these, or unset it to use the embedded server."
            )
        admin.execute("select pg_advisory_xact_lock(%s)", (BUILD_LOCK + 1,))
        create_roles(admin)
        admin.execute(
            "create table if not exists public.schema_migrations ("
            "name text primary key, applied_at timestamptz not null default now())"
        )
        applied = {row[0] for row in admin.execute("select name from public.schema_migrations")}
        assert_known(applied)
        new = [path for path in sorted(MIGRATIONS.glob("*.sql")) if path.name not in applied]
        for path in new:
            admin.execute(path.read_text().encode())
            admin.execute("insert into public.schema_migrations (name) values (%s)", (path.name,))
        release.record(admin, settings.read().code_version)
        privileges.restrict(admin)
    return [path.name for path in new]


def assert_known(applied: set[str]) -> None:
    """Raises LedgerError if this release does not know one of the applied migrations."""
    unknown = sorted(applied - {path.name for path in MIGRATIONS.glob("*.sql")})
    if unknown:
        raise LedgerError(
            f"A newer release has migrated this warehouse ({', '.join(unknown)}); this checkout is release "
            f"{release.version()}. Check the newer release out again, or restore the backup that was taken before the "
            "upgrade. docs/runbook.md, section `Upgrade stopped`."
        )


def create_roles(admin: psycopg.Connection[Any]) -> None:
    """Create the roles of the pipeline and of readers, with their passwords and the right to connect."""
    existing = {row[0] for row in admin.execute("select rolname from pg_roles")}
    for role in (*settings.ACTIVITIES, *settings.LOGINS, *privileges.READER_GROUPS):
        if role not in existing:
            admin.execute(sql.SQL("create role {} noinherit").format(sql.Identifier(role)))
    for role in (*settings.ACTIVITIES, *settings.LOGINS):
        password = sql.Literal(settings.role_password(role))
        admin.execute(sql.SQL("alter role {} login password {}").format(sql.Identifier(role), password))
    database = sql.Identifier(admin.info.dbname)
    everyone = sql.SQL(", ").join(map(sql.Identifier, (*settings.ACTIVITIES, *settings.LOGINS)))
    activities = sql.SQL(", ").join(map(sql.Identifier, settings.ACTIVITIES))
    admin.execute(sql.SQL("grant {} to pipeline").format(activities))
    admin.execute(sql.SQL("revoke all on database {} from public").format(database))
    admin.execute(sql.SQL("grant connect on database {} to {}").format(database, everyone))
    admin.execute(sql.SQL("grant temporary on database {} to {}").format(database, activities))
    # On a managed server the administrator is not a superuser and must be a member of the role that it creates objects
    # for.
    admin.execute(sql.SQL("grant {} to current_user").format(activities))
    admin.execute("revoke all on schema public from public")


# Builds -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Build:
    """One row of ops.builds while it is under way."""

    build_id: int
    as_of: datetime
    is_full: bool
    since_load_id: int
    through_load_id: int


@contextmanager
def build_lock(*, wait: bool = True) -> Iterator[psycopg.Connection[Any]]:
    """Hold the build lock on a session of its own; loads wait, so that a build never reads part of a load.

    Raises LedgerError if another build holds it and `wait` is false. The lock ends with the session, so a killed build
    does not leave it behind.
    """
    connection = warehouse.connect("builder", autocommit=True)
    try:
        if wait:
            connection.execute("select pg_advisory_lock(%s)", (BUILD_LOCK,))
        else:
            row = connection.execute("select pg_try_advisory_lock(%s)", (BUILD_LOCK,)).fetchone()
            if not row or not row[0]:
                raise LedgerError("Another build, or a load, is under way. Wait for it or look at `make status`.")
        yield connection
    finally:
        connection.close()


def publication_in_effect(connection: psycopg.Connection[Any]) -> dict[str, Any] | None:
    """The id of the publication that readers see, or None before the first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from ops.publication_in_effect").fetchone()


def newest_build() -> int:
    """Id of the newest build. Raises LedgerError if there is none."""
    with warehouse.connect("builder") as connection:
        row = connection.execute("select max(build_id) from ops.builds").fetchone()
    if row is None or row[0] is None:
        raise LedgerError("Nothing has been built yet: run `make build` first.")
    return int(row[0])


def has_unpublished_loads() -> bool:
    """True if anything was loaded or removed after the build of the publication in effect."""
    with warehouse.connect("builder") as connection:
        published = publication_in_effect(connection) or {"through_load_id": 0, "build_id": 0}
        return _has_loads_after(connection, published)


def has_unbuilt_loads() -> bool:
    """True if anything was loaded or removed after the newest build that passed its audit and waits, or if none
    waits.
    """
    with warehouse.connect("builder") as connection:
        waiting = warehouse.dicts(connection, "select * from ops.waiting_build")
        return not waiting or _has_loads_after(connection, waiting[0])


def _has_loads_after(connection: psycopg.Connection[Any], build: dict[str, Any]) -> bool:
    row = connection.execute(
        """
        select
            exists (select from ops.loads where load_id > %(through_load_id)s)
            or exists (select from ops.listings where load_id > %(through_load_id)s)
            or exists (
                select from ops.removals
                where after_build_id >= %(build_id)s
            )
        """,
        build,
    ).fetchone()
    return bool(row and row[0])


def open_build(
    connection: psycopg.Connection[Any], project_fingerprint: str, *, full: bool = False, rules: Rules | None = None
) -> Build:
    """Start a row of ops.builds with the loads that must be read (those since the publication in effect) and the as-of
    day.

    `connection` must hold the build lock. as_of is the end of the last day complete in every source that is not late,
    in the reporting time zone; its day does not move back by itself. `rules` are noted for `ops.build_changes`. The
    build is full if requested, before the first publication, after a roll-back, after an unpublished full build, after
    rows were removed (ops.removals), and if the dbt project, a reporting setting or the set of sources differs from the
    published build's: connecting a source turns null into 0 in all of history. Raises LedgerError before the first
    load.
    """
    chosen = settings.read()
    published = publication_in_effect(connection)
    last_days, as_of = _as_of(connection, published)
    newest = max((day for day in last_days.values() if day is not None), default=date.min)
    late = sorted(source for source, day in last_days.items() if day is None or day < newest)
    through_load_id = connection.execute(
        "select coalesce(greatest((select max(load_id) from ops.loads), (select max(load_id) from ops.listings)), 0)"
    ).fetchone()[0]  # type: ignore[index]
    configured = [*sorted(last_days), *_filed_entities(connection)]
    full = full or published is None or _needs_full_build(connection, published, project_fingerprint, configured)
    connection.execute(
        "update ops.builds set status = 'abandoned', finished_at = clock_timestamp() "
        "where status in ('building', 'built')"
    )
    if not full:
        _forget_published_changes(connection)
    build = {
        "as_of": as_of,
        "is_full": full,
        "since_load_id": 0 if full or published is None else published["through_load_id"],
        "through_load_id": through_load_id,
        "reporting_currency": chosen.reporting_currency,
        "reporting_timezone": chosen.reporting_timezone,
        "master_crm": chosen.master_crm,
        "sources_configured": configured,
        "sources_late": late,
        "status": "building",
        "project_fingerprint": project_fingerprint,
        "rules": Jsonb(rules or {}),
        "code_version": chosen.code_version,
    }
    build_id = connection.execute(
        sql.SQL("insert into ops.builds ({}) values ({}) returning build_id").format(
            sql.SQL(", ").join(map(sql.Identifier, build)), sql.SQL(", ").join(map(sql.Placeholder, build))
        ),
        build,
    ).fetchone()[0]  # type: ignore[index]
    return Build(build_id, as_of, full, build["since_load_id"], through_load_id)


def _as_of(
    connection: psycopg.Connection[Any], published: dict[str, Any] | None
) -> tuple[dict[str, date | None], datetime]:
    """The last complete day of each source, and the end of the newest one in the reporting time zone."""
    last_days: dict[str, date | None] = dict(
        connection.execute("select source, min(last_day_complete) from ops.sources group by source").fetchall()
    )
    ends = [day + timedelta(days=1) for day in last_days.values() if day is not None]
    if published:
        # Without any source (the last one was withdrawn) it stays at its published day.
        ends.append(_published_day(connection, published))
    if not ends:
        raise LedgerError("There is nothing to build from: no checked load is recorded. Ingest a source first.")
    zone = ZoneInfo(settings.read().reporting_timezone)
    return last_days, datetime.combine(max(ends), time(), zone).astimezone(UTC)


def _published_day(connection: psycopg.Connection[Any], published: dict[str, Any]) -> date:
    """The day of the published as_of in the time zone of its own build: in another one it would be within a day."""
    day = connection.execute(
        "select known_on from ops.publication_settings where publication_id = %s", (published["publication_id"],)
    ).fetchone()
    return day[0]  # type: ignore[index, no-any-return]


def _filed_entities(connection: psycopg.Connection[Any]) -> list[str]:
    """The entities that were ever read from files, such as files.ad_stats: the others are not configured."""
    return [
        f"files.{stream}"
        for (stream,) in connection.execute(
            "select distinct stream from ops.files where status = 'loaded' and rows_loaded > 0 order by stream"
        )
    ]


def _needs_full_build(
    connection: psycopg.Connection[Any], published: dict[str, Any], project_fingerprint: str, configured: list[str]
) -> bool:
    chosen = settings.read()
    published_as = connection.execute(
        """
        select reporting_currency, reporting_timezone, master_crm, project_fingerprint, sources_configured
        from ops.builds where build_id = %s
        """,
        (published["build_id"],),
    ).fetchone()
    now = (chosen.reporting_currency, chosen.reporting_timezone, chosen.master_crm, project_fingerprint, configured)
    unfinished = connection.execute(
        """
        select exists (select from ops.builds where build_id > %(build_id)s and is_full)
            -- Rolled back since that build began: it compared with, and reported on, what was shown until then.
            or exists (
                select from ops.publications
                where reverted_after_build_id >= %(build_id)s
            )
            or exists (
                select from ops.removals
                where after_build_id >= %(build_id)s
            )
        """,
        published,
    ).fetchone()
    return published_as != now or bool(unfinished and unfinished[0])


def _forget_published_changes(connection: psycopg.Connection[Any]) -> None:
    """Empty the change lists if the last build that wrote them is the published one."""
    last = connection.execute("select status from ops.builds order by build_id desc limit 1").fetchone()
    if last and last[0] == "published":
        tables = warehouse.tables(connection, "marts_changes")
        if tables:
            names = sql.SQL(", ").join(sql.Identifier("marts_changes", table) for table in tables)
            connection.execute(sql.SQL("truncate {}").format(names))


def close_build(connection: psycopg.Connection[Any], build_id: int, status: str, failure: str | None = None) -> None:
    """Record the result of a build: built, failed, audit_failed or published."""
    connection.execute(
        "update ops.builds set status = %s, failure = %s, finished_at = clock_timestamp() where build_id = %s",
        (status, failure, build_id),
    )
