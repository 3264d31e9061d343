"""Become one process of the installation: `python launch.py <file>`, the command that supervisord runs for each.

The file holds the command, its folder and its environment, so that no list of processes shows them, and the process can
be started again after a reboot, when the shell that first started it is gone. It only needs the standard library and
psutil: it runs before every start.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

KILL_SECONDS = 10
TOLERANCE_SECONDS = 5
# From Linux' sys/prctl.h.
PR_SET_PDEATHSIG = 1


def run(file: Path) -> None:
    """End what the process of before has left behind, note this one, and become its command. Never returns."""
    launch = json.loads(file.read_text())
    note = file.with_name(file.name.replace(".launch.json", ".json"))
    kill_session(note)
    # A session of its own, by which its children are found. supervisord made it the leader of a group, which may not
    # open a session, so it joins its parent's group first.
    os.setpgid(0, os.getpgid(os.getppid()))
    os.setsid()
    end_with_parent(signal.SIGTERM)
    write_note(note)
    os.chdir(launch["directory"])
    command = launch["command"]
    os.execve(command[0], command, launch["environment"])


def end_with_parent(number: int) -> None:
    """Have this process get a signal when supervisord ends, so that the next one does not start it a second time; 0
    cancels it. Without effect where the system is not Linux: `kill_session` ends it then.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))


def write_note(note: Path) -> None:
    """Store this process's id and start time."""
    import psutil

    partial = note.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": os.getpid(), **_start(psutil.Process())}))
    partial.rename(note)


def noted_process(note: Path) -> Any | None:
    """The running process of a note (psutil); None if it has ended, also if another program has its process id now."""
    import psutil

    try:
        noted = json.loads(note.read_text())
        found = psutil.Process(noted["pid"])
        return found if _is_same(found, noted) and found.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, psutil.NoSuchProcess, json.JSONDecodeError):
        return None


def _start(process: Any) -> dict[str, Any]:
    """When a process started. On Linux in seconds since this boot: its time of day changes when the clock is set."""
    import psutil

    if sys.platform != "linux":
        return {"created": process.create_time()}
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"boot": boot, "started": process.create_time() - psutil.boot_time()}


def _is_same(process: Any, noted: dict[str, Any]) -> bool:
    """True if a note, also one of an earlier release, is of this process and not of one that has its id now."""
    if "created" in noted:
        return bool(abs(process.create_time() - noted["created"]) < TOLERANCE_SECONDS)
    start = _start(process)
    is_near = abs(start["started"] - noted["started"]) < TOLERANCE_SECONDS
    return bool(start["boot"] == noted["boot"] and is_near)


def kill_session(note: Path) -> None:
    """Kill all processes that a noted process has started: a killed scheduler leaves its workers behind."""
    import psutil

    try:
        session = json.loads(note.read_text())["pid"]
    except (OSError, ValueError):
        return
    members = []
    for member in psutil.process_iter():
        try:
            if os.getsid(member.pid) == session:
                members.append(member)
        except OSError:
            continue
    # While a session has members, its number is not reused; if its leader is not ours, the session is another one.
    if not noted_process(note) and any(member.pid == session and _is_alive(member) for member in members):
        return
    for member in members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(members, timeout=KILL_SECONDS)


def _is_alive(member: Any) -> bool:
    import psutil

    try:
        return bool(member.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    run(Path(sys.argv[1]))
