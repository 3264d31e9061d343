"""Publication on a real server: all marts or none, only what changed, and exactly reversible."""

import random
import re
import threading

import psycopg
import pytest

from funnel import ledger
from funnel.publication import errors, publication, undo
from tests.publication.small_marts import MARTS, build, run, shown


def test_first_publication_shows_all_rows(marts: None) -> None:
    rows = {("2026-01-05", "11"): 1, ("2026-01-05", "12"): 2}
    published = publication.publish(build(rows))
    assert shown() == shown("fct_right") == rows
    assert published.rows_changed["fct_left"] == {"shown": 2, "withdrawn": 0}
    assert run("bi_reader", "select mart, publication_id from bi.data_status order by 1") == [
        (mart, published.publication_id) for mart in MARTS
    ]


def test_only_differing_rows_are_replaced_and_kept_in_history(marts: None) -> None:
    first = publication.publish(build({("2026-01-05", "11"): 1, ("2026-01-05", "12"): 2, ("2026-01-06", "11"): 3}))
    second = publication.publish(build({("2026-01-05", "11"): 1, ("2026-01-05", "12"): 20, ("2026-01-07", "11"): 4}))
    assert second.rows_changed["fct_left"] == {"shown": 2, "withdrawn": 2}
    assert run(
        "publisher",
        "select date_day::text, campaign_id, value::int, publication_id, replaced_by "
        "from bi_history.fct_left order by 1, 2",
    ) == [
        ("2026-01-05", "12", 2, first.publication_id, second.publication_id),
        ("2026-01-06", "11", 3, first.publication_id, second.publication_id),
    ]
    assert run(
        "bi_reader", "select publication_id from bi.fct_left where campaign_id = '11' and date_day = '2026-01-05'"
    ) == [(first.publication_id,)]


def test_full_build_publishes_the_same_as_an_incremental_one(marts: None) -> None:
    publication.publish(build({("2026-01-05", "11"): 1, ("2026-01-05", "12"): 2}))
    published = publication.publish(build({("2026-01-05", "11"): 1, ("2026-01-06", "12"): 2}, full=True))
    assert published.rows_changed["fct_left"] == {"shown": 1, "withdrawn": 1}
    assert shown() == {("2026-01-05", "11"): 1, ("2026-01-06", "12"): 2}


def test_change_of_an_unpublished_build_is_published_by_the_next(marts: None) -> None:
    publication.publish(build({("2026-01-05", "11"): 1}))
    build({("2026-01-05", "11"): 1, ("2026-01-06", "11"): 7}, audit=False)
    publication.publish(build({("2026-01-05", "11"): 1, ("2026-01-06", "11"): 7, ("2026-01-07", "11"): 8}))
    assert shown() == {("2026-01-05", "11"): 1, ("2026-01-06", "11"): 7, ("2026-01-07", "11"): 8}


@pytest.mark.parametrize(("audit", "message"), [(False, "failed its audit"), (None, "never audited")])
def test_build_without_a_passed_audit_is_refused(marts: None, audit: bool | None, message: str) -> None:
    rows = {("2026-01-05", "11"): 1}
    publication.publish(build(rows))
    build_id = build({("2026-01-05", "11"): 2}, audit=audit)
    with pytest.raises(errors.PublishError, match=message):
        publication.publish(build_id)
    assert shown() == rows


def test_failed_audit_shows_in_data_status(marts: None) -> None:
    publication.publish(build({("2026-01-05", "11"): 1}))
    assert run("bi_reader", "select distinct last_audit_passed from bi.data_status") == [(True,)]
    build({("2026-01-05", "11"): 2}, audit=False)
    assert run("bi_reader", "select distinct last_audit_passed, failed_checks from bi.data_status") == [
        (False, ["fct_left: expect_it"])
    ]


def test_data_status_says_in_words_how_far_the_data_can_be_trusted(marts: None) -> None:
    publication.publish(build({("2026-01-05", "11"): 1}))
    [(words,)] = run("bi_reader", "select distinct in_words from bi.data_status")
    # as_of is the midnight after the last complete day.
    assert re.fullmatch(
        r"Complete through 5 Jan 2026; published \d+ \w{3} \d{4}, \d\d:\d\d; all critical checks passed", words
    )
    build({("2026-01-05", "11"): 2}, audit=False)
    [(words,)] = run("bi_reader", "select distinct in_words from bi.data_status")
    assert words.endswith(
        "; critical checks of the newest build failed: 1, so that readers see the publication before it"
    )


def test_publishing_twice_is_a_no_op(marts: None) -> None:
    build_id = build({("2026-01-05", "11"): 1})
    assert publication.publish(build_id) == publication.publish(build_id)
    assert run("bi_reader", "select count(*) from ops.publications") == [(1,)]


def test_new_and_dropped_columns_follow_the_mart(marts: None) -> None:
    publication.publish(build({("2026-01-05", "11"): 1}))
    for mart in MARTS:
        run("builder", f"alter table marts.{mart} add column region text; alter table marts.{mart} drop column note")
    publication.publish(build({("2026-01-05", "11"): 1, ("2026-01-05", "12"): 1}, full=True))
    columns = run(
        "bi_reader",
        "select column_name from information_schema.columns where table_schema = 'bi' and table_name = 'fct_left'",
    )
    assert {column for (column,) in columns} == {"date_day", "campaign_id", "value", "publication_id", "region"}


def test_reader_never_sees_a_mixture(marts: None) -> None:
    """A reader compares both marts while fifteen publications and roll-backs pass."""
    chance = random.Random(5)
    publication.publish(build({("2026-01-05", str(n)): 0 for n in range(20)}))
    stop, mixtures, looks = threading.Event(), [], []

    def read() -> None:
        with psycopg.connect(ledger.settings.dsn("bi_reader"), autocommit=True) as connection:
            while not stop.is_set():
                looks.append(1)
                mixtures.extend(
                    connection.execute(
                        """
                        select 1 from bi.fct_left as one full join bi.fct_right as other using (date_day, campaign_id)
                        where one.value is distinct from other.value
                        """
                    ).fetchall()
                )

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(1, 16):
            publication.publish(
                build({("2026-01-05", str(n)): turn for n in range(20) if chance.random() < 0.8}, full=turn % 5 == 0)
            )
            if turn % 4 == 0:
                undo.roll_back("anna")
                undo.resume("anna")
    finally:
        stop.set()
        reader.join()
    assert len(looks) > 15
    assert mixtures == []


@pytest.mark.parametrize(
    "statement",
    [
        "select * from marts.fct_left",
        "select * from raw.quarantine",
        "select * from bi_history.fct_left",
        "select * from public.schema_migrations",
        "insert into bi.fct_left (date_day, campaign_id, publication_id) values ('2026-01-01', 'x', 1)",
        "delete from ops.publications",
        "create table bi.mine (x int)",
        "create table public.mine (x int)",
        "create temporary table mine (x int)",
        "set role publisher",
        "select * from pg_authid",
    ],
)
def test_bi_reader_is_refused_beyond_bi_and_ops(marts: None, statement: str) -> None:
    publication.publish(build({("2026-01-05", "11"): 1}))
    run("bi_reader", "select * from bi.fct_left, ops.publications")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run("bi_reader", statement)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("loader", "select * from marts.fct_left"),
        ("loader", "create table bi.mine (x int)"),
        ("builder", "delete from raw.quarantine"),
        ("builder", "delete from bi.fct_left"),
        ("publisher", "delete from marts.fct_left"),
        ("publisher", "select * from raw.quarantine"),
    ],
)
def test_each_role_writes_its_own_layer_only(marts: None, role: str, statement: str) -> None:
    publication.publish(build({("2026-01-05", "11"): 1}))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(role, statement)
