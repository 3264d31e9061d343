"""What readers see of a mart besides its rows: descriptions, not null, no internal columns, and its views."""

from typing import Any

import psycopg
import pytest

from funnel.publication import publication, undo
from tests.publication.small_marts import build, run, shown

DAY = ("2026-01-05", "11")
DESCRIPTIONS = """
    select attribute.attname, col_description(attribute.attrelid, attribute.attnum)
    from pg_attribute as attribute
    where attribute.attrelid = 'bi.fct_left'::regclass and attribute.attnum > 0 and not attribute.attisdropped
"""


def columns(table: str = "fct_left") -> dict[str, bool]:
    """The columns of a table or view of bi, and whether each is `not null`."""
    return dict(
        run(
            "bi_reader",
            "select attname, attnotnull from pg_attribute "
            f"where attrelid = 'bi.{table}'::regclass and attnum > 0 and not attisdropped",
        )
    )


def descriptions_written() -> list[tuple[Any, ...]]:
    """Where each description of bi is stored: another place means that it was written again."""
    return run("admin", "select objoid, objsubid, xmin from pg_description where classoid = 'pg_class'::regclass")


def test_tables_that_were_published_without_descriptions_get_them(marts: None) -> None:
    publication.publish(build({DAY: 1}))
    assert {text for name, text in run("bi_reader", DESCRIPTIONS) if name != "publication_id"} == {None}
    run("builder", "comment on table marts.fct_left is 'Left.'; comment on column marts.fct_left.value is 'A value.'")
    publication.publish(build({DAY: 2}))
    assert run("bi_reader", "select obj_description('bi.fct_left'::regclass)") == [("Left.",)]
    described = dict(run("bi_reader", DESCRIPTIONS))
    assert described["value"] == "A value."
    assert described["publication_id"].startswith("Internal: ")


def test_only_descriptions_that_differ_are_written(marts: None) -> None:
    run("builder", "comment on column marts.fct_left.value is 'A value.'")
    publication.publish(build({DAY: 1}))
    before = descriptions_written()
    publication.publish(build({DAY: 2}))
    assert descriptions_written() == before
    run("builder", "comment on column marts.fct_left.value is 'It''s 100 %.'")
    publication.publish(build({DAY: 3}))
    assert dict(run("bi_reader", DESCRIPTIONS))["value"] == "It's 100 %."
    assert len(set(descriptions_written()) - set(before)) == 2, "that of marts and that of bi"


def test_a_failed_publication_leaves_descriptions_as_they_were(marts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    publication.publish(build({DAY: 1}))
    run("builder", "comment on column marts.fct_left.value is 'A value.'")
    monkeypatch.setattr(publication.ledger, "close_build", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        publication.publish(build({DAY: 2}))
    assert dict(run("bi_reader", DESCRIPTIONS))["value"] is None


def test_what_the_contract_forbids_to_be_null_is_not_null_for_readers(marts: None) -> None:
    publication.publish(build({DAY: 1}))
    assert not columns()["value"]
    run("builder", "alter table marts.fct_left alter column value set not null")
    publication.publish(build({DAY: 2}))
    assert columns()["value"]
    run(
        "builder", "alter table marts.fct_left alter column value drop not null; update marts.fct_left set value = null"
    )
    publication.publish(build({DAY: 3}, full=True))
    assert not columns()["value"]


def test_a_rollback_brings_back_rows_that_the_contract_of_today_forbids(marts: None) -> None:
    first = build({DAY: 1})
    run("builder", "update marts.fct_left set value = null")
    publication.publish(first)
    run("builder", "update marts.fct_left set value = 2; alter table marts.fct_left alter column value set not null")
    second = build({DAY: 3}, full=True)
    publication.publish(second)
    assert columns()["value"]
    undo.roll_back("ann")
    assert run("bi_reader", "select value from bi.fct_left") == [(None,)]
    undo.resume("ann")
    publication.publish(build({DAY: 4}, full=True))
    assert (columns()["value"], shown()) == (True, {DAY: 4})


@pytest.mark.parametrize("published_before", [False, True])
def test_internal_columns_are_not_shown(marts: None, published_before: bool) -> None:
    if published_before:
        run("builder", "alter table marts.fct_left add column build_key text")
        publication.publish(build({DAY: 1}))
        assert "build_key" in columns()
        run("builder", "alter table marts.fct_left rename column build_key to _build_key")
    else:
        run("builder", "alter table marts.fct_left add column _build_key text")
    publication.publish(build({DAY: 2}, full=True))
    assert list(columns()) == ["date_day", "campaign_id", "value", "note", "publication_id"]
    undo_to = build({DAY: 3}, full=True)
    publication.publish(undo_to)
    undo.roll_back("ann")
    assert shown() == {DAY: 2}


def test_every_column_of_the_ledger_and_of_data_status_is_described(warehouse: str) -> None:
    found = run(
        "bi_reader",
        """
        select class.oid::regclass::text, attribute.attname
        from pg_class as class
        inner join pg_attribute as attribute on attribute.attrelid = class.oid
        where
            class.relnamespace in ('ops'::regnamespace, 'bi'::regnamespace) and class.relkind in ('r', 'v', 'm')
            and attribute.attnum > 0 and not attribute.attisdropped
            and (
                col_description(class.oid, attribute.attnum) is null
                or obj_description(class.oid, 'pg_class') is null
            )
        """,
    )
    assert found == [], "a migration that makes a table or column describes it"


VIEW = "create view marts.fct_left_default as select value, note, date_day from marts.fct_left where campaign_id = '11'"


def test_a_view_of_the_marts_is_shown_over_the_published_rows(marts: None) -> None:
    run("builder", VIEW + "; comment on column marts.fct_left_default.value is 'One value.'")
    publication.publish(build({DAY: 1, ("2026-01-05", "22"): 5}))
    assert run("bi_reader", "select value from bi.fct_left_default") == [(1,)]
    run("builder", "update marts.fct_left set value = 9")
    assert run("bi_reader", "select value from bi.fct_left_default") == [(1,)], "it does not read marts"
    (described,) = run("bi_reader", "select col_description('bi.fct_left_default'::regclass, 1)")
    assert described == ("One value.",)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run("loader", "select * from bi.fct_left_default")


def test_a_view_follows_its_statement_and_its_table(marts: None) -> None:
    run("builder", VIEW)
    publication.publish(build({DAY: 1}))
    (before,) = run("bi_reader", "select 'bi.fct_left_default'::regclass::oid")
    publication.publish(build({DAY: 2}))
    assert run("bi_reader", "select 'bi.fct_left_default'::regclass::oid") == [before], "nothing changed"
    run("builder", "drop view marts.fct_left_default; alter table marts.fct_left alter column value type bigint")
    run("builder", VIEW.replace("value, note", "value"))
    publication.publish(build({DAY: 3}, full=True))
    assert list(columns("fct_left_default")) == ["value", "date_day"]
    assert run("bi_reader", "select value from bi.fct_left_default") == [(3,)]
    run("builder", "drop view marts.fct_left_default")
    publication.publish(build({DAY: 4}, full=True))
    assert run("bi_reader", "select to_regclass('bi.fct_left_default'), to_regclass('bi.data_status')") == [
        (None, "bi.data_status")
    ]
