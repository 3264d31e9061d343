"""A roll-back returns the exact rows and stays: nothing is published until it is released."""

import threading
import time

import psycopg
import pytest

from funnel import ledger
from funnel.erasure import retention
from funnel.publication import errors, holds, preview, publication, undo
from tests.publication.small_marts import build, run, shown

DAY = "2026-01-05"
# Keys with different values in the two marts.
MIXTURES = """
select 1 from bi.fct_left as one full join bi.fct_right as other using (date_day, campaign_id)
where one.value is distinct from other.value
"""


def publish(value: int, **options: bool) -> publication.Publication:
    return publication.publish(build({(DAY, "11"): value}, **options))


def status(*columns: str) -> tuple[object, ...]:
    [row] = run("bi_reader", f"select distinct {', '.join(columns)} from bi.data_status")
    return row


def test_rollback_restores_the_exact_rows(marts: None) -> None:
    publication.publish(build({(DAY, "11"): 1, (DAY, "12"): 2, ("2026-01-06", "11"): 3}))
    before = run("bi_reader", "select * from bi.fct_left order by 1, 2")
    publication.publish(build({(DAY, "11"): 9, (DAY, "13"): 2}))
    done = undo.roll_back("anna", "the spend is wrong")
    assert run("bi_reader", "select * from bi.fct_left order by 1, 2") == before
    assert done.rows_changed["fct_left"] == {"shown": 3, "withdrawn": 2}
    with pytest.raises(errors.PublishError, match="no earlier publication"):
        undo.roll_back("anna")


def test_a_rollback_ends_where_history_was_removed_and_publication_goes_on(
    marts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (1, 2, 3):
        publish(value)
    run(
        "admin",
        "update ops.publications set published_at = published_at - interval '500 days' where publication_id < 3",
    )
    monkeypatch.setenv("RETENTION_HISTORY_DAYS", "400")
    assert retention.enforce()["history"].rows == 2
    assert run("admin", "select publication_id, previous_id from ops.publications order by 1") == [
        *((1, None), (2, None), (3, 2))
    ]
    assert undo.roll_back("anna", "the spend is wrong").rows_changed["fct_left"] == {"shown": 1, "withdrawn": 1}
    assert shown() == {(DAY, "11"): 2}
    with pytest.raises(errors.PublishError, match="no earlier publication"):
        undo.roll_back("anna")
    waiting = build({(DAY, "11"): 4})
    # What it would change is compared with what is shown, not with history.
    assert preview.preview(waiting)
    resumed = undo.resume("ben")
    assert resumed.published
    assert shown() == {(DAY, "11"): 4}
    assert run("admin", "select previous_id from ops.publications order by publication_id desc limit 1") == [(2,)]
    undo.roll_back("anna")
    assert shown() == {(DAY, "11"): 2}


@pytest.mark.parametrize("full", [False, True])
def test_nothing_is_published_until_it_is_released(marts: None, full: bool) -> None:
    publish(1)
    publish(2)
    undo.roll_back("anna", "the spend is wrong")
    waiting = build({(DAY, "11"): 3}, full=full)
    for _ in range(2):
        with pytest.raises(errors.PublicationHeld, match=r"held by anna since .* because: the spend is wrong"):
            publication.publish(waiting)
    assert shown() == {(DAY, "11"): 1}
    ledger.migrate()
    with pytest.raises(errors.PublicationHeld):
        publication.publish(waiting, published_by="ben")

    resumed = undo.resume("ben")
    assert resumed.published
    assert resumed.published.build_id == waiting
    assert shown() == {(DAY, "11"): 3}
    assert "Publication is released; it was held by anna" in str(resumed)
    assert run("bi_reader", "select released_by from ops.holds") == [("ben",)]


def test_a_build_that_ran_during_the_rollback_is_published_when_released(marts: None) -> None:
    """It compared with the publication that was rolled back, so its change list does not name every row."""
    publication.publish(build({(DAY, "11"): 1, (DAY, "12"): 1}))
    publication.publish(build({(DAY, "11"): 2, (DAY, "12"): 2}))
    run("builder", "truncate marts_changes.fct_left, marts_changes.fct_right")
    running = build({(DAY, "11"): 2, (DAY, "12"): 3})
    undo.roll_back("anna")
    with pytest.raises(errors.PublicationHeld):
        publication.publish(running)
    undo.resume("anna")
    assert shown() == shown("fct_right") == {(DAY, "11"): 2, (DAY, "12"): 3}


def test_a_rollback_does_not_wait_for_a_running_build(marts: None) -> None:
    publish(1)
    publish(2)
    with ledger.build_lock():
        undo.roll_back("anna")
        assert shown() == {(DAY, "11"): 1}


def test_repeated_rollbacks_go_further_back_and_one_release_ends_all(marts: None) -> None:
    for value in (1, 2, 3):
        publish(value)
    undo.roll_back("anna", "spend")
    undo.roll_back("ben", "leads")
    assert shown() == {(DAY, "11"): 1}
    assert status("held_by", "held_reason", "publication_id") == ("anna, ben", "spend; leads", 1)
    first, second = undo.resume("carl"), undo.resume("carl")
    assert first.hold
    assert second.hold is None
    assert "was not held" in str(second)
    assert first.published is None
    assert "the next one is published" in str(first)
    publish(4, full=True)
    assert shown() == {(DAY, "11"): 4}


def test_a_request_that_is_repeated_rolls_back_once(marts: None) -> None:
    """Airflow retries a task whose worker was lost after the commit."""
    for value in (1, 2, 3):
        publish(value)
    undo.roll_back("anna", "spend", requested_as="manual__1")
    again = undo.roll_back("anna", "spend", requested_as="manual__1")
    assert shown() == {(DAY, "11"): 2}
    assert again.withdrawn_id == 3
    assert "had done it already" in str(again)


def test_a_rollback_that_is_killed_changes_nothing(marts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(1)
    publish(2)
    monkeypatch.setattr(holds, "place", lambda *_: (_ for _ in ()).throw(psycopg.OperationalError("killed")))
    with pytest.raises(psycopg.OperationalError):
        undo.roll_back("anna")
    assert shown() == {(DAY, "11"): 2}
    assert run("bi_reader", "select * from ops.hold_in_effect") == []


def test_a_release_that_is_killed_before_it_publishes_is_repeated(marts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(1)
    publish(2)
    undo.roll_back("anna")
    build({(DAY, "11"): 3})
    with monkeypatch.context() as patch:
        patch.setattr(publication, "publish", lambda *_: (_ for _ in ()).throw(psycopg.OperationalError("killed")))
        with pytest.raises(psycopg.OperationalError):
            undo.resume("anna")
    assert shown() == {(DAY, "11"): 1}
    undo.resume("anna")
    assert shown() == {(DAY, "11"): 3}


def test_a_build_of_before_the_rollback_makes_the_next_one_full(marts: None) -> None:
    """What it reported about earlier publications includes the one that was rolled back."""
    publish(1)
    publish(2)
    running = build({(DAY, "11"): 3})
    undo.roll_back("anna")
    undo.resume("anna")
    assert run("bi_reader", f"select status from ops.builds where build_id = {running}") == [("published",)]
    assert _needs_full_build()
    publish(4, full=True)
    assert not _needs_full_build()


def _needs_full_build() -> bool:
    with psycopg.connect(ledger.settings.dsn("builder")) as connection:
        published = ledger.publication_in_effect(connection)
        assert published
        return ledger._needs_full_build(connection, published, "x", [])


def test_data_status_says_in_words_what_readers_see(marts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(1)
    publish(2)
    assert status("held_since", "held_by", "held_reason", "waiting_build") == (None, None, None, None)
    (words,) = status("readers_see")
    assert str(words).startswith("readers see publication 2 of ")
    assert ";" not in str(words)
    done = undo.roll_back("anna", "  the spend\n is wrong ")
    waiting = build({(DAY, "11"): 3})
    assert status("waiting_build") == (waiting,)
    (words,) = status("readers_see")
    assert done.hold
    since = holds.local(done.hold.since)
    assert str(words).startswith("readers see publication 1 of ")
    assert str(words).endswith(
        f"; held by anna since {since} because: the spend is wrong; build {waiting} is audited and waits"
    )


def test_a_rollback_without_a_reason_says_so(marts: None) -> None:
    publish(1)
    publish(2)
    assert "because: no reason given" in str(undo.roll_back("anna", " "))


def test_the_reminder_is_due_once_a_day(marts: None) -> None:
    publish(1)
    publish(2)
    assert not holds.is_reminder_due()
    undo.roll_back("anna")
    assert [holds.is_reminder_due() for _ in range(3)] == [True, False, False]
    run("publisher", "update ops.holds set reminded_at = reminded_at - interval '21 hours'")
    assert holds.is_reminder_due()


def test_publications_and_rollbacks_at_once_leave_whole_publications(marts: None) -> None:
    """Of a roll-back and a publication at the same time one comes first; both marts agree after either."""
    publish(0)
    stop = threading.Event()

    def roll_back() -> None:
        while not stop.is_set():
            try:
                undo.roll_back("anna")
            except errors.PublishError:
                time.sleep(0.01)
            undo.resume("anna")

    other = threading.Thread(target=roll_back)
    other.start()
    try:
        for value in range(1, 8):
            try:
                publish(value, full=True)
            except errors.PublicationHeld:
                undo.resume("ben")
            assert run("bi_reader", MIXTURES) == []
    finally:
        stop.set()
        other.join()
    assert run("bi_reader", MIXTURES) == []
