"""The suites of marts: what they accept and what they stop."""

import re
from typing import Any

import psycopg
import pytest

from funnel.gate import deliveries, errors, marts, runner, session, suites
from funnel.gate.report import TOLD, Check, CheckReport, require
from funnel.gate.scope import of_build
from funnel.warehouse import connect
from tests.gate.conftest import MODELS, Deliver, Laid, Row, add_build, clean_rows, insert, lay, lay_built

MARTS = [name.removeprefix("marts/") for name in suites.mart_suites()]
POISONED = [(mart, description) for mart in MARTS for description in suites.suite(f"marts/{mart}").POISON]


def stated(name: str) -> list[str]:
    """Descriptions of all expectations of a suite."""
    module = suites.suite(name)
    return [each.description for kind in (module.CRITICAL, module.WARNING) for some in kind.values() for each in some]


def batches_of(mart: str, connection: psycopg.Connection[Any]) -> list[suites.Batch]:
    """The batches of one mart's suite."""
    scope = of_build(connection, 1)
    return [batch for batch in marts.batches(connection, scope) if batch.suite == f"marts/{mart}"]


def judge(mart: str) -> list[Check]:
    """The checks of one mart's suite."""
    with connect("builder") as connection:
        batches = batches_of(mart, connection)
    with runner.data_source("builder") as warehouse:
        return [check for batch in batches for check in runner.evaluate(warehouse, batch)]


def failed_beside(laid: Laid, mart: str, description: str) -> list[Check]:
    """What fails of the batches that state an expectation, with its poison among passing rows."""
    connection, data = laid
    with connection.transaction(force_rollback=True):
        for table, rows in poison(mart, description).items():
            connection.execute(f"delete from {table}".encode())
            insert(connection, {table: rows})
        connection.execute("set local role builder")
        stating = [
            batch
            for batch in batches_of(mart, connection)
            if description in {each.description for _, each in batch.expectations}
        ]
        with session.joined(data, connection) as joined:
            return [check for batch in stating for check in runner.evaluate(joined, batch) if not check.passed]


def poison(mart: str, description: str) -> dict[str, list[Row]]:
    """The tables that a poison changes, with their rows: those of the poison replacing the passing ones."""
    rows = clean_rows()
    changed = suites.suite(f"marts/{mart}").POISON[description]
    by_table = changed if isinstance(changed, dict) else {f"marts.{mart}": changed}
    return {table: [{**rows[table][0], **change} for change in changes] for table, changes in by_table.items()}


def poisoned(mart: str, description: str) -> dict[str, list[Row]]:
    """All rows, with those of a poison."""
    return clean_rows() | poison(mart, description)


def test_every_mart_has_a_suite_and_every_suite_a_mart() -> None:
    """A view of a mart, which leaves out what may not be added, has its rows checked there."""
    assert sorted(path.stem for path in MODELS.glob("*.sql") if not path.stem.endswith("_default")) == sorted(MARTS)


@pytest.mark.parametrize("mart", MARTS)
def test_every_expectation_of_a_mart_has_poison_and_a_name_of_its_own(mart: str) -> None:
    names = stated(f"marts/{mart}")
    assert len(names) == len(set(names))
    assert sorted(suites.suite(f"marts/{mart}").POISON) == sorted(names)


def test_marts_of_good_rows_pass(warehouse: str) -> None:
    lay_built(clean_rows())
    report = marts.check_marts(1)
    assert [check.text for check in report.results if not check.passed] == []
    assert len(report.results) == len(stated("inputs")) + sum(len(stated(f"marts/{mart}")) for mart in MARTS)


@pytest.mark.parametrize(("mart", "description"), POISONED)
def test_poison_trips_its_expectation(laid: Laid, mart: str, description: str) -> None:
    failed = failed_beside(laid, mart, description)
    tripped = next(check for check in failed if check.expectation == description)
    assert "raised" not in tripped.observed
    assert [check.expectation for check in failed if check.severity == tripped.severity] == [description]


# What is looked at, and what is not --------------------------------------------------------------------------------


def publish_everything() -> None:
    """Pretend that build 1 was published: from now on a build is checked by its change lists."""
    with connect("publisher") as connection:
        connection.execute(
            """
            insert into ops.publications (build_id, as_of, through_load_id, marts, rows_changed, audited_at)
            values (1, '2026-01-06 00:00+00', 1, '{}', '{}', now())
            """
        )


def test_bad_rows_that_did_not_change_are_not_read_again(warehouse: str) -> None:
    lay_built(poisoned("fct_leads", "every lead has a region"))
    publish_everything()
    build_id = add_build(is_full=False, since=1)
    report = marts.check_marts(build_id)
    assert report.passed
    # Sums over unchanged rows are cheap and always computed; unchanged rows of marts are not checked.
    assert "every lead has a region" not in {check.expectation for check in report.results}


def test_a_bad_row_beside_one_that_changed_is_not_read_again(warehouse: str) -> None:
    bad, good = {"lead_key": "l1", "region": None}, {"lead_key": "l2", "person_key": "p2"}
    passing = suites.suite("marts/fct_leads").PASSING[0]
    lay_built(clean_rows() | {"marts.fct_leads": [passing | bad, passing | good]})
    publish_everything()
    build_id = add_build(is_full=False, since=1)
    lay("marts_changes.fct_leads", [{"lead_key": "l2", "person_key": "p2"}])
    checks = {check.expectation: check for check in marts.check_marts(build_id).results}
    assert checks["every lead has a region"].passed


def test_bad_rows_that_changed_are_caught(warehouse: str) -> None:
    lay_built(poisoned("fct_leads", "every lead has a region"))
    publish_everything()
    build_id = add_build(is_full=False, since=1)
    lay("marts_changes.fct_leads", [{"lead_key": "l1", "person_key": "p1", "created_date": "2026-01-05"}])
    report = marts.check_marts(build_id)
    assert [(check.table, check.expectation, check.unexpected_count) for check in report.failures] == [
        ("marts.fct_leads", "every lead has a region", 1)
    ]


def test_spend_of_days_loaded_before_is_not_added_up_again(warehouse: str) -> None:
    lay_built(poisoned("fct_ad_stats_daily", "spend landed = spend shown"))
    publish_everything()
    assert marts.check_marts(add_build(is_full=False, since=1, through=2)).passed
    with connect("loader") as connection:
        connection.execute("update ops.loaded_days set load_id = 2")
    report = marts.check_marts(add_build(is_full=False, since=1, through=2))
    assert [check.expectation for check in report.failures] == ["spend landed = spend shown"]
    with connect("loader") as connection:
        connection.execute("update ops.loaded_days set load_id = 3")
    assert marts.check_marts(add_build(is_full=False, since=1, through=2)).passed, "a later load is a later build's"


# Messages ---------------------------------------------------------------------------------------------------------


def test_every_result_is_written_to_the_ledger(warehouse: str) -> None:
    lay_built(poisoned("fct_opportunities", "the probability lies between 0 and 1"))
    report = marts.check_marts(1)
    with connect("pipeline") as connection:
        connection.execute("set role builder")
        stored = connection.execute("select count(*) from ops.checks where build_id = 1").fetchone()[0]
        row = connection.execute(
            """
            select suite, table_name, column_name, severity, observed ->> 'rows', unexpected_count, sample_keys
            from ops.checks where not passed and severity = 'critical'
            """
        ).fetchall()
    assert stored == len(report.results)
    (sample,) = report.failures[0].sample_keys
    assert row == [("marts/fct_opportunities", "marts.fct_opportunities", "probability", "critical", "1", 1, [sample])]
    assert re.fullmatch("[0-9a-f]{32}", sample)


def test_the_gate_says_which_expectation_how_many_rows_which_keys_and_what_to_do(warehouse: str) -> None:
    lay_built(poisoned("fct_opportunities", "the probability lies between 0 and 1"))
    report = marts.check_marts(1)
    with pytest.raises(errors.GateClosed) as closed:
        require(report)
    text = str(closed.value)
    assert "CRITICAL marts.fct_opportunities.probability: the probability lies between 0 and 1" in text
    assert f"1 of 1 rows · hashed keys {report.failures[0].sample_keys[0]}" in text
    assert "look at: SELECT opportunity_key, probability FROM marts.fct_opportunities WHERE" in text
    assert "What to do: readers keep the last publication." in text


def test_the_query_that_shows_bad_rows_shows_them(warehouse: str) -> None:
    rows = poisoned("fct_opportunities", "a won opportunity has a closing time")
    still_open = {"opportunity_key": "o2", "is_won": False, "is_open": True}
    rows["marts.fct_opportunities"].append(rows["marts.fct_opportunities"][0] | still_open)
    lay_built(rows)
    failure = next(check for check in judge("fct_opportunities") if check.column == "closed_at, is_won")
    with connect("builder") as connection:
        assert connection.execute(failure.rows_query).fetchall() == [("o1", None)]


def test_the_query_that_shows_bad_rows_can_be_run_with_days_too(warehouse: str) -> None:
    lay_built(poisoned("fct_leads", "no lead comes from the future"))
    (warning,) = marts.check_marts(1).warnings
    with connect("builder") as connection:
        assert connection.execute(warning.rows_query).fetchone()[0] == "l1"


def test_a_passed_gate_lets_the_build_go_on(warehouse: str) -> None:
    lay_built(clean_rows())
    require(marts.check_marts(1))


def test_no_value_of_a_row_leaves_the_gate(warehouse: str) -> None:
    rows = poisoned("dim_campaigns", "no text holds an e-mail address")
    lay_built(rows)
    report = marts.check_marts(1)
    assert not report.passed
    with connect("builder") as connection:
        stored = connection.execute("select string_agg(checks::text, ' ') from ops.checks as checks").fetchone()[0]
    assert "ana.silva" not in report.text() + stored


def test_an_expectation_that_cannot_be_evaluated_has_failed(warehouse: str) -> None:
    import great_expectations.expectations as gxe

    lay_built(clean_rows())
    batch = suites.Batch(
        suite="marts/dim_channels",
        table="marts.dim_channels",
        key=("channel",),
        query="select channel from marts.dim_channels",
        columns=frozenset({"channel"}),
        critical=[
            gxe.ExpectColumnValuesToNotBeNull(column="channel", description="good"),
            gxe.ExpectColumnValuesToNotBeNull(column="chanel", description="misspelt column"),
        ],
    )
    with runner.data_source("builder") as gate:
        good, bad = runner.evaluate(gate, batch)
    assert (good.passed, bad.passed) == (True, False)
    assert "chanel" in bad.observed["raised"]
    assert "could not be evaluated" in bad.text


def test_a_report_on_very_many_failures_stays_short() -> None:
    failures = tuple(Check("marts/x", "marts.x", None, f"expectation {n}", "critical", False) for n in range(40))
    text = CheckReport("Marts of build 1", "What to do: repair.", failures).text()
    assert "40 of 40 critical expectations failed" in text
    assert text.count("CRITICAL") == TOLD
    assert "… and 28 more in ops.checks." in text
    assert text.endswith("What to do: repair.")


def test_an_address_in_a_database_error_is_not_repeated() -> None:
    assert runner._shortened('invalid input: "ana@example.com"\nDETAIL: more') == "invalid input: (address)"


def test_a_mart_that_is_missing_fails_its_whole_suite(warehouse: str) -> None:
    lay_built(clean_rows())
    with connect("builder", autocommit=True) as connection:
        connection.execute("alter table marts.dim_people set schema seeds")
        try:
            checks = judge("dim_people")
        finally:
            connection.execute("alter table seeds.dim_people set schema marts")
    assert len(checks) == len(stated("marts/dim_people"))
    assert not any(check.passed for check in checks)
    assert all("does not exist" in check.observed["raised"] for check in checks)


def test_a_mart_without_a_suite_is_refused(warehouse: str) -> None:
    lay_built(clean_rows())
    with connect("builder") as connection:
        connection.execute("create table marts.rpt_surprise (date_day date primary key)")
        try:
            scope = of_build(connection, 1)
            with pytest.raises(errors.SuiteError, match="rpt_surprise"):
                list(marts.batches(connection, scope))
        finally:
            connection.rollback()


def test_marts_built_on_a_delivery_that_failed_its_gate_are_not_published(warehouse: str, deliver: Deliver) -> None:
    bad = suites.suite("raw/google_ads").PASSING["campaign_stats"] | {"clicks": -1}
    deliver("google_ads", {"campaign_stats": [bad]})
    assert not deliveries.check_raw("google_ads", "run").passed
    lay_built({table: rows for table, rows in clean_rows().items() if not table.startswith("raw.google_ads")})
    report = marts.check_marts(1)
    assert [check.expectation for check in report.failures] == ["no delivery in this build failed its own gate"]
