"""The suites of `expectations/`, and the rows that each of them checks."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from psycopg import sql

from funnel import settings
from funnel.contract import raw_table
from funnel.gate.errors import SuiteError
from funnel.gate.report import Severity
from funnel.sources import SOURCES

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

SUITES = settings.REPOSITORY / "expectations"


@dataclass(frozen=True)
class Batch:
    """The rows of one query, and what is expected of them.

    `key` identifies a row of `table`. Bad rows can be queried in `table` if the expectation uses only its `columns`,
    and no column that the query computes.
    """

    suite: str
    table: str
    key: tuple[str, ...]
    query: str
    columns: frozenset[str]
    critical: Sequence["Expectation"] = ()
    warning: Sequence["Expectation"] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    skipped: Sequence[tuple[Severity, "Expectation"]] = ()

    @property
    def expectations(self) -> list[tuple[Severity, "Expectation"]]:
        """All expectations with their severity, the critical ones first."""
        return _of(self.critical, self.warning)


@cache
def suite(name: str) -> ModuleType:
    """The module `expectations/<name>.py`, for instance `raw/google_ads`. Raises SuiteError if it does not exist."""
    path = SUITES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"expectations.{name.replace('/', '.')}", path)
    if not path.exists() or spec is None or spec.loader is None:
        raise SuiteError(f"{path} is missing: there is no suite for {name}. Write it.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mart_suites() -> list[str]:
    """Names of the suites of marts, in the order of their files."""
    return [f"marts/{path.stem}" for path in sorted((SUITES / "marts").glob("*.py")) if path.stem != "__init__"]


def columns_of(expectation: "Expectation") -> list[str]:
    """The columns that an expectation uses, that of its row condition last."""
    named = [getattr(expectation, name, None) for name in ("column", "column_A", "column_B")]
    named += getattr(expectation, "column_list", None) or []
    condition = getattr(expectation, "row_condition", None)
    if condition is not None:
        named.append(condition.column.name)
    return [name for name in named if name]


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return sql.Literal(value).as_string()


def notes_of(expectation: "Expectation") -> str | None:
    """The notes of an expectation: why it matters and where to look."""
    return " ".join(expectation.notes) if isinstance(expectation.notes, list) else expectation.notes


def all_stated() -> dict[str, list[tuple[Severity, "Expectation"]]]:
    """All expectations with their severity, by `suite:table` as in ops.checks."""
    stated = {"deliveries:ops.loads": _of(suite("deliveries").CRITICAL, suite("deliveries").WARNING)}
    for source in SOURCES.values():
        raw = suite(f"raw/{source.name}")
        for stream in source.streams:
            expected = _of(raw.CRITICAL.get(stream.name, []), raw.WARNING.get(stream.name, []))
            stated[f"raw/{source.name}:raw.{raw_table(source, stream)}"] = expected
    for name, table in [("inputs", "ops.loads"), *((each, each.replace("/", ".")) for each in mart_suites())]:
        batches = [
            [each for some in kind.values() for each in some] for kind in (suite(name).CRITICAL, suite(name).WARNING)
        ]
        stated[f"{name}:{table}"] = _of(*batches)
    return stated


def _of(critical: Sequence["Expectation"], warning: Sequence["Expectation"]) -> list[tuple[Severity, "Expectation"]]:
    return [*(("critical", each) for each in critical), *(("warning", each) for each in warning)]
