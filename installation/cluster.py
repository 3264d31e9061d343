"""One PostgreSQL cluster of a home folder: its paths, and how its programs are run."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from installation.errors import ServerError

SUPERUSER = "postgres"


@dataclass(frozen=True)
class Server:
    """A cluster that belongs to one home folder: its paths, and how to connect as its superuser."""

    home: Path
    port: int
    bindir: Path
    data_dir: Path
    socket_dir: Path
    log_file: Path
    os_user: str | None
    password: str = field(repr=False)

    def dsn(self, dbname: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """libpq URL over TCP."""
        secret = self.password if password is None else password
        return f"postgresql://{quote(user)}:{quote(secret, safe='')}@127.0.0.1:{self.port}/{quote(dbname)}"


def run_program(server: Server, program: str, *arguments: Any, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the server's user, from a folder that every user may enter."""
    command: Sequence[str] = [str(server.bindir / program), *map(str, arguments)]
    # A file, not a pipe: the server inherits it and would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as output:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True, check=False,
                cwd="/", env=program_environment(), umask=0o077, **identity(server),
            )  # fmt: skip
        except PermissionError as error:
            raise ServerError(
                f"{command[0]} cannot be run as user {server.os_user or 'you'}: {error}. PostgreSQL refuses to run as "
                "root; run as an ordinary user where changing users is not allowed."
            ) from None
        output.seek(0)
        done.stdout = output.read()
    if check and done.returncode:
        raise ServerError(f"{program} failed ({done.returncode}): {done.stdout.strip()}\n{log_tail(server)}".rstrip())
    return done


def program_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: nothing of the caller's but the folders of libraries."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def identity(server: Server) -> dict[str, Any]:
    """The user that runs the server's programs, as arguments of `subprocess.run`; empty if it is the present one."""
    if not server.os_user or os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(server.os_user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def write(server: Server, path: Path, text: str) -> None:
    """Write a file that only the server's user may read, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    if server.os_user:
        shutil.chown(partial, server.os_user, pwd.getpwnam(server.os_user).pw_gid)
    partial.rename(path)


def log_tail(server: Server) -> str:
    """The last lines of the server's log, under a heading; empty without a log."""
    try:
        lines = server.log_file.read_text(errors="replace").splitlines()[-12:]
    except OSError:
        return ""
    return "\n".join([f"The end of {server.log_file}:", *lines])
