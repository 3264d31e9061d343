"""`make upgrade`: bring an installation to the release of this checkout, with a backup first.

The databases migrate forward only, so the way back is the backup, restored with the release of before. What is under
way is noted in the home: an upgrade that failed or was killed is repeated with the backup of its first try, since a
later one would hold a half-migrated state.
"""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psycopg

from funnel import ledger, release, settings
from funnel.reporting.sentences import sentence_of
from installation import backup, databases, environments, postgres, revisions, sealing, services
from installation.errors import UpgradeError
from installation.processes import Progress


def command(destination: str | None, *, only_plan: bool, is_confirmed: bool) -> int:
    """Print the plan; unless it is all that is wanted, ask for confirmation and carry it out. Returns the exit code."""
    planned = plan()
    print(planned.text() if planned.is_needed else f"nothing to do: this installation has release {planned.before}")
    if only_plan or not planned.is_needed:
        return 0
    if not destination:
        print("\nDEST= is missing: the folder that gets the backup, for example make upgrade DEST=/backups")
        return 2
    if not is_confirmed and input("\nupgrade now? (yes/no) ").strip().lower() != "yes":
        print("nothing was changed")
        return 1
    run(planned, Path(destination))
    return 0


@dataclass(frozen=True)
class Plan:
    """What an upgrade would do: the releases, the pending migrations of each database, and the processes that run.

    `kept_backup` is the backup of an upgrade to this release that did not end; the next try uses it again.
    """

    before: str
    migrations: list[str]
    airflow: int
    superset: int
    is_full: bool
    running: list[str]
    kept_backup: str | None

    @property
    def is_needed(self) -> bool:
        """True if there is anything to do."""
        pending = self.migrations or self.airflow or self.superset
        return bool(pending or self.kept_backup or self.before != release.version())

    def text(self) -> str:
        """The plan in words, a line for each step."""
        packages = f"Airflow {version('apache-airflow-core')}: {_migrations(self.airflow)}"
        if environments.has_dashboards():
            packages += f"; Superset: {_migrations(self.superset)}"
        names = f" ({', '.join(self.migrations)})" if self.migrations else ""
        taken = f"take no other backup: {self.kept_backup} is of before this upgrade" if self.kept_backup else ""
        lines = [
            f"upgrade from release {self.before} to {settings.read().code_version}",
            f"  stop      {', '.join(self.running) or 'nothing: nothing runs'}",
            f"  back up   {taken or 'databases, landed files and secrets, into DEST'}",
            f"  migrate   warehouse: {_migrations(len(self.migrations))}{names}",
            f"            {packages}",
            "  start     everything; dashboards are brought in line with the files of this release",
            "  then      " + ("the next build is full" if self.is_full else "the next build is incremental"),
        ]
        return "\n".join(lines)


def _migrations(count: int) -> str:
    return "nothing to migrate" if not count else f"{count} migration{'s' if count > 1 else ''}"


def plan(progress: Progress = print) -> Plan:
    """What an upgrade would do. Starts the server if it is stopped, and changes nothing else.

    Raises UpgradeError if nothing is installed or this release cannot upgrade what is; LedgerError if a newer
    release has migrated the warehouse.
    """
    home = settings.read().home
    if not settings.read().warehouse_dsn and not postgres.find(home):
        raise UpgradeError(f"Nothing is installed in {home}. `make up` installs this release there.")
    running = [row.name for row in services.status() if row.state == "running"]
    databases.start_database(progress)
    with psycopg.connect(settings.dsn("admin")) as connection:
        before = release.installed(connection)
        if before is None:
            raise UpgradeError("The warehouse is empty. `make up` creates it in the form of this release.")
        applied = {row[0] for row in connection.execute("select name from public.schema_migrations")}
        ledger.assert_known(applied)
        is_full = _is_full(connection)
    if release.order(before) > release.order(release.version()):
        raise UpgradeError(
            f"The installation has release {before}; this checkout is {release.version()}, which is older. Nothing "
            "migrates back: check the newer release out again, or restore a backup of the older one. docs/runbook.md, "
            "section `Upgrade stopped`."
        )
    own = databases.other_dsns()
    return Plan(
        before=before,
        migrations=[path.name for path in sorted(ledger.MIGRATIONS.glob("*.sql")) if path.name not in applied],
        airflow=revisions.pending("airflow", own["airflow"]),
        superset=revisions.pending("superset", own["superset"]) if environments.has_dashboards() else 0,
        is_full=is_full,
        running=running,
        kept_backup=_kept_backup(),
    )


def _is_full(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """True if the next build reads all of raw: the rules changed, or nothing was published."""
    from funnel.build import dbt_run

    published = connection.execute(
        """
        select builds.project_fingerprint
        from ops.publication_in_effect as shown
        inner join ops.builds as builds on shown.build_id = builds.build_id
        """
    ).fetchone()
    return published != (dbt_run.fingerprint(dbt_run.rules(dbt_run.PROJECT)),)


def _note() -> Path:
    return settings.read().home / "upgrade.json"


def _kept_backup() -> str | None:
    """The backup of an upgrade to this release that did not end. Raises UpgradeError if it was to another release, or
    if its backup is gone.
    """
    if not _note().exists():
        return None
    noted = json.loads(_note().read_text())
    if noted["release"] != release.version():
        raise UpgradeError(
            f"An upgrade to release {noted['release']} did not end, and this checkout is {release.version()}. Check "
            f"{noted['release']} out and repeat `make upgrade`, or go back: {_way_back(noted['backup'])}"
        )
    if not (Path(noted["backup"]) / backup.MANIFEST).exists():
        raise UpgradeError(
            f"An upgrade did not end, and the backup that it took first, {noted['backup']}, is gone. Put it back "
            f"there, or delete {_note()} to go on without it."
        )
    return str(noted["backup"])


def run(planned: Plan, destination: Path, progress: Progress = print) -> None:
    """Carry out a plan. Raises UpgradeError if a step fails; then the upgrade can be repeated, or undone."""
    sealing.passphrase()
    with services.alone("upgrade"):
        services.down(progress)
        folder = planned.kept_backup or str(backup.back_up(destination, progress))
        partial = _note().with_suffix(".partial")
        partial.write_text(json.dumps({"release": release.version(), "before": planned.before, "backup": folder}))
        partial.rename(_note())
        try:
            services.up(progress)
            if environments.has_dashboards():
                services.start_dashboards(progress)
        except Exception as error:
            text = sentence_of(error)
            if text is None:
                raise
            raise UpgradeError(
                f"The upgrade stopped: {text}\nCorrect it and repeat `make upgrade`, which goes on from here, or go "
                f"back to release {planned.before}: {_way_back(folder)}"
            ) from error
        _note().unlink()
    progress(f"upgraded from release {planned.before} to {settings.read().code_version}; the backup is {folder}")
    if planned.is_full:
        progress("the next build is full: readers see the publication of before until it is audited and published")
    progress(f"to go back: {_way_back(folder)}")


def _way_back(folder: str) -> str:
    home = settings.read().home
    return (
        f"`make down && mv {home} {home}.upgraded && make restore FROM={folder}`, then check the release of before out "
        "and run `make up`. docs/runbook.md, section `Upgrade stopped`."
    )
