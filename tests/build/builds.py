"""Publications without an audit, and comparisons of incremental builds with full ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.build import dbt_run
from funnel.publication import publication

from .conftest import rows

Tables = dict[str, list[tuple[Any, ...]]]

CONTACT: dict[str, Any] = {
    "contact_id": "1",
    "updated_at": "2026-01-05T10:00:00Z",
    "email_key": "ana",
    "created_at": "2026-01-05T10:00:00Z",
    "_record_key": "k1",
}
STATS: dict[str, Any] = {
    "date": "2026-01-05",
    "customer_id": "1",
    "campaign_id": "11",
    "currency_code": "EUR",
    "impressions": 1000,
    "clicks": 50,
    "cost_micros": 100_000_000,
}


def publish_build(build_id: int) -> None:
    """Publish without the audit, which is not the subject of these tests."""
    with psycopg.connect(settings.dsn("admin")) as admin:
        admin.execute(
            "insert into ops.checks (suite, table_name, expectation, severity, passed, build_id) "
            "values ('test', 'test', 'test', 'critical', true, %s)",
            (build_id,),
        )
    publication.publish(build_id)


@contextmanager
def only(*models: str) -> Iterator[None]:
    """Builds inside the block build these models and what they read, with the tests that look at nothing else."""
    invoke = dbt_run._invoke
    selected = ("--select", *(f"+{model}" for model in models), "--indirect-selection", "cautious")

    def invoke_selected(project: Any, *command: str, **more: Any) -> Any:
        return invoke(project, *command, *(selected if command[0] == "build" else ()), **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt_run, "_invoke", invoke_selected)
        patch.setattr(dbt_run, "_statistics_of", lambda manifest: [])
        yield


def assert_as_of_a_full_build() -> None:
    """The rows after the last build equal those of a full build.

    The full build runs without dbt's tests: they passed on the same rows before.
    """
    before = _tables()
    with pytest.MonkeyPatch.context() as patch:
        invoke = dbt_run._invoke

        def invoke_models(project: Any, *command: str, **more: Any) -> Any:
            without = ("--exclude-resource-type", "test") if command[0] == "build" else ()
            return invoke(project, *command, *without, **more)

        patch.setattr(dbt_run, "_invoke", invoke_models)
        dbt_run.build(full=True)
    full = _tables()
    assert {name: before[name] for name in full if before.get(name) != full[name]} == {}
    assert before.keys() == full.keys()


def _tables() -> Tables:
    """Every row of every table that a build writes. Tags that no record uses any more stay until the
    next full build.
    """
    with psycopg.connect(settings.dsn("admin")) as admin:
        admin.execute(
            "delete from intermediate.int_tag_channels "
            "where tag_key not in (select tag_key from intermediate.int_tags_unioned)"
        )
        names = admin.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('intermediate', 'marts') order by 1, 2"
        ).fetchall()
        return {
            name: sorted(admin.execute(f"select * from {schema}.{name}".encode()), key=repr) for schema, name in names
        }


def set_rates(project: Path, *lines: str) -> None:
    (project / "seeds/currency_rates.csv").write_text("rate_date,currency_code,rate_to_usd\n" + "\n".join(lines) + "\n")


def statuses() -> list[str]:
    return [status for (status,) in rows("select status from ops.builds order by build_id")]
