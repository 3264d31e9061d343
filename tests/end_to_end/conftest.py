"""A warehouse and a sandbox for a whole module of tests: building is slow, reading is fast."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import fresh_warehouse
from tests.end_to_end.movements import Notes


@pytest.fixture(scope="module")
def module_warehouse(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Like `warehouse`, for all tests of a module."""
    with (
        pytest.MonkeyPatch.context() as patch,
        fresh_warehouse(cluster_home, patch, tmp_path_factory.mktemp("e2e")) as dsn,
    ):
        yield dsn


@pytest.fixture(scope="module")
def notes() -> Notes:
    """What each publication of a module's company showed."""
    return Notes()
