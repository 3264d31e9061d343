"""Pytest reads every folder of tests, whatever its name."""

from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def test_no_folder_of_tests_is_left_out(pytestconfig: pytest.Config) -> None:
    """By default, pytest does not enter folders of names such as `build` and `dist`."""
    left_out = pytestconfig.getini("norecursedirs")
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    assert Path("build") in folders
    assert {
        folder for folder in folders if any(fnmatch(part, name) for part in folder.parts for name in left_out)
    } == set()
