"""supervisord, which runs every process of one machine and starts it again when it ends.

Its configuration is derived from the launch files in `<home>/run`, one for each process that should run: starting a
process writes its launch file, stopping it deletes the file. So supervisord, started again after a crash or a reboot,
starts exactly what ran before, with the environment of that time.
"""

import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from funnel import settings
from installation import launch
from installation.errors import ServiceError

WATCH = "watch"
START_SECONDS = 20
STOP_SECONDS = 150
# A process that ends sooner than this has not started: supervisord waits one second more before each next try.
STABLE_SECONDS = 20
# Codes of supervisord's faults.
ALREADY_STARTED = 60
# sun_path holds 108 bytes on Linux and 104 on macOS; supervisord adds its process id while it opens the socket.
LONGEST_SOCKET = 90

COMMON = """\
; Written at every start of a process; derived from the *.launch.json of this folder.
[supervisord]
pidfile = {run}/supervisord.pid
logfile = {logs}/supervisord.log
logfile_maxbytes = 10MB
logfile_backups = 2
childlogdir = {logs}
nocleanup = true
umask = 077

[unix_http_server]
file = {socket}
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[eventlistener:watch]
command = {watch}
directory = /
events = PROCESS_STATE_EXITED,PROCESS_STATE_BACKOFF
buffer_size = 100
startretries = 1000000
stderr_logfile = {logs}/watch.log
stderr_logfile_maxbytes = 10MB
stderr_logfile_backups = 1
"""

PROGRAM = """
[program:{name}]
command = {command}
directory = /
autorestart = {restart}
startsecs = {stable}
startretries = 1000000
stopsignal = {stop_signal}
stopwaitsecs = {stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 20MB
stdout_logfile_backups = 2
"""


def command() -> tuple[str, ...]:
    """The command that runs supervisord in the foreground, for systemd."""
    return (*_supervisord(), "--nodaemon")


def is_running() -> bool:
    """True if this home's supervisord answers."""
    try:
        _ask("getPID")
    except (ServiceError, xmlrpc.client.Fault):
        return False
    return True


def start(
    name: str,
    command: tuple[str, ...],
    folder: Path,
    environment: Mapping[str, str],
    *,
    stop_seconds: int,
    stop_signal: str = "TERM",
    log: Path | None = None,
) -> None:
    """Start a process, and start it again whenever it ends, until `stop`. Starts supervisord if it does not run.

    `log` is the file of its output; `<home>/logs/<name>.log` without one. Raises ServiceError if it does not start.
    """
    launched = {
        "command": command,
        "directory": str(folder),
        "environment": dict(environment),
        "stop_seconds": stop_seconds,
        "stop_signal": stop_signal,
        "log": str(log or _home() / "logs" / f"{name}.log"),
    }
    (_home() / "run").mkdir(parents=True, exist_ok=True)
    with _alone():
        if not is_running():
            _start_supervisord(environment)
    before = launch.noted_process(_note(name))
    with _alone():
        _write(_launch_file(name), json.dumps(launched))
        _read_configuration()
    try:
        _ask("startProcess", name, False)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != ALREADY_STARTED:
            raise
    if not _comes(lambda: (found := launch.noted_process(_note(name))) and found != before, START_SECONDS):
        raise ServiceError(f"{name} does not start; see {launched['log']} and {_home()}/logs/supervisord.log.")


def stop(name: str) -> bool:
    """Stop a process and do not start it again; returns false if supervisord does not run it."""
    if not _configuration_file().exists():
        return False
    with _alone():
        _launch_file(name).unlink(missing_ok=True)
        _write(_configuration_file(), _configuration())
    try:
        _ask("stopProcess", name)
    except (xmlrpc.client.Fault, ServiceError):
        return False
    return True


def stop_all() -> None:
    """Stop supervisord and what it still runs; nothing of this home is started again."""
    for file in (_home() / "run").glob("*.launch.json"):
        file.unlink(missing_ok=True)
    try:
        _ask("shutdown")
    except (xmlrpc.client.Fault, ServiceError):
        return
    _comes(lambda: not is_running(), STOP_SECONDS)


def log_file(name: str) -> Path:
    """The file with the output of a process."""
    try:
        return Path(json.loads(_launch_file(name).read_text())["log"])
    except (OSError, KeyError):
        return _home() / "logs" / f"{name}.log"


def start_again() -> None:
    """Start supervisord after its end, with every process that it ran. Its watch calls this."""
    # The watch's own output was read by the supervisord that is gone.
    subprocess.run(_supervisord(), cwd="/", check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _start_supervisord(environment: Mapping[str, str]) -> None:
    """Start supervisord with its watch only: what ran before is started by the caller, in the order of its needs."""
    (_home() / "logs").mkdir(exist_ok=True)
    for file in (_home() / "run").glob("*.json"):
        if file.name.endswith(".launch.json"):
            file.unlink()
        else:
            # It has lost its supervisord and hangs, or an earlier release started it: neither would be started again.
            launch.kill_session(file)
    watch = {"command": (sys.executable, "-m", "installation.watch"), "directory": "/"}
    _write(_launch_file(WATCH), json.dumps({**watch, "environment": dict(environment)}))
    _write(_configuration_file(), _configuration())
    done = subprocess.run(_supervisord(), cwd="/", capture_output=True, text=True, check=False)
    if done.returncode or not _comes(is_running, START_SECONDS):
        raise ServiceError(f"supervisord does not start: {done.stderr.strip()} See {_home()}/logs/supervisord.log.")


@contextmanager
def _alone() -> Iterator[None]:
    """Lock the launch files and the configuration: processes are started and stopped in parallel."""
    with (_home() / "run" / "supervisord.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_configuration() -> None:
    """Have supervisord know exactly the processes of the launch files; running ones are not disturbed."""
    _write(_configuration_file(), _configuration())
    [[added, changed, removed]] = _ask("reloadConfig")
    for name in [*changed, *removed]:
        try:
            _ask("removeProcessGroup", name)
        except xmlrpc.client.Fault:
            # It still runs, and keeps its configuration until it is stopped.
            continue
        if name in changed:
            added.append(name)
    for name in added:
        _ask("addProcessGroup", name)


def _configuration() -> str:
    run, logs = _home() / "run", _home() / "logs"
    text = COMMON.format(
        run=_escaped(run), logs=_escaped(logs), socket=_escaped(_socket()), watch=_launch_command(WATCH)
    )
    for file in sorted(run.glob("*.launch.json")):
        name = file.name.removesuffix(".launch.json")
        if name != WATCH:
            launched = json.loads(file.read_text())
            text += PROGRAM.format(
                name=name,
                command=_launch_command(name),
                # `pg_ctl stop` ends a server in order, as when its port changes.
                restart="unexpected" if name == "postgresql" else "true",
                stable=STABLE_SECONDS,
                stop_signal=launched["stop_signal"],
                stop_seconds=launched["stop_seconds"],
                log=_escaped(launched["log"]),
            )
    return text


def _launch_command(name: str) -> str:
    # -P: the modules next to the script must not hide the standard library's.
    return _escaped(shlex.join([sys.executable, "-P", str(launch.__file__), str(_launch_file(name))]))


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


def _ask(method: str, *arguments: Any) -> Any:
    """Call supervisord. Raises ServiceError if it does not run, xmlrpc.client.Fault if it refuses."""
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(None, None, f"unix://{_socket()}")
    proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
    try:
        return getattr(proxy.supervisor, method)(*arguments)
    except (OSError, xmlrpc.client.ProtocolError) as error:
        raise ServiceError(f"supervisord does not answer: {error}") from None
    finally:
        transport.close()


def _comes(is_so: Callable[[], Any], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.rename(path)


def _supervisord() -> tuple[str, ...]:
    return (sys.executable, "-m", "supervisor.supervisord", "--configuration", str(_configuration_file()))


def _home() -> Path:
    return settings.read().home


def _configuration_file() -> Path:
    return _home() / "run" / "supervisord.conf"


def _launch_file(name: str) -> Path:
    return _home() / "run" / f"{name}.launch.json"


def _note(name: str) -> Path:
    return _home() / "run" / f"{name}.json"


def _socket() -> Path:
    near = _home() / "run" / "supervisord.sock"
    if len(os.fsencode(near)) <= LONGEST_SOCKET:
        return near
    digest = hashlib.sha256(os.fsencode(near)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"funnel-{os.getuid()}-{digest}.sock"
