"""`make backup` and `make restore`: all that cannot be made again, in one folder.

The dumps of three databases are taken one after the other, Airflow's first: what the warehouse then holds in addition
was loaded by tasks that Airflow repeats after a restore, which changes nothing. Landed files come last, so that every
load has its files. Secrets are encrypted with a passphrase; the dumps are not, and hold what the warehouse holds.
"""

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from funnel import ledger, secret_store, settings
from installation import binaries, databases, sealing
from installation.environments import has_dashboards
from installation.errors import BackupError
from installation.processes import Progress

MANIFEST = "manifest.json"
LANDING = "landing.tar"
SECRETS = "secrets.sealed"
# Databases and landed files hold what only these read.
LASTING = ("person_key_secret", "landing_key", "airflow_fernet_key", "superset_secret_key")
# What belongs to a home besides databases, landed files and secrets: the day of the simulated company, and the inbox.
KEPT_FILES = ("sandbox.json", "inbox.txt")
CHUNK = 1 << 20


def back_up(destination: Path, progress: Progress = print) -> Path:
    """Write a backup into a new folder below `destination`, and return the folder. The services may run meanwhile.

    The folder has its name only when it is complete. Raises BackupError.
    """
    passphrase = sealing.passphrase()
    taken = datetime.now(UTC)
    folder = destination.expanduser().resolve() / f"funnel-{taken:%Y%m%dT%H%M%SZ}"
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir(parents=True, mode=0o700)
    databases.start_database(progress)
    for name, dsn in _databases().items():
        progress(f"dumping {name}")
        _run("pg_dump", dsn, "--format=custom", "--no-password", f"--file={partial / name}.dump")
    progress("copying landed files")
    reads = _copy_landed(partial / LANDING)
    (partial / SECRETS).write_text(sealing.seal(_private(), passphrase))
    described: dict[str, Any] = {
        "taken_at": taken.isoformat(timespec="seconds"),
        "code_version": settings.read().code_version,
        "landed_reads": reads,
        "roles": _roles(),
        "files": {path.name: _described(path) for path in sorted(partial.iterdir())},
    }
    (partial / MANIFEST).write_text(json.dumps(described, indent=1))
    partial.rename(folder)
    with (settings.read().home / "backups.jsonl").open("a") as file:
        file.write(json.dumps({"at": described["taken_at"], "destination": str(folder)}) + "\n")
    size = sum(file["size"] for file in described["files"].values())
    progress(f"backup of {described['taken_at']}: {folder}, {size / 1e6:,.1f} MB, {reads} landed reads")
    return folder


def restore(folder: Path, progress: Progress = print) -> None:
    """Bring a backup into an empty home, on the embedded server or on an empty one of WAREHOUSE_DSN.

    Nothing is migrated, so that the release that wrote the backup can go on with it.

    Raises BackupError if the backup is damaged, or the home or server is not empty; nothing is changed then.
    """
    folder = folder.expanduser().resolve()
    described = _verified(folder)
    private = json.loads(sealing.unseal((folder / SECRETS).read_text(), sealing.passphrase()))
    home = settings.read().home
    held = [name for name in ("secrets.json", "postgres.json", "landing") if (home / name).exists()]
    if held:
        raise BackupError(
            f"{home} is not empty: it has {', '.join(held)}. Restore into a new home, such as "
            f"FUNNEL_HOME={home}-restored make restore FROM={folder}, or delete this one first."
        )
    _assert_secrets(private["secrets"])
    _write_private(home, private)
    databases.start_database(progress)
    _assert_empty()
    _create_roles(described["roles"])
    for name, dsn in _databases().items():
        dump = folder / f"{name}.dump"
        if dump.exists():
            progress(f"restoring {name}")
            # Each service owns all of its own database, by a name that depends on the server.
            owners = [] if name == "warehouse" else ["--no-owner", "--no-privileges"]
            _run("pg_restore", dsn, "--single-transaction", "--exit-on-error", "--no-password", *owners, str(dump))
    progress("copying landed files")
    with tarfile.open(folder / LANDING) as archive:
        archive.extractall(home, filter="data")
    progress(
        f"restored the backup of {described['taken_at']} into {home}; `make up` migrates it to the checked-out release "
        "and starts everything"
    )


def _databases() -> dict[str, str]:
    """libpq URLs of the databases, in the order in which they are dumped."""
    found = {"airflow": databases.airflow_dsn("postgresql")}
    if has_dashboards():
        found["superset"] = databases.superset_dsn("postgresql")
    return {**found, "warehouse": settings.dsn("admin")}


def _run(program: str, dsn: str, *options: str) -> None:
    """Run pg_dump or pg_restore on a database; the password is not among the arguments. Raises BackupError."""
    parts = urlsplit(dsn)
    address = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=f"{parts.username}@{address}"))
    command = [str(binaries.binaries() / program), f"--dbname={url}", *options]
    environment = {**os.environ, "PGPASSWORD": _password(dsn), "LC_ALL": "C"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"{program} of {parts.path[1:]} failed: {done.stderr.strip()}")


def _password(dsn: str) -> str:
    from psycopg.conninfo import conninfo_to_dict

    return str(conninfo_to_dict(dsn).get("password") or os.environ.get("PGPASSWORD", ""))


def _copy_landed(target: Path) -> int:
    """Write all complete landed reads into a tar file; returns how many. An unfinished read is left out."""
    home = settings.read().home
    count = 0
    with tarfile.open(target, "w") as archive:
        # Next to the reads: who was forgotten, and which reads were removed.
        for note in sorted((home / "landing").glob("*.json")):
            archive.add(note, arcname=str(note.relative_to(home)))
        for manifest in sorted((home / "landing").rglob("manifest.json")):
            count += 1
            # The manifest last, as when it landed.
            for file in sorted(manifest.parent.iterdir(), key=lambda file: file == manifest):
                archive.add(file, arcname=str(file.relative_to(home)), recursive=False)
    return count


def _private() -> str:
    """Secrets and settings of the home as JSON."""
    home = settings.read().home
    files = {name: (home / name).read_text() for name in KEPT_FILES if (home / name).exists()}
    return json.dumps({"secrets": secret_store.secrets(), "files": files})


def _write_private(home: Path, private: dict[str, Any]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    kept = {} if secret_store.are_given() else {"secrets.json": json.dumps(private["secrets"], indent=1)}
    for name, text in {**private["files"], **kept}.items():
        path = home / name
        path.touch(mode=0o600)
        path.write_text(text)


def print_secrets(folder: Path) -> None:
    """Print the secrets of a backup as lines of `.env`. Raises BackupError."""
    _verified(folder)
    private = json.loads(sealing.unseal((folder / SECRETS).read_text(), sealing.passphrase()))
    print("\n".join(f"{name.upper()}={value}" for name, value in private["secrets"].items()))


def _assert_secrets(backed_up: dict[str, str]) -> None:
    """Raises BackupError if the environment gives secrets that cannot read what the backup holds."""
    used = secret_store.secrets() if secret_store.are_given() else {}
    other = [name.upper() for name in LASTING if used.get(name, backed_up[name]) != backed_up[name]]
    if other:
        raise BackupError(
            f"{', '.join(other)} of the environment differ from the backup's, which could not be read with them. Write "
            "those of the backup into `.env`: `python -m funnel.cli secrets-of <folder>` prints them."
        )


def _verified(folder: Path) -> dict[str, Any]:
    """The manifest of a backup whose files are all unchanged. Raises BackupError."""
    try:
        described: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder} is not a complete backup: {MANIFEST} cannot be read ({error}).") from None
    for name, stated in described["files"].items():
        path = folder / name
        if not path.exists() or _described(path) != stated:
            raise BackupError(
                f"{path} is missing or differs from {MANIFEST}, so this backup is damaged. Nothing was restored; take "
                "another copy of it, or another backup."
            )
    return described


def _described(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return {"size": path.stat().st_size, "sha256": digest.hexdigest()}


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _roles() -> list[str]:
    """The roles that own something in the warehouse or have a right to it."""
    import psycopg

    with psycopg.connect(settings.dsn("admin")) as connection:
        found = connection.execute(
            """
            select distinct roles.rolname
            from pg_shdepend as depends
            inner join pg_roles as roles on depends.refobjid = roles.oid
            where
                depends.refclassid = 'pg_authid'::regclass
                and depends.dbid = (select oid from pg_database where datname = current_database())
            order by 1
            """
        )
        return [row[0] for row in found]


def _create_roles(names: list[str]) -> None:
    """Create the pipeline's roles, and those of the backup that are missing; `make up` makes logins of these."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(settings.dsn("admin")) as connection:
        ledger.create_roles(connection)
        existing = {row[0] for row in connection.execute("select rolname from pg_roles")}
        for name in names:
            if name not in existing:
                connection.execute(sql.SQL("create role {} noinherit").format(sql.Identifier(name)))


def _assert_empty() -> None:
    """Raises BackupError if a database of WAREHOUSE_DSN has tables."""
    import psycopg

    for dsn in _databases().values():
        with psycopg.connect(dsn) as connection:
            found = connection.execute(
                "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
            ).fetchone()
            if found != (0,):
                raise BackupError(
                    f"The database {connection.info.dbname} is not empty. Restore into a server without it, or drop it."
                )
