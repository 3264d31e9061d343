"""Two small marts on a real server, written and built without dbt: what publication and its undo are tested on."""

from typing import Any

import psycopg

from funnel import ledger

MARTS = ("fct_left", "fct_right")


def run(role: str, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(ledger.settings.dsn(role)) as connection:  # type: ignore[arg-type]
        cursor = connection.execute(sql.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def create_marts() -> None:
    """Two small marts that must always be consistent: every key has the same value in both."""
    for mart in MARTS:
        run(
            "builder",
            f"""
            create table marts.{mart} (
                date_day date, campaign_id text, value numeric, note text, primary key (date_day, campaign_id)
            );
            create table marts_changes.{mart} (date_day date, campaign_id text, build_id bigint)
            """,
        )


def build(rows: dict[tuple[str, str], int], *, full: bool = False, audit: bool | None = True) -> int:
    """Write `rows` into both marts the way keyed_table does, with a row in ops.builds and an audit result."""
    before = run("builder", "select 1 from ops.publications")
    ((build_id,),) = run(
        "builder",
        """
        insert into ops.builds (
            as_of, is_full, since_load_id, through_load_id, reporting_currency, reporting_timezone, master_crm,
            sources_configured, sources_late, status, project_fingerprint, code_version
        )
        values ('2026-01-06', %s, 0, 0, 'USD', 'UTC', 'salesforce', '{}', '{}', 'built', 'x', 'x') returning build_id
        """,
        (full or not before,),
    )
    with psycopg.connect(ledger.settings.dsn("builder")) as connection:
        for mart in MARTS:
            stored = {
                (str(day), campaign): value
                for day, campaign, value in connection.execute(
                    f"select date_day, campaign_id, value from marts.{mart}".encode()
                )
            }
            for key in stored.keys() | rows.keys():
                if stored.get(key) == rows.get(key):
                    continue
                connection.execute(f"delete from marts.{mart} where (date_day, campaign_id) = (%s, %s)".encode(), key)
                if key in rows:
                    connection.execute(f"insert into marts.{mart} values (%s, %s, %s)".encode(), (*key, rows[key]))
                if not full:
                    connection.execute(
                        f"insert into marts_changes.{mart} values (%s, %s, %s)".encode(), (*key, build_id)
                    )
        if audit is not None:
            connection.execute(
                "insert into ops.checks (suite, table_name, expectation, severity, passed, build_id) "
                "values ('marts', 'fct_left', 'expect_it', 'critical', %s, %s)",
                (audit, build_id),
            )
    return int(build_id)


def shown(mart: str = "fct_left") -> dict[tuple[str, str], int]:
    return {
        (str(day), campaign): int(value)
        for day, campaign, value in run("bi_reader", f"select date_day, campaign_id, value from bi.{mart}")
    }
