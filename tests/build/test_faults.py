"""Deliberate faults in models, each of which a named test or expectation must stop before anything is published.

A fault is one edit of one model. It is caught by a unit test of dbt, by a test that every build runs on the data of the
worked example, or by an expectation of the audit, as stated with the fault. `make test-all` runs them.
"""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import yaml

from funnel.build import dbt_run, errors
from funnel.gate import marts, report
from sandbox import process
from tests.build.faults import FAULTS, MODELS, Fault
from tests.conftest import fresh_warehouse
from tests.end_to_end.pipeline import Pipeline

from .conftest import template


def unit_tests() -> set[str]:
    """Names of all unit tests of the project."""
    files = (dbt_run.PROJECT / "models").rglob("*_unit_tests.yml")
    return {test["name"] for path in files for test in yaml.safe_load(path.read_text())["unit_tests"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project that faults are written into."""
    copy = tmp_path_factory.mktemp("faults") / "dbt_project"
    shutil.copytree(dbt_run.PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    return copy


@pytest.fixture(scope="module")
def example(
    cluster_home: Path, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], None]]:
    """The worked example, read and built without a fault; yields a function that restores it."""
    with (
        pytest.MonkeyPatch.context() as patch,
        fresh_warehouse(cluster_home, patch, tmp_path_factory.mktemp("example")),
    ):
        sandbox = process.start("worked_example", 7, date(2026, 1, 5))
        try:
            Pipeline(sandbox, project).day(date(2026, 2, 27), reach_back=60)
        finally:
            sandbox.stop()
        built = dbt_run.build(project_dir=project)
        report.require(marts.check_marts(built.build_id))
        with template("faultless") as restore:
            yield restore


@pytest.fixture
def faultless(example: Callable[[], None]) -> None:
    """The worked example as it was before the last fault."""
    example()


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_caught(fault: Fault, project: Path, faultless: None) -> None:
    path = project / MODELS / f"{fault.model}.sql"
    right = path.read_text()
    assert right.count(fault.right) == 1, f"{fault.model} holds {fault.right!r} {right.count(fault.right)} times"
    path.write_text(right.replace(fault.right, fault.wrong))
    try:
        assert fault.caught_by in found_by(project, fault.caught_by)
    finally:
        path.write_text(right)


def found_by(project: Path, expected: str) -> str:
    """The result of the project's tests: the unit test of that name only, or else a build with its audit."""
    if expected in unit_tests():
        outcome = dbt_run._invoke(project, "test", "--select", expected)
        failed = [result.node.name for result in outcome.result.results if str(result.status) == "fail"]
        return " ".join(failed)
    try:
        built = dbt_run.build(project_dir=project)
    except errors.BuildFailed as error:
        return str(error)
    return marts.check_marts(built.build_id).text()


def test_every_fault_can_still_be_made() -> None:
    """A fault whose model was rewritten proves nothing until its text is updated."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
    found = {
        fault.name: (dbt_run.PROJECT / MODELS / f"{fault.model}.sql").read_text().count(fault.right) for fault in FAULTS
    }
    assert {name: count for name, count in found.items() if count != 1} == {}
