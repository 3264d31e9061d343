"""The results of checks, and their message.

`require` raises if a critical check failed; the reaction to it is the task's.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from funnel.gate.errors import GateClosed

log = logging.getLogger(__name__)
# Alerts are read on phones: keep them short.
TOLD = 12
Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Check:
    """One expectation and its result. `passed` is None when it was skipped: the source fills none of its columns.

    `rows_query` returns the rows that violate it; it is for the log and is not stored.
    """

    suite: str
    table: str
    column: str | None
    expectation: str
    severity: Severity
    passed: bool | None
    observed: Mapping[str, Any] = field(default_factory=dict)
    unexpected_count: int | None = None
    sample_keys: tuple[str, ...] = ()
    notes: str | None = None
    rows_query: str | None = None

    @property
    def text(self) -> str:
        """The check for people: which expectation, where, how many rows, which keys, why it matters and
        where to look.
        """
        lines = [f"{self.severity.upper()} {self.table}{f'.{self.column}' if self.column else ''}: {self.expectation}"]
        if "raised" in self.observed:
            lines.append(f"could not be evaluated, which counts as failed: {self.observed['raised']}")
        if self.unexpected_count is not None:
            of_all = f" of {self.observed['rows']}" if "rows" in self.observed else ""
            rows = f"{self.unexpected_count}{of_all} rows"
            keys = f" · hashed keys {', '.join(self.sample_keys)}" if self.sample_keys else ""
            days = f" · days {', '.join(self.observed['days'])}" if self.observed.get("days") else ""
            lines.append(rows + keys + days)
        elif "value" in self.observed:
            lines.append(f"observed: {self.observed['value']}")
        if self.notes:
            lines.append(self.notes)
        if self.rows_query:
            lines.append(f"look at: {self.rows_query}")
        return "\n    ".join(lines)


@dataclass(frozen=True)
class CheckReport:
    """The results of one audit, with its subject and the advice for a failure."""

    subject: str
    advice: str
    results: tuple[Check, ...]

    @property
    def failures(self) -> list[Check]:
        """The failed critical expectations."""
        return [check for check in self.results if check.passed is False and check.severity == "critical"]

    @property
    def warnings(self) -> list[Check]:
        """The other failed expectations."""
        return [check for check in self.results if check.passed is False and check.severity == "warning"]

    @property
    def skipped(self) -> list[Check]:
        """The expectations of columns that the source does not fill."""
        return [check for check in self.results if check.passed is None]

    @property
    def passed(self) -> bool:
        """True if no critical expectation failed."""
        return not self.failures

    def text(self) -> str:
        """The report for a log or an alert: critical failures first, then warnings, then what to do."""
        asked = [check for check in self.results if check.passed is not None]
        critical = sum(check.severity == "critical" for check in asked)
        skipped = f" {len(self.skipped)} use columns that no file fills and were skipped." if self.skipped else ""
        head = (
            f"{self.subject}: {len(self.failures)} of {critical} critical expectations failed, "
            f"{len(self.warnings)} of {len(asked) - critical} warnings.{skipped}"
        )
        told = [*self.failures, *self.warnings]
        more = [f"… and {len(told) - TOLD} more in ops.checks."] if len(told) > TOLD else []
        advice = [] if self.passed else [self.advice]
        return "\n".join([head, *(check.text for check in told[:TOLD]), *more, *advice])


def extended(report: CheckReport, checks: Sequence[Check]) -> CheckReport:
    """The report with the results of further checks added."""
    return replace(report, results=(*report.results, *checks))


def require(report: CheckReport) -> None:
    """Log the report. Raises GateClosed with its text if a critical expectation failed."""
    if not report.passed:
        raise GateClosed(report.text())
    (log.warning if report.warnings else log.info)(report.text())
