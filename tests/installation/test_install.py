"""From a bare machine to the environment: which uv is used, where it comes from, and the message without one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from funnel import settings

TOOLS = ("sh", "cat", "mkdir", "mktemp", "rm", "chmod", "env", "touch", "dirname")
FAKE_UV = """#!/bin/sh
echo "$0 $* certificates=${UV_SYSTEM_CERTS:-own} environment=$UV_PROJECT_ENVIRONMENT" >> "%(log)s"
case "$*" in --version) exit 0 ;; esac
%(outcome)s
"""
FAKE_PYTHON = """#!/bin/sh
# -c: the question for the version; -m venv / -m pip: what it can do.
case "$*" in
    -c*) exit %(too_old)s ;;
    "-m venv"*) [ %(has_venv)s = yes ] || exit 1
        for folder; do :; done
        mkdir -p "$folder/bin" && cat "$0" > "$folder/bin/python" && chmod +x "$folder/bin/python" ;;
    "-m pip"*--target*) [ %(has_pip)s = yes ] || { echo "No module named pip"; exit 1; }
        mkdir -p "%(home)s/bootstrap/lib/bin" && cat "%(uv)s" > "%(home)s/bootstrap/lib/bin/uv"
        chmod +x "%(home)s/bootstrap/lib/bin/uv" ;;
    "-m pip"*) cat "%(uv)s" > "%(home)s/bootstrap/bin/uv" && chmod +x "%(home)s/bootstrap/bin/uv" ;;
esac
"""


class Machine:
    """A PATH that contains only a few tools and what a test adds."""

    def __init__(self, folder: Path) -> None:
        self.path, self.home, self.log = folder / "path", folder / "home", folder / "log"
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or tool)
        self.uv = folder / "uv"
        self.uv_does("exit 0")

    def put(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def uv_does(self, outcome: str) -> None:
        self.uv.write_text(FAKE_UV % {"log": self.log, "outcome": outcome})

    def put_python(self, *, too_old: bool = False, has_venv: bool = True, has_pip: bool = True) -> None:
        answers = {"too_old": int(too_old), "has_venv": _word(has_venv), "has_pip": _word(has_pip)}
        self.put("python3", FAKE_PYTHON % {**answers, "home": self.home, "uv": self.uv})

    def sync(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path / "sh", settings.REPOSITORY / "bin" / "uv-sync", self.home, "/made/.venv", *options],
            env={"PATH": str(self.path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def calls(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if " sync " in line]


def _word(value: bool) -> str:
    return "yes" if value else "no"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_uv_on_the_path_is_used_and_nothing_is_installed(machine: Machine) -> None:
    machine.put("uv", machine.uv.read_text())
    assert machine.sync("--no-dev").returncode == 0
    [call] = machine.calls()
    assert call.startswith(f"{machine.path}/uv sync --frozen --compile-bytecode")
    assert "--no-dev" in call
    assert call.endswith("environment=/made/.venv")
    assert not machine.home.exists()


def test_without_uv_one_is_installed_below_the_home_and_found_again(machine: Machine) -> None:
    machine.put_python()
    assert machine.sync().returncode == 0
    (machine.path / "python3").unlink()
    assert machine.sync().returncode == 0
    assert [call.split()[0] for call in machine.calls()] == [f"{machine.home}/bootstrap/bin/uv"] * 2


def test_without_a_working_venv_pip_alone_does(machine: Machine) -> None:
    machine.put_python(has_venv=False)
    assert machine.sync().returncode == 0
    assert [call.split()[0] for call in machine.calls()] == [f"{machine.home}/bootstrap/lib/bin/uv"]


def test_without_venv_and_pip_the_message_says_what_to_install(machine: Machine) -> None:
    machine.put_python(has_venv=False, has_pip=False)
    done = machine.sync()
    assert done.returncode != 0
    assert "No module named pip" in done.stderr
    assert "apt install python3-venv" in done.stderr


@pytest.mark.parametrize("is_there", [False, True])
def test_without_a_python_new_enough_the_message_says_so(machine: Machine, is_there: bool) -> None:
    if is_there:
        machine.put_python(too_old=True)
    done = machine.sync()
    assert done.returncode != 0
    assert re.search(r"No Python from 3\.11 on was found.*PYTHON3=", done.stderr, re.DOTALL)


def test_certificates_of_the_system_are_tried_when_uvs_own_do_not_do(machine: Machine) -> None:
    machine.uv_does('[ "${UV_SYSTEM_CERTS:-}" = true ]')
    machine.put("uv", machine.uv.read_text())
    done = machine.sync()
    assert (done.returncode, done.stderr) == (0, "")
    assert [call.split("certificates=")[1].split()[0] for call in machine.calls()] == ["own", "true"]


def test_a_failed_installation_fails_with_uvs_words(machine: Machine) -> None:
    machine.uv_does("echo 'no space left' >&2; exit 2")
    machine.put("uv", machine.uv.read_text())
    done = machine.sync()
    assert done.returncode != 0
    assert done.stderr.strip() == "no space left"


def test_every_target_of_the_makefile_is_in_its_help() -> None:
    text = (settings.REPOSITORY / "Makefile").read_text()
    phony = {name for line in re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE) for name in line.split()}
    # Stamps of an installation are files that no command names.
    targets = {name for name in phony if "/" not in name}
    done = subprocess.run(["make", "-s"], cwd=settings.REPOSITORY, capture_output=True, text=True, check=True)
    assert {line.split()[1] for line in done.stdout.splitlines()} == targets
    assert {"demo", "up", "down", "status", "test", "dsn", "help"} <= targets


def test_no_installed_file_names_a_place_of_one_machine() -> None:
    for name in ("Makefile", "bin/uv-sync", ".ci/run"):
        text = (settings.REPOSITORY / name).read_text()
        assert not re.search(r"/(home|root|work|Users)/", text), name
