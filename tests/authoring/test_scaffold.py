"""A new source begins as files that follow every rule of names and layers, with a list of what is left to do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from authoring import scaffold

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that concern a source."""
    for name in (
        "plugins",
        "installation",
        "authoring",
        "sandbox",
        "expectations",
        "dbt_project",
        "docs",
        "tests",
        "bench",
        "dags",
    ):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("target", "logs", "__pycache__"))
    for name in ("pyproject.toml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{checkout / 'plugins'}:{checkout}"}
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_a_scaffold_keeps_the_rules_of_names(checkout: Path) -> None:
    made = scaffold.make("acme_ads", checkout)
    assert "plugins/funnel/sources/acme_ads.py" in made.written
    assert all((checkout / path).exists() for path in (*made.written, *made.changed))
    names = run(
        checkout, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/architecture/test_names.py"
    )
    assert names.returncode == 0, names.stdout
    ruff = Path(sys.executable).parent / "ruff"
    python = [path for path in (*made.written, *made.changed) if path.endswith(".py")]
    for check in (("check",), ("format", "--check")):
        answer = run(checkout, str(ruff), *check, *python)
        assert answer.returncode == 0, answer.stdout


def test_a_scaffold_that_is_asked_says_that_it_is_one(checkout: Path) -> None:
    scaffold.make("acme_ads", checkout)
    code = (
        "from datetime import date; from funnel.contract import Connection, Window; "
        "from funnel.sources.acme_ads import SOURCE; days = Window(date(2026, 1, 1), date(2026, 1, 2)); "
        "SOURCE.fetch(Connection('acme_ads', 'http://x'), SOURCE.streams[0], days)"
    )
    answer = run(checkout, sys.executable, "-c", code)
    assert "its connector is a scaffold that asks nothing yet" in answer.stderr
    assert "Write fetch in plugins/funnel/sources/acme_ads.py" in answer.stderr


def test_new_source_and_contributing_list_the_same_files(checkout: Path) -> None:
    made = scaffold.make("acme_ads", checkout)
    left = {path for line in made.left for path in line.partition(": ")[0].split(", ")}
    inside = tuple(path for path in left if path.endswith("acme_ads/"))
    listed = left | {path for path in (*made.written, *made.changed) if not path.startswith(inside)}
    section = (checkout / "CONTRIBUTING.md").read_text().partition("## Add a source\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| ", section, re.MULTILINE)
    assert listed == {path for row in rows for path in re.findall(r"`([^`]+)`", row)}
    assert all((checkout / path).exists() for path in listed - {"tests/fixtures/acme_ads/"})


@pytest.mark.parametrize("name", ["Acme", "acme ads", "acme__ads", "1acme", "meta_ads"])
def test_a_name_that_cannot_be_writes_nothing(checkout: Path, name: str) -> None:
    before = {path: path.read_bytes() for path in checkout.rglob("*.py")}
    with pytest.raises(scaffold.ScaffoldError):
        scaffold.make(name, checkout)
    assert {path: path.read_bytes() for path in checkout.rglob("*.py")} == before
