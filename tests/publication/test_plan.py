"""A plan is what publication then changes: ten kinds of change, compared row by row and month by month."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from funnel import ledger
from funnel.publication import errors, plan_page, plan_text, preview, publication, undo
from funnel.publication.plan import MEASURES, Plan
from tests.publication.small_marts import run

FUNNEL, TARGETS, DEALS, SCORES = "fct_funnel_daily", "fct_targets", "fct_opportunities", "rpt_alignment_scorecard"
TABLES = {
    FUNNEL: "date_day date, channel text, spend numeric, leads bigint, won_amount numeric, order_amount numeric, "
    "primary key (date_day, channel)",
    TARGETS: "period_start date, team text, target numeric, primary key (period_start, team)",
    DEALS: "opportunity_key text primary key, commission_amount numeric",
    SCORES: "period_start date, measure text, is_sufficient boolean, is_reversed boolean, "
    "primary key (period_start, measure)",
}
Row = tuple[Any, ...]
START: dict[str, list[Row]] = {
    FUNNEL: [
        ("2026-01-05", "search", 100, 4, 1000, None),
        ("2026-01-06", "search", 200, 5, None, 50),
        ("2026-02-01", "social", 300, 6, None, None),
        ("2026-03-01", "social", 70, 1, 10, 1),
    ],
    TARGETS: [("2026-01-01", "sales", 5000), ("2026-04-01", "sales", 6000)],
    DEALS: [("d1", 100), ("d2", None)],
    SCORES: [("2026-01-01", "win_rate", True, False), ("2026-01-01", "velocity", False, None)],
}


@dataclass
class House:
    """The marts as they are to be built, and what the next build is recorded with."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {mart: list(rows) for mart, rows in START.items()})
    is_full: bool = False
    fingerprint: str = "x"
    currency: str = "USD"

    def replace(self, mart: str, place: int, row: Row) -> None:
        self.rows[mart][place] = row

    def build(self) -> int:
        """Write the rows as dbt's keyed tables do, with change lists unless the build is full, and an audit."""
        ((build_id,),) = run(
            "builder",
            """
            insert into ops.builds (
                as_of, is_full, since_load_id, through_load_id, reporting_currency, reporting_timezone, master_crm,
                sources_configured, sources_late, status, project_fingerprint, code_version
            )
            values (
                '2026-06-01', %s, 0, (select coalesce(max(load_id), 0) from ops.loads), %s, 'UTC', 'salesforce', '{}',
                '{}', 'built', %s, 'x'
            )
            returning build_id
            """,
            (self.is_full, self.currency, self.fingerprint),
        )
        with psycopg.connect(ledger.settings.dsn("builder")) as connection:
            for mart, rows in self.rows.items():
                for key in self._write(connection, mart, rows):
                    if not self.is_full:
                        marks = ", ".join(["%s"] * len(key))
                        connection.execute(f"insert into marts_changes.{mart} values ({marks})".encode(), key)
        run(
            "builder",
            "insert into ops.checks (suite, table_name, expectation, severity, passed, build_id) "
            "values ('marts', 'x', 'expect_it', 'critical', true, %s)",
            (build_id,),
        )
        return int(build_id)

    def _write(self, connection: psycopg.Connection[Any], mart: str, rows: list[Row]) -> list[Row]:
        """Replace the rows of a mart; returns the keys of those that differ."""
        width = len(key_of(connection, mart))
        stored = {row[:width]: row for row in connection.execute(f"select * from marts.{mart}".encode())}
        marks = ", ".join(["%s"] * len(rows[0])) if rows else ""
        connection.execute(f"delete from marts.{mart}".encode())
        for row in rows:
            connection.execute(f"insert into marts.{mart} values ({marks})".encode(), row)
        built = {row[:width]: row for row in connection.execute(f"select * from marts.{mart}".encode())}
        return [key for key in stored.keys() | built.keys() if stored.get(key) != built.get(key)]


def key_of(connection: psycopg.Connection[Any], mart: str) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            """
            select attname from pg_index inner join pg_attribute on attrelid = indrelid and attnum = any(indkey)
            where indrelid = %s::regclass and indisprimary order by attnum
            """,
            (f"marts.{mart}",),
        )
    ]


def create(mart: str, columns: str) -> None:
    """A mart with its change list, as dbt makes them."""
    run("builder", f"create table marts.{mart} ({columns})")
    with psycopg.connect(ledger.settings.dsn("builder")) as connection:
        key = ", ".join(key_of(connection, mart))
    run("builder", f"create table marts_changes.{mart} as select {key} from marts.{mart} with no data")


@pytest.fixture
def house(warehouse: str) -> House:
    for mart, columns in TABLES.items():
        create(mart, columns)
    house = House(is_full=True)
    publication.publish(house.build())
    run("builder", f"truncate {', '.join(f'marts_changes.{mart}' for mart in TABLES)}")
    house.is_full = False
    return house


# --- what is compared ----------------------------------------------------------------------------------------------


def by_month() -> dict[tuple[str, str], Decimal]:
    sums = {
        measure: " + ".join(f"coalesce(sum({column}), 0)" for column in columns)
        for measure, columns in MEASURES.items()
    }
    return {
        (measure, month): value
        for measure, expression in sums.items()
        for month, value in run(
            "bi_reader", f"select to_char(date_day, 'YYYY-MM'), ({expression})::numeric from bi.{FUNNEL} group by 1"
        )
    }


def decided() -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for subject, query in (
        ("target", f"select concat_ws(' · ', period_start, team), target from bi.{TARGETS}"),
        ("commission", f"select opportunity_key, commission_amount from bi.{DEALS}"),
        (
            "scorecard verdict: enough data",
            f"select concat_ws(' · ', period_start, measure), is_sufficient from bi.{SCORES}",
        ),
        (
            "scorecard verdict: reversed",
            f"select concat_ws(' · ', period_start, measure), is_reversed from bi.{SCORES}",
        ),
    ):
        found |= {(subject, key): value for key, value in run("bi_reader", query)}
    return found


def moves(before: dict[Any, Any], after: dict[Any, Any], nothing: Any) -> set[tuple[Any, ...]]:
    return {
        (*key, before.get(key, nothing), after.get(key, nothing))
        for key in before.keys() | after.keys()
        if before.get(key, nothing) != after.get(key, nothing)
    }


def publish_as_planned(house: House) -> Plan:
    """Build, plan, publish, and compare: the plan is what happened, and then there is nothing left to plan."""
    build_id = house.build()
    state = run("bi_reader", "select count(*) from ops.publications"), by_month(), decided()
    planned = preview.preview()
    assert (run("bi_reader", "select count(*) from ops.publications"), by_month(), decided()) == state
    done = publication.publish(build_id)
    assert planned.build_id == build_id
    assert planned.rows_changed == done.rows_changed
    months = {(each.subject, each.key, each.before, each.after) for each in planned.months}
    assert months == moves(state[1], by_month(), Decimal(0))
    told = {(each.subject, each.key, each.before, each.after) for each in planned.decisions}
    assert told == moves(state[2], decided(), None)
    assert preview.preview(build_id).is_empty
    for mart in house.rows:
        columns = ", ".join(name for (name,) in run("builder", COLUMNS, (mart,)))
        shown, built = (run("publisher", f"select {columns} from {schema}.{mart} order by 1, 2") for schema in SCHEMAS)
        assert shown == built
    return planned


SCHEMAS = ("bi", "marts")
COLUMNS = """
select column_name from information_schema.columns
where table_schema = 'marts' and table_name = %s order by ordinal_position
"""


# --- ten kinds of change -------------------------------------------------------------------------------------------


def add_rows(house: House) -> None:
    house.rows[FUNNEL] += [("2026-03-02", "search", 5, 1, None, None), ("2026-04-01", "search", 6, 0, 7, 8)]


def change_an_amount(house: House) -> None:
    house.replace(FUNNEL, 0, ("2026-01-05", "search", 100, 4, "1234.56", None))


def remove_rows(house: House) -> None:
    del house.rows[FUNNEL][1:3]


def restate_a_day(house: House) -> None:
    """A vendor corrects a day that was shown: another spend on a day, and a day that no longer has a row."""
    house.replace(FUNNEL, 2, ("2026-02-01", "social", "301.5", 6, None, None))
    run(
        "loader",
        """
        insert into ops.loads (
            source, connection_id, stream, window_from, window_to, rows_read, rows_loaded, rows_quarantined,
            rows_retracted, rows_superseded, rows_duplicated, bytes, fetched_at, started_at, finished_at, run_id,
            landing, code_version
        )
        values (
            'meta_ads', 'meta_ads', 'insights', '2026-02-01', '2026-02-02', 1, 1, 0, 0, 0, 0, 9, now(), now(), now(),
            'r', 'l', 'x'
        )
        """,
    )
    run(
        "loader",
        "insert into ops.day_changes "
        "values (1, 'meta_ads', 'meta_ads', 'insights', '2026-02-01', 5, 4, 1, 1, 1, '{}', now())",
    )


def change_a_rule(house: House) -> None:
    """A channel rule: the same money in another channel. The build is a full one."""
    house.is_full, house.fingerprint = True, "y"
    house.replace(FUNNEL, 2, ("2026-02-01", "other", 300, 6, None, None))


def change_the_currency(house: House) -> None:
    house.is_full, house.currency = True, "EUR"
    house.rows[FUNNEL] = [
        (day, channel, Decimal(spend) * Decimal("0.9"), *others) for day, channel, spend, *others in house.rows[FUNNEL]
    ]


def add_a_column(house: House) -> None:
    house.is_full, house.fingerprint = True, "y"
    run("builder", f"alter table marts.{FUNNEL} add column region text; alter table marts.{DEALS} add column note text")
    house.rows[FUNNEL] = [(*row, "north") for row in house.rows[FUNNEL]]
    house.rows[DEALS] = [(*row, None) for row in house.rows[DEALS]]


def change_a_key(house: House) -> None:
    """The grain becomes finer, and another mart is new."""
    house.is_full, house.fingerprint = True, "y"
    run("builder", f"drop table marts.{FUNNEL}; drop table marts_changes.{FUNNEL}")
    create(
        FUNNEL, TABLES[FUNNEL].replace("spend", "region text, spend").replace("day, channel)", "day, channel, region)")
    )
    house.rows[FUNNEL] = [(*row[:2], "north", *row[2:]) for row in house.rows[FUNNEL]]
    house.rows[FUNNEL].append(("2026-01-05", "search", "south", 1, 1, None, None))
    create("fct_new", "id int primary key, value int")
    house.rows["fct_new"] = [(1, 2), (2, 3)]


def change_targets_and_verdicts(house: House) -> None:
    house.replace(TARGETS, 1, ("2026-04-01", "sales", 6500))
    house.rows[TARGETS].append(("2026-07-01", "sales", 7000))
    house.replace(DEALS, 1, ("d2", "12.5"))
    house.replace(SCORES, 1, ("2026-01-01", "velocity", True, True))


def change_only_code(house: House) -> None:
    house.is_full, house.fingerprint = True, "y"


KINDS: dict[Callable[[House], None], tuple[dict[str, int], str]] = {
    add_rows: ({"new": 2, "out": 0, "changed": 0}, ""),
    change_an_amount: ({"new": 0, "out": 0, "changed": 1}, ""),
    remove_rows: ({"new": 0, "out": 2, "changed": 0}, ""),
    restate_a_day: ({"new": 0, "out": 0, "changed": 1}, "Restated days: meta_ads changed 1 rows on 1 days"),
    change_a_rule: ({"new": 1, "out": 1, "changed": 0}, "Rules or code: models, macros, seeds"),
    change_the_currency: ({"new": 0, "out": 0, "changed": 4}, "Setting: REPORTING_CURRENCY is EUR; it was USD."),
    add_a_column: ({"new": 0, "out": 0, "changed": 4}, "Rules or code"),
    change_a_key: ({"new": 5, "out": 4, "changed": 0}, "Rules or code"),
    change_targets_and_verdicts: ({"new": 0, "out": 0, "changed": 0}, ""),
    change_only_code: ({"new": 0, "out": 0, "changed": 0}, ""),
}


@pytest.mark.parametrize("change", KINDS, ids=lambda change: change.__name__)
def test_a_plan_is_what_publication_then_changes(house: House, change: Callable[[House], None]) -> None:
    change(house)
    planned = publish_as_planned(house)
    rows, reason = KINDS[change]
    funnel = planned.marts[FUNNEL]
    assert {"new": funnel.added, "out": funnel.removed, "changed": funnel.changed} == rows
    assert reason in "\n".join(planned.reasons)
    assert planned.is_empty is (change is change_only_code)
    text = plan_text.text(planned)
    for each in (*planned.months, *planned.decisions, *planned.largest):
        assert each.key in text
    if change is change_a_key:
        assert "fct_new is a new mart" in text
        assert "fct_funnel_daily gets the column region (text)" in text


def test_a_change_of_the_key_can_be_rolled_back(house: House) -> None:
    before = run("bi_reader", f"select date_day, channel, spend from bi.{FUNNEL} order by 1, 2")
    change_a_key(house)
    publish_as_planned(house)
    undo.roll_back("anna")
    assert run("bi_reader", f"select date_day, channel, spend from bi.{FUNNEL} order by 1, 2") == before
    undo.resume("anna")
    publish_as_planned(house)


def test_a_plan_after_a_rollback_compares_every_row(house: House) -> None:
    change_an_amount(house)
    publish_as_planned(house)
    undo.roll_back("anna")
    house.is_full = True
    house.build()
    assert preview.preview().marts[FUNNEL].changed == 1
    assert "Roll-back: publication 2 was withdrawn" in "\n".join(preview.preview().reasons)
    undo.resume("anna")


def test_the_ten_largest_movements_of_a_measure_are_shown(house: House) -> None:
    house.rows[FUNNEL] += [(f"2026-05-{day:02}", "search", day, 0, None, None) for day in range(1, 16)]
    house.build()
    largest = [each for each in preview.preview().largest if each.subject == "spend"]
    assert [each.after for each in largest] == list(range(15, 5, -1))
    assert largest[0].key == "2026-05-15 · search"


def test_a_plan_neither_waits_for_readers_nor_lets_them_wait(house: House) -> None:
    house.build()
    with psycopg.connect(ledger.settings.dsn("bi_reader")) as reader:
        reader.execute(f"select * from bi.{FUNNEL}".encode())
        preview.preview()
    with ledger.build_lock(), pytest.raises(errors.PublishError, match="under way"):
        preview.preview()


def test_the_page_is_one_file_for_a_phone(house: House) -> None:
    house.rows[FUNNEL].append(("2026-03-02", "<b>&", 5, 1, None, None))
    house.build()
    path = plan_page.write(preview.preview(), ["a limit"])
    page = path.read_text()
    assert "width=device-width" in page
    assert "&lt;b&gt;&amp;" in page
    assert "<b>" not in page
    assert "a limit" in page
    assert "http" not in page
    assert "src=" not in page


# --- approval ------------------------------------------------------------------------------------------------------


def test_a_large_change_waits_for_a_person(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLISH", "approve")
    change_an_amount(house)
    build_id = house.build()
    for _ in range(2):
        with pytest.raises(errors.ApprovalNeeded, match=r"won amount of 2026-01, older than .* moves by 23\.5%"):
            publication.publish(build_id)
    [(words, waiting)] = run("bi_reader", "select distinct readers_see, waiting_build from bi.data_status")
    assert f"build {build_id} waits for approval because won amount of 2026-01" in words
    assert waiting == build_id
    assert by_month()["won amount", "2026-01"] == 1000
    assert "waits for approval" in undo.resume("ben").next_step
    publication.publish(build_id, published_by="anna")
    assert by_month()["won amount", "2026-01"] == Decimal("1234.56")
    assert run("bi_reader", "select published_by from ops.publications order by publication_id") == [(None,), ("anna",)]


def test_a_small_change_and_a_young_month_publish_by_themselves(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLISH", "approve")
    house.replace(FUNNEL, 0, ("2026-01-05", "search", "100.9", 4, 1000, None))
    house.rows[FUNNEL].append(("2026-05-20", "search", 10_000, 4, 1000, None))
    publication.publish(house.build())
    monkeypatch.setenv("PUBLISH_MONTH_LIMIT", "0.001")
    house.replace(FUNNEL, 0, ("2026-01-05", "search", "101.9", 4, 1000, None))
    with pytest.raises(errors.ApprovalNeeded, match="spend of 2026-01"):
        publication.publish(house.build())


def test_many_rows_that_leave_wait_for_a_person(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.rows[DEALS] += [(f"x{number}", None) for number in range(98)]
    publication.publish(house.build())
    monkeypatch.setenv("PUBLISH", "approve")
    del house.rows[DEALS][-10:]
    with pytest.raises(errors.ApprovalNeeded, match="10 of 100 rows leave fct_opportunities"):
        publication.publish(house.build())
    monkeypatch.setenv("PUBLISH_ROWS_LIMIT", "0.2")
    publication.publish(house.build())


def test_a_hold_comes_before_an_approval(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    change_an_amount(house)
    publication.publish(house.build())
    undo.roll_back("anna", "spend")
    monkeypatch.setenv("PUBLISH", "approve")
    house.is_full = True
    build_id = house.build()
    with pytest.raises(errors.PublicationHeld):
        publication.publish(build_id, published_by="ben")
    resumed = undo.resume("anna")
    assert resumed.published is None
    assert "waits for approval" in resumed.next_step
    publication.publish(build_id, published_by="ben")


@pytest.mark.parametrize(
    ("name", "value"), [("PUBLISH", "ask"), ("PUBLISH_MONTH_LIMIT", "1%"), ("PUBLISH_ROWS_LIMIT", "-0.1")]
)
def test_a_setting_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ledger.settings.ConfigurationError, match=name):
        ledger.settings.read()


def test_rows_changed_is_json_of_the_same_form(house: House) -> None:
    change_an_amount(house)
    build_id = house.build()
    planned = preview.preview()
    publication.publish(build_id)
    [(stored,)] = run("bi_reader", "select rows_changed from ops.publications order by publication_id desc limit 1")
    assert stored == json.loads(json.dumps(planned.rows_changed))
