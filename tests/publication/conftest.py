"""The two small marts of `small_marts`, empty, in a warehouse of their own."""

import pytest

from tests.publication.small_marts import create_marts


@pytest.fixture
def marts(warehouse: str) -> None:
    create_marts()
