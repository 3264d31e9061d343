"""The warehouse on the oldest supported PostgreSQL, Debian's 15: the same tests on another server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = Path("/usr/lib/postgresql/15/bin")
# Every migration, every model in full, every suite of the marts, and a publication.
ONCE = (
    "tests/build/test_build.py::test_one_source_alone_can_be_built",
    "tests/gate/test_marts.py::test_marts_of_good_rows_pass",
    "tests/publication/test_publish.py::test_first_publication_shows_all_rows",
)
# Publishes in every way, and builds incrementally.
AGAIN = (
    "tests/publication",
    "tests/build/test_rebuilds.py::test_what_a_failed_build_left_is_repaired_by_the_next",
)
# Each test of a load has a database of its own.
AND_LOADS = ("tests/ingest/test_load.py", "tests/ingest/test_load_paths.py")
SOAKED = [pytest.param(each, marks=pytest.mark.soak) for each in (AGAIN, AND_LOADS)]


@pytest.mark.timeout(600)
@pytest.mark.skipif(not (OLDEST / "initdb").exists(), reason="this machine has no PostgreSQL 15 of Debian's")
@pytest.mark.parametrize("again", [ONCE, *SOAKED], ids=["once", "marts", "loads"])
def test_warehouse_and_gate_hold_on_postgresql_15(again: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *again],
        cwd=ROOT,
        env=os.environ | {"FUNNEL_TEST_POSTGRES": str(OLDEST)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
