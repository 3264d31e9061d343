"""HTML pages of what is expected of every table, and of the latest result of every delivery and of the marts.

Written from the suites and from ops.checks: no data are read again, and no value of the data is on a page. A page loads
no other file, so it can be read without a network.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnel import warehouse

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation
from funnel.gate.records import LATEST_REPORTS
from funnel.gate.report import Severity
from funnel.gate.suites import all_stated, notes_of

# The worst first.
ORDER = ("FAILED", "warning", "passed", "not asked")
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#222;max-width:70rem}"
    "table{border-collapse:collapse;margin:.5rem 0;width:100%}"
    "td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}a{color:#0b57d0}"
    ".FAILED{color:#b3261e;font-weight:600}.warning{color:#8a5300;font-weight:600}.note{color:#555}"
)


@dataclass(frozen=True)
class Result:
    """One expectation on a page; `found` is the number of rows that violate it, or the observed value."""

    verdict: str
    severity: Severity
    expectation: str
    found: str
    notes: str


@dataclass(frozen=True)
class Report:
    """The latest results of one table for one delivery or build."""

    name: str
    table: str
    subject: str
    moment: str
    results: Sequence[Result]

    @property
    def verdict(self) -> str:
        """The worst result of the table's expectations."""
        return min((each.verdict for each in self.results), key=ORDER.index)


def build_pages(folder: Path) -> Path:
    """Write a page for each suite and an index of the latest results into this folder; returns the path
    of the index.
    """
    with warehouse.connect("builder") as connection:
        checks = warehouse.dicts(connection, LATEST_REPORTS)
    stated = all_stated()
    reports = list(_reports(checks, stated))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = sorted(stated.keys() | {report.name for report in reports})
    for name in names:
        mine = [report for report in reports if report.name == name]
        (folder / _file(name)).write_text(_suite_page(name, mine, stated.get(name, [])))
    index = folder / "index.html"
    index.write_text(_index_page(reports, names))
    return index


def _reports(checks: list[dict[str, Any]], stated: dict[str, list[tuple[Severity, "Expectation"]]]) -> Iterable[Report]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for check in checks:
        source = check["connection_id"] or check["source"]
        key = (check["suite"], check["table_name"], source, check["run_id"], check["build_id"], check["checked_at"])
        groups.setdefault(key, []).append(check)
    for (suite, table, source, run_id, build_id, checked_at), group in groups.items():
        name = f"{suite}:{table}"
        notes = {each.description: notes_of(each) or "" for _, each in stated.get(name, [])}
        yield Report(
            name,
            table,
            subject=f"build {build_id}" if build_id is not None else f"{source}, run {run_id}",
            moment=f"{checked_at:%Y-%m-%d %H:%M} UTC",
            results=[_result(check, notes.get(check["expectation"], "")) for check in group],
        )


def _result(check: dict[str, Any], notes: str) -> Result:
    observed = check["observed"] or {}
    found = []
    if "raised" in observed:
        found.append(f"could not be evaluated: {observed['raised']}")
    if check["unexpected_count"] is not None:
        of_all = f" of {observed['rows']}" if "rows" in observed else ""
        found.append(f"{check['unexpected_count']}{of_all} rows")
    if check["sample_keys"]:
        found.append(f"hashed keys {', '.join(check['sample_keys'])}")
    if "value" in observed:
        found.append(f"observed {observed['value']}")
    verdict = "passed" if check["passed"] else "FAILED" if check["severity"] == "critical" else "warning"
    return Result(verdict, check["severity"], check["expectation"], "; ".join(found), notes)


# What is written ---------------------------------------------------------------------------------------------------


def _index_page(reports: list[Report], names: list[str]) -> str:
    rows = [
        (
            f'<td class="{report.verdict}">{report.verdict}</td>',
            f"<td>{_link(report.name, report.table)}</td>",
            f"<td>{escape(report.subject)}</td><td>{report.moment}</td>",
        )
        for report in sorted(reports, key=lambda each: (ORDER.index(each.verdict), each.table, each.moment))
    ]
    listed = "".join(f"<li>{_link(name, name)}</li>" for name in names)
    return _page(
        "Checks",
        "<p>A failed check stops what it looked at from being published; a warning does not.</p><h2>Latest results</h2>"
        + _table(("result", "table", "of", "checked"), ("".join(row) for row in rows))
        + f"<h2>What is expected</h2><ul>{listed}</ul>",
    )


def _suite_page(name: str, reports: list[Report], stated: list[tuple[Severity, "Expectation"]]) -> str:
    parts = ['<p><a href="index.html">All checks</a></p>']
    for report in reports:
        parts.append(f"<h2>{escape(report.subject)}, {report.moment}</h2>")
        parts.append(_results(sorted(report.results, key=lambda each: ORDER.index(each.verdict))))
    if not reports:
        expected = [
            Result("not asked", severity, each.description or each.expectation_type, "", notes_of(each) or "")
            for severity, each in stated
        ]
        parts.append(_results(expected))
    return _page(name, "".join(parts))


def _results(results: Sequence[Result]) -> str:
    return _table(
        ("result", "expectation", "severity", "found"),
        (
            f'<td class="{each.verdict}">{each.verdict}</td>'
            f'<td>{escape(each.expectation)}<br><span class="note">{escape(each.notes)}</span></td>'
            f"<td>{each.severity}</td><td>{escape(each.found)}</td>"
            for each in results
        ),
    )


def _table(heads: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def _link(name: str, text: str) -> str:
    return f'<a href="{_file(name)}">{escape(text)}</a>'


def _file(name: str) -> str:
    return f"{name.replace('/', '.').replace(':', '-')}.html"
