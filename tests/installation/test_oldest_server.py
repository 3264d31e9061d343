"""The warehouse on the oldest supported PostgreSQL, Debian's 15: the same tests on another server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = Path("/usr/lib/postgresql/15/bin")
# Publishes, checks marts, and builds them in full and incrementally.
AGAIN = (
    "tests/publication/test_publish.py",
    "tests/gate/test_marts.py::test_marts_of_good_rows_pass",
    "tests/build/test_rebuilds.py::test_what_a_failed_build_left_is_repaired_by_the_next",
)
# The long ones: each test of a load has a database of its own.
AND_LOADS = ("tests/ingest/test_load.py", "tests/ingest/test_load_paths.py")


@pytest.mark.timeout(600)
@pytest.mark.skipif(not (OLDEST / "initdb").exists(), reason="this machine has no PostgreSQL 15 of Debian's")
@pytest.mark.parametrize("again", [AGAIN, pytest.param(AND_LOADS, marks=pytest.mark.soak)], ids=["marts", "loads"])
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
