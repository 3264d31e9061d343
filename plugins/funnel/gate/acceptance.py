"""Loads and checks one connection of several, or one source of an inbox, in one transaction: committed or held back.

Rows that fail the gate never reach `raw`: builds and other connections do not see them, and rows accepted earlier stay.
The next run reads the same days or files again, since none of them counts as loaded. A crash leaves nothing behind.
"""

from collections.abc import Sequence
from typing import Any

import psycopg

from funnel import warehouse
from funnel.gate import deliveries, rates, records
from funnel.gate.delivery_rules import rules_of
from funnel.gate.errors import GateClosed, RateMissing
from funnel.gate.report import Check, CheckReport, extended, require
from funnel.ingest import completeness, notes, reconcile
from funnel.ingest import load as loading
from funnel.ingest.landing import LandedRead
from funnel.ingest.load import LoadResult
from funnel.sources import SOURCES

HELD_BACK = "held back: a check of this delivery failed"


def accept(reads: Sequence[LandedRead]) -> list[LoadResult]:
    """Load all reads of one connection of one run if its checks pass. Accepting them again changes nothing.

    Raises GateClosed if a critical check failed; then nothing is loaded, and ops.checks, ops.files and ops.held_back
    say why. Listings of ids hold no rows to check; they are compared when the rest is accepted.
    """
    listings = [read for read in reads if reconcile.is_listing(read.path)]
    reads = [read for read in reads if read not in listings]
    return [*_accept_rows(reads), *(loading.load(listing) for listing in listings)]


def _accept_rows(reads: Sequence[LandedRead]) -> list[LoadResult]:
    if not reads:
        return []
    first = reads[0]
    source, connection_id, run_id = SOURCES[first.source], first.connection_id, first.run_id
    loading.prepare(source)
    report: CheckReport | None = None
    results: list[LoadResult] = []
    try:
        with warehouse.connect("loader") as connection, connection.transaction():
            results = [loading.load_into(connection, read) for read in reads]
            if any(result.is_new for result in results):
                rules = rules_of(source)
                filled = {} if rules.fills_all_columns else {result.stream: result.columns for result in results}
                report = deliveries.check_delivery(connection, source.name, connection_id, run_id, filled)
                if rules.currency == "rate":
                    report = extended(report, _rate_checks(connection, results))
                require(report)
                records.record(connection, report, source=source.name, connection_id=connection_id, run_id=run_id)
                completeness.complete_connection(connection, source, connection_id, run_id)
            notes.forget_held_back(connection, source.name, connection_id, run_id)
    except GateClosed as closed:
        reason = "\n".join([str(closed), *_files(results)])
        _hold_back(reads, results, report, reason)
        if report and all(check.suite == rates.SUITE for check in report.failures):
            raise RateMissing(reason) from None
        raise GateClosed(reason) from None
    return results


def _files(results: Sequence[LoadResult]) -> list[str]:
    """A line with the files of a delivery that was held back, if it has files."""
    named = [
        f"{result.stream}: {', '.join(each['path'] for each in result.files)}" for result in results if result.files
    ]
    return [f"Files of this delivery: {'; '.join(named)}"] if named else []


def _rate_checks(connection: psycopg.Connection[Any], results: Sequence[LoadResult]) -> list[Check]:
    return [
        check
        for result in results
        if result.rows_loaded
        for check in rates.checks(connection, result.source, result.stream, result.load_id)
    ]


def _hold_back(
    reads: Sequence[LandedRead], results: Sequence[LoadResult], report: CheckReport | None, reason: str
) -> None:
    """Record what was rolled back and why: its checks, its files, and the source in this run."""
    first = reads[0]
    with warehouse.connect("loader") as connection, connection.transaction():
        if report:
            records.record(
                connection, report, source=first.source, connection_id=first.connection_id, run_id=first.run_id
            )
        for read, result in zip(reads, results, strict=True):
            found = [
                check.text
                for check in (report.failures if report else ())
                if check.table.endswith(f"__{result.stream}")
            ]
            refused = [each if each["status"] == "refused" else _refused(each, found) for each in result.files]
            notes.note_files(connection, read, result.load_id, refused)
        notes.note_held_back(connection, first.source, first.connection_id, first.run_id, reason)


def _refused(file: dict[str, Any], reasons: list[str]) -> dict[str, Any]:
    """A file of a delivery that was held back: it was read, and nothing of it was loaded."""
    nothing = {name: 0 for name in file if name.startswith("rows_") and name != "rows_read"}
    return {**file, **nothing, "status": "refused", "reason": HELD_BACK, "reasons": reasons}
