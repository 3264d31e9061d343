"""What supervisord runs, what its watch reports, and what starts with the machine."""

import configparser
import json
import shlex
import subprocess
from pathlib import Path

import pytest

from installation import boot, supervision, watch


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose name has all characters that configuration files treat in a special way."""
    folder = tmp_path / "100 % of $HOME"
    (folder / "run").mkdir(parents=True)
    monkeypatch.setenv("FUNNEL_HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


def launched(home: Path, name: str, **more: object) -> None:
    stated = {"stop_seconds": 3, "stop_signal": "TERM", "log": str(home / "logs" / f"{name}.log"), **more}
    (home / "run" / f"{name}.launch.json").write_text(json.dumps(stated))


def test_the_configuration_has_the_processes_of_the_launch_files(home: Path) -> None:
    for name in ("scheduler", "postgresql", "watch"):
        launched(home, name)
    read = configparser.RawConfigParser()
    read.read_string(supervision._configuration())
    assert {name for name in read.sections() if name.startswith("program:")} == {
        "program:postgresql",
        "program:scheduler",
    }
    command = shlex.split(read["program:scheduler"]["command"].replace("%%", "%"))
    assert command[-1] == str(home / "run" / "scheduler.launch.json")
    # A server that `pg_ctl` stops is not started again; everything else is, however it ended.
    assert read["program:scheduler"]["autorestart"] == "true"
    assert read["program:postgresql"]["autorestart"] == "unexpected"


def test_a_program_that_was_stopped_leaves_the_configuration(home: Path) -> None:
    launched(home, "scheduler")
    (home / "run" / "supervisord.conf").write_text(supervision._configuration())
    assert not supervision.stop("scheduler")
    assert "scheduler" not in (home / "run" / "supervisord.conf").read_text()


def event(process: str, kind: str = "PROCESS_STATE_EXITED", expected: str = "0", tries: str = "1") -> dict[str, str]:
    return {"event": kind, "processname": process, "expected": expected, "tries": tries}


def test_ends_of_one_moment_are_one_alert(home: Path) -> None:
    launched(home, "postgresql", log="/var/lib/server.log")
    title, text = watch.alert([event("scheduler"), event("postgresql"), event("scheduler")])
    assert title == "Process ended: postgresql, scheduler"
    assert "postgresql, scheduler ended and were started again." in text
    assert "/var/lib/server.log" in text


def test_a_process_that_does_not_start_is_reported_once(home: Path) -> None:
    tries = [event("triggerer", "PROCESS_STATE_BACKOFF", tries=str(number)) for number in range(1, 9)]
    worth = [one for one in tries if watch.is_worth_reporting(one)]
    assert len(worth) == 1
    title, text = watch.alert(worth)
    assert title == "Process does not start: triggerer"
    assert "further tries follow" in text


def test_an_ordered_stop_of_the_server_is_not_reported() -> None:
    assert not watch.is_worth_reporting(event("postgresql", expected="1"))
    assert watch.is_worth_reporting(event("postgresql", expected="0"))
    # Airflow's processes never end by themselves, with whatever code.
    assert watch.is_worth_reporting(event("scheduler", expected="1"))


def test_the_unit_starts_supervisord_and_is_not_enabled_without_systemd(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot.shutil, "which", lambda name: None)
    lines = boot.write_unit()
    unit = boot.unit_file().read_text()
    [line] = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    # systemd's own rules: quotes, %% and $$.
    command = [part.replace("%%", "%").replace("$$", "$") for part in shlex.split(line.removeprefix("ExecStart="))]
    assert tuple(command) == supervision.command()
    assert "100 %% of $HOME" in unit
    assert "Restart=on-failure" in unit
    assert "systemd does not run here" in "\n".join(lines)
    assert shlex.join(supervision.command()) in lines[-1]


def test_the_unit_is_enabled_where_systemd_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(boot.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(boot.subprocess, "run", run)
    lines = boot.write_unit()
    assert ["systemctl", "--user", "enable", boot.unit_file().name] in asked
    assert "enabled" in lines[1]
