"""Schema `ops`: migrations, the record of loads, builds and publications, and the lock that keeps them apart.

It holds SQL over `ops` only; what a load or a publication does to data is in `funnel.load` and `funnel.publish`.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from funnel import config, restatement
from funnel.contract import Source, raw_table
from funnel.ingest import accounts
from funnel.landing import LandedRead

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
SUPPORTED_MAJORS = range(15, 19)

# Loads hold this advisory lock shared, a build holds it exclusively from its start to its end: a build sees whole
# loads only, and load ids below its mark can no longer appear.
BUILD_LOCK = 7_205_759


class LedgerError(Exception):
    """The ledger cannot do what was asked. The message says why and what to do."""


def connect(role: config.Role = "pipeline", **arguments: Any) -> psycopg.Connection[Any]:
    """Open a warehouse connection as `role`, sessions in UTC."""
    try:
        connection = psycopg.connect(config.dsn(role), **arguments)
    except psycopg.OperationalError as error:
        raise LedgerError(
            f"The warehouse does not answer as role {role}: {str(error).strip()}\n"
            "What to do: `make status` shows whether the server runs, `make up` starts it and creates the roles."
        ) from error
    autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("set time zone 'UTC'")
    connection.autocommit = autocommit
    return connection


def migrate(admin_dsn: str | None = None) -> list[str]:
    """Create the roles and bring `raw` and `ops` to the newest version. Forward only; returns what was applied.

    Raises LedgerError when the server is older than 15 or newer than 18.
    """
    with psycopg.connect(admin_dsn or config.dsn("admin")) as admin:
        major = admin.info.server_version // 10_000
        if major not in SUPPORTED_MAJORS:
            raise LedgerError(
                f"The warehouse server is PostgreSQL {major}; versions 15 to 18 are supported. "
                "Point WAREHOUSE_DSN at one of these, or unset it to use the embedded server."
            )
        admin.execute("select pg_advisory_xact_lock(%s)", (BUILD_LOCK + 1,))
        _create_roles(admin)
        admin.execute(
            "create table if not exists public.schema_migrations ("
            "name text primary key, applied_at timestamptz not null default now())"
        )
        applied = {row[0] for row in admin.execute("select name from public.schema_migrations")}
        new = [path for path in sorted(MIGRATIONS.glob("*.sql")) if path.name not in applied]
        for path in new:
            admin.execute(path.read_text().encode())
            admin.execute("insert into public.schema_migrations (name) values (%s)", (path.name,))
    return [path.name for path in new]


def _create_roles(admin: psycopg.Connection[Any]) -> None:
    existing = {row[0] for row in admin.execute("select rolname from pg_roles")}
    for role in (*config.ACTIVITIES, *config.LOGINS):
        if role not in existing:
            admin.execute(sql.SQL("create role {} noinherit").format(sql.Identifier(role)))
    passwords = config.secrets()
    for role in config.LOGINS:
        admin.execute(
            sql.SQL("alter role {} login password {}").format(
                sql.Identifier(role), sql.Literal(passwords[f"{role}_password"])
            )
        )
    database = sql.Identifier(admin.info.dbname)
    everyone = sql.SQL(", ").join(map(sql.Identifier, (*config.ACTIVITIES, *config.LOGINS)))
    activities = sql.SQL(", ").join(map(sql.Identifier, config.ACTIVITIES))
    admin.execute(sql.SQL("grant {} to pipeline").format(activities))
    admin.execute(sql.SQL("revoke all on database {} from public").format(database))
    admin.execute(sql.SQL("grant connect on database {} to {}").format(database, everyone))
    admin.execute(sql.SQL("grant temporary on database {} to {}").format(database, activities))
    # On a managed server the administrator is no superuser and must be a member of whom it creates objects for.
    admin.execute(sql.SQL("grant {} to current_user").format(activities))
    admin.execute("revoke all on schema public from public")


# Sources ------------------------------------------------------------------------------------------------------------


def complete(source: Source, run_id: str) -> None:
    """Note that a run's loads are checked: how far each connection of the source is complete, in its own time zone.

    A day counts as complete once it was read after its end. The last complete day never moves back.
    """
    with connect("loader") as connection:
        loaded = connection.execute(
            "select distinct connection_id from ops.loads where source = %s and run_id = %s", (source.name, run_id)
        ).fetchall()
        for (connection_id,) in loaded:
            complete_connection(connection, source, connection_id, run_id)


def complete_connection(connection: psycopg.Connection[Any], source: Source, connection_id: str, run_id: str) -> None:
    """As `complete`, of one connection and in an open transaction."""
    zoned = next((one for one in source.streams if any(column.name == "time_zone" for column in one.columns)), None)
    first_day, end_day, fetched_at = connection.execute(
        """
        select min(window_from), max(window_to), max(fetched_at)
        from ops.loads where source = %s and run_id = %s and connection_id = %s
        """,
        (source.name, run_id, connection_id),
    ).fetchone()  # type: ignore[misc]
    zone = None
    if zoned:
        query = sql.SQL("select string_agg(distinct time_zone, ', ') from {} where _connection_id = %s")
        table = sql.Identifier("raw", raw_table(source, zoned))
        zone = connection.execute(query.format(table), (connection_id,)).fetchone()[0]  # type: ignore[index]
    measured = restatement.measure(connection, source, connection_id)
    day_now = fetched_at.astimezone(ZoneInfo(zone) if zone and "," not in zone else UTC).date()
    connection.execute(
        """
        insert into ops.sources as known (
            source, connection_id, owner, time_zone, restatement_days, measured_restatement_days, reread_days,
            first_day, last_day_complete
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (source, connection_id) do update
        set
            owner = excluded.owner,
            time_zone = excluded.time_zone,
            restatement_days = excluded.restatement_days,
            measured_restatement_days = excluded.measured_restatement_days,
            reread_days = excluded.reread_days,
            first_day = least(known.first_day, excluded.first_day),
            last_day_complete = greatest(known.last_day_complete, excluded.last_day_complete),
            updated_at = clock_timestamp()
        """,
        (
            source.name,
            connection_id,
            source.owner,
            zone or "UTC",
            source.restatement_days,
            measured.oldest_moving_age,
            restatement.days_to_read_again(source, measured),
            first_day,
            min(end_day, day_now) - timedelta(days=1),
        ),
    )


def moment_of_read(source_name: str, connection_id: str, stream_name: str) -> datetime:
    """The moment that orders a read which begins now among others, in UTC, on the day of FUNNEL_TODAY if it is stated.

    It is the warehouse's clock, which all workers share, and later than every read that is loaded: a clock that was
    ahead once must not hide what is read after it.
    """
    with connect("loader") as connection:
        clock, newest = connection.execute(
            """
            select clock_timestamp(), max(fetched_at) from ops.loads
            where source = %s and connection_id = %s and stream = %s
            """,
            (source_name, connection_id, stream_name),
        ).fetchone()  # type: ignore[misc]
    moment = config.on_stated_day(clock.astimezone(UTC))
    if newest is not None and newest >= moment:
        log.warning(
            "%s.%s of connection %s: a read of %s is loaded, later than now (%s): a clock was ahead; this read counts "
            "as the later one.",
            *(source_name, stream_name, connection_id, newest, moment),
        )
        moment = newest.astimezone(UTC) + timedelta(microseconds=1)
    return moment


def last_day_complete(source_name: str, connection_id: str) -> date | None:
    """The last day up to which a connection is loaded and checked; None when it never was.

    It ends before the days that an account which answers again has missed.
    """
    with connect("loader") as connection:
        row = connection.execute(
            "select last_day_complete from ops.sources where source = %s and connection_id = %s",
            (source_name, connection_id),
        ).fetchone()
        if row is None or row[0] is None:
            return None
        missed = accounts.first_missed_day(connection, source_name, connection_id, row[0])
    return min(row[0], missed - timedelta(days=1)) if missed else row[0]


def days_to_read_again(source: Source, connection_id: str) -> int:
    """How many days before its own a scheduled run reads of a connection, after what its reads have shown."""
    with connect("loader") as connection:
        return restatement.days_to_read_again(source, restatement.measure(connection, source, connection_id))


def note_values(connection: psycopg.Connection[Any], load_id: int, found: Iterable[tuple[str, str, int]]) -> None:
    """Write down which values a load repaired or left out: (column, what was done, how many)."""
    for column, what, values in found:
        connection.execute("insert into ops.noted_values values (%s, %s, %s, %s)", (load_id, column, what, values))


def note_files(
    connection: psycopg.Connection[Any], landed: LandedRead, load_id: int, files: list[dict[str, Any]]
) -> None:
    """Write down what became of each file of an inbox in a load."""
    for each in files:
        connection.execute(
            """
            insert into ops.files (
                load_id, source, connection_id, stream, path, stream_no, fingerprint, bytes, modified_at, status,
                reason, reasons,
                rows_read, rows_loaded, rows_quarantined, rows_merged, first_day, last_day, settings, unmapped, notes,
                fetched_at
            )
            values (
                %(load_id)s, %(source)s, %(connection_id)s, %(stream)s, %(path)s, %(stream_no)s, %(fingerprint)s,
                %(size)s, %(modified_at)s, %(status)s, %(reason)s, %(reasons)s, %(rows_read)s, %(rows_loaded)s,
                %(rows_quarantined)s, %(rows_merged)s, %(first_day)s, %(last_day)s, %(settings)s, %(unmapped)s,
                %(notes)s, %(fetched_at)s
            )
            """,
            {
                "stream_no": 1,
                # Files that were landed before these were counted lack them.
                "rows_merged": 0,
                "notes": [],
                **each,
                "settings": json.dumps(each["settings"]),
                "load_id": load_id,
                "source": landed.source,
                "connection_id": landed.connection_id,
                "stream": landed.stream,
                "fetched_at": landed.fetched_at,
            },
        )


def known_files(source_name: str, connection_id: str, stream_name: str) -> dict[str, str]:
    """The fingerprint of each file of an inbox by path, as it was read last, if all of that read was accepted."""
    with connect("loader") as connection:
        return dict(
            connection.execute(
                """
                select path, min(fingerprint)
                from (
                    select
                        path, fingerprint, status,
                        rank() over (partition by path order by fetched_at desc, load_id desc) as place
                    from ops.files
                    where source = %s and connection_id = %s and stream = %s
                ) as reads
                where place = 1
                group by path
                having bool_and(status = 'loaded')
                """,
                (source_name, connection_id, stream_name),
            ).fetchall()
        )


def refused_files(source_name: str, run_id: str) -> list[str]:
    """What a run refused of an inbox, in words: each file with its reason and the first reasons of rows."""
    with connect("loader") as connection:
        refused = connection.execute(
            """
            select files.path, files.reason, files.reasons
            from ops.files as files
            inner join ops.loads as loads on files.load_id = loads.load_id
            where files.source = %s and loads.run_id = %s and files.status = 'refused'
            order by files.path
            """,
            (source_name, run_id),
        ).fetchall()
    return [
        f"{path} is refused whole: {reason}." + "".join(f"\n  {each}" for each in reasons)
        for path, reason, reasons in refused
    ]


def note_held_back(
    connection: psycopg.Connection[Any], source_name: str, connection_id: str, run_id: str, reason: str
) -> None:
    """Write down why a run has loaded nothing of a source of an inbox."""
    connection.execute(
        """
        insert into ops.held_back (source, connection_id, run_id, reason) values (%s, %s, %s, %s)
        on conflict (source, connection_id, run_id) do update
        set reason = excluded.reason, held_back_at = clock_timestamp()
        """,
        (source_name, connection_id, run_id, reason),
    )


def forget_held_back(connection: psycopg.Connection[Any], source_name: str, connection_id: str, run_id: str) -> None:
    """A source that was held back is accepted in the same run."""
    connection.execute(
        "delete from ops.held_back where source = %s and connection_id = %s and run_id = %s",
        (source_name, connection_id, run_id),
    )


def accepted_connections(source_name: str, run_id: str) -> set[str]:
    """The connections of a source of which a run has loaded something, if only that nothing is new."""
    with connect("loader") as connection:
        return {
            connection_id
            for (connection_id,) in connection.execute(
                "select distinct connection_id from ops.loads where source = %s and run_id = %s", (source_name, run_id)
            )
        }


def held_back(source_name: str, run_id: str) -> dict[str, str]:
    """Why a run has loaded nothing of a source of an inbox, by source."""
    with connect("loader") as connection:
        return dict(
            connection.execute(
                "select connection_id, reason from ops.held_back where source = %s and run_id = %s order by 1",
                (source_name, run_id),
            ).fetchall()
        )


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
    """Hold the build lock on a session of its own; loads wait, so that a build reads whole loads only.

    Raises LedgerError when another build holds it and `wait` is false. The lock ends with the session, so a killed
    build leaves none behind.
    """
    connection = connect("builder", autocommit=True)
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
    """The publication that readers see, or None before the first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from ops.publication_in_effect").fetchone()


def newest_build() -> int:
    """Id of the newest build. Raises LedgerError when there is none."""
    with connect("builder") as connection:
        row = connection.execute("select max(build_id) from ops.builds").fetchone()
    if row is None or row[0] is None:
        raise LedgerError("Nothing was built yet: `make build` first.")
    return int(row[0])


def has_unpublished_loads() -> bool:
    """Whether anything was loaded or removed that the publication in effect was not built from."""
    with connect("builder") as connection:
        published = publication_in_effect(connection) or {"through_load_id": 0, "build_id": 0}
        row = connection.execute(
            """
            select
                exists (select from ops.loads where load_id > %(through_load_id)s)
                or exists (select from ops.listings where load_id > %(through_load_id)s)
                or exists (
                    select from ops.removals
                    where removed_at > (select started_at from ops.builds where build_id = %(build_id)s)
                )
            """,
            published,
        ).fetchone()
    return bool(row and row[0])


def open_build(connection: psycopg.Connection[Any], project_fingerprint: str, *, full: bool = False) -> Build:
    """Start a row of ops.builds: what must be read (loads since the publication in effect) and as of when.

    `connection` must hold the build lock. as_of is the end of the last day complete in every source that is not late;
    it never moves back by itself. The build is full when asked, before the first publication, after a roll-back, after
    an unpublished full build, after rows were removed (ops.removals), and when the dbt project, a reporting setting or
    the set of sources differs from the published build's: a source that is connected turns null into 0 in all of
    history.
    Raises LedgerError before the first load.
    """
    chosen = config.settings()
    published = publication_in_effect(connection)
    last_days: dict[str, date | None] = dict(
        connection.execute("select source, min(last_day_complete) from ops.sources group by source").fetchall()
    )
    complete = [day for day in last_days.values() if day is not None]
    if not complete and not published:
        raise LedgerError("There is nothing to build from: no checked load is recorded. Ingest a source first.")
    moments = [published["as_of"]] if published else []
    if complete:
        after = max(complete) + timedelta(days=1)
        moments.append(datetime.combine(after, time(), ZoneInfo(chosen.reporting_timezone)).astimezone(UTC))
    late = sorted(source for source, day in last_days.items() if day is None or day < max(complete))
    # Without any source, when the last one was withdrawn, it stays where it was published.
    as_of = max(moments)
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
        "code_version": chosen.code_version,
    }
    build_id = connection.execute(
        sql.SQL("insert into ops.builds ({}) values ({}) returning build_id").format(
            sql.SQL(", ").join(map(sql.Identifier, build)), sql.SQL(", ").join(map(sql.Placeholder, build))
        ),
        build,
    ).fetchone()[0]  # type: ignore[index]
    return Build(build_id, as_of, full, build["since_load_id"], through_load_id)


def _filed_entities(connection: psycopg.Connection[Any]) -> list[str]:
    """What file drops were ever taken in, such as files.ad_stats: an entity nobody files is not configured."""
    return [
        f"files.{stream}"
        for (stream,) in connection.execute(
            "select distinct stream from ops.files where status = 'loaded' and rows_loaded > 0 order by stream"
        )
    ]


def _needs_full_build(
    connection: psycopg.Connection[Any], published: dict[str, Any], project_fingerprint: str, configured: list[str]
) -> bool:
    chosen = config.settings()
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
            or exists (
                select from ops.publications where publication_id > %(publication_id)s and reverted_at is not null
            )
            or exists (
                select from ops.removals
                where removed_at > (select started_at from ops.builds where build_id = %(build_id)s)
            )
        """,
        published,
    ).fetchone()
    return published_as != now or bool(unfinished and unfinished[0])


def _forget_published_changes(connection: psycopg.Connection[Any]) -> None:
    """Empty the change lists when the last build that wrote them is the published one."""
    last = connection.execute("select status from ops.builds order by build_id desc limit 1").fetchone()
    if last and last[0] == "published":
        tables = connection.execute("select tablename from pg_tables where schemaname = 'marts_changes'").fetchall()
        if tables:
            names = sql.SQL(", ").join(sql.Identifier("marts_changes", table) for (table,) in tables)
            connection.execute(sql.SQL("truncate {}").format(names))


def close_build(connection: psycopg.Connection[Any], build_id: int, status: str, failure: str | None = None) -> None:
    """Record how a build ended: built, failed, audit_failed or published."""
    connection.execute(
        "update ops.builds set status = %s, failure = %s, finished_at = clock_timestamp() where build_id = %s",
        (status, failure, build_id),
    )
