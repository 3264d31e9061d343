"""The available worlds by name. Nothing that they are made of imports this module."""

from __future__ import annotations

from datetime import date

from sandbox.company import make_company
from sandbox.scenario import Scenario
from sandbox.worked_example import make_worked_example


def build(name: str, seed: int = 7, anchor: date | None = None) -> Scenario:
    """The scenario of that name. `anchor` is today for `company`; the worked example has fixed dates. Raises ValueError
    for an unknown name.
    """
    if name == "worked_example":
        return make_worked_example()
    if name == "company":
        if anchor is None:
            raise ValueError("Scenario company needs an anchor date: the day that counts as today when it is made.")
        return make_company(seed, anchor)
    raise ValueError(f"There is no scenario {name!r}; there are company and worked_example.")
