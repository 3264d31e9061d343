"""Ninety days of a whole simulated company, read at one moment and published once for all files of this folder."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sandbox.scenario import Scenario
from sandbox.worlds import build
from tests.conftest import fresh_warehouse
from tests.end_to_end.pipeline import Pipeline, published_company

ANCHOR = date(2026, 3, 31)
SEED = 7
DAYS = 90


@pytest.fixture(scope="package")
def scenario() -> Scenario:
    return build("company", SEED, ANCHOR)


@pytest.fixture(scope="package")
def company(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The company, published in a warehouse that all files of this folder share."""
    folder = tmp_path_factory.mktemp("company")
    with (
        pytest.MonkeyPatch.context() as patch,
        fresh_warehouse(cluster_home, patch, folder),
        published_company(SEED, ANCHOR, DAYS, folder / "inbox") as (pipeline, _),
    ):
        yield pipeline


@pytest.fixture(scope="package")
def now() -> datetime:
    return datetime(ANCHOR.year, ANCHOR.month, ANCHOR.day, tzinfo=UTC)
