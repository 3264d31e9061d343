"""Writes reports to ops.checks: one row for each expectation."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from funnel.gate.report import CheckReport


def record(
    connection: psycopg.Connection[Any],
    report: CheckReport,
    *,
    source: str | None = None,
    connection_id: str | None = None,
    run_id: str | None = None,
    build_id: int | None = None,
) -> None:
    """Write a report to ops.checks; its rows share one checked_at."""
    checked_at = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into ops.checks (
                suite, table_name, column_name, expectation, severity, passed, observed, unexpected_count, sample_keys,
                source, connection_id, run_id, build_id, checked_at
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    check.suite,
                    check.table,
                    check.column,
                    check.expectation,
                    check.severity,
                    check.passed,
                    Jsonb(check.observed),
                    check.unexpected_count,
                    list(check.sample_keys),
                    source,
                    connection_id,
                    run_id,
                    build_id,
                    checked_at,
                )
                for check in report.results
            ],
        )


LATEST_REPORTS = """
select audit.*
from ops.checks as audit
inner join (
    select distinct on (source, connection_id) source, connection_id, checked_at
    from ops.checks
    order by source, connection_id, check_id desc
) as latest
    on
        audit.source is not distinct from latest.source
        and audit.connection_id is not distinct from latest.connection_id
        and audit.checked_at = latest.checked_at
where audit.passed is not null
order by audit.check_id
"""
