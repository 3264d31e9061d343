"""`make` commands survive a restart of Airflow, and name what does not answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from funnel import cli, settings, warehouse
from funnel.inbox.filling import FILLED_BY
from funnel.publication import publication, undo
from installation import airflow_api, errors


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "RETRY_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(airflow_api, "PAUSE_SECONDS", 0.0)


def airflow(answers: Iterator[Any]) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        given = next(answers)
        if isinstance(given, Exception):
            raise given
        return given(request) if callable(given) else given

    return httpx.Client(base_url="http://airflow/api/v2", transport=httpx.MockTransport(answer))


def test_an_api_that_answers_500_or_is_restarted_is_asked_again() -> None:
    run = httpx.Response(200, json={"dag_runs": []})
    client = airflow(iter([httpx.Response(500), httpx.ConnectError("refused"), httpx.Response(503), run]))
    assert airflow_api.runs(client, "ingest__files") == []


@pytest.mark.parametrize(
    ("is_up", "told"), [(True, "PostgreSQL answers. Start Airflow"), (False, "PostgreSQL does not answer either")]
)
def test_an_api_that_stays_away_is_a_message_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, is_up: bool, told: str
) -> None:
    class Connection:
        def close(self) -> None: ...

    def connect(role: str) -> Connection:
        if not is_up:
            raise warehouse.WarehouseError("away")
        return Connection()

    monkeypatch.setattr(airflow_api, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(warehouse, "connect", connect)
    with pytest.raises(errors.ServiceError, match="HTTP 500") as raised:
        airflow_api.runs(airflow(iter([httpx.Response(500)] * 100)), "ingest__files")
    assert told in str(raised.value)
    assert "make up" in str(raised.value)


def test_a_run_whose_answer_was_lost_is_not_made_twice() -> None:
    made: list[str] = []

    def lost(request: httpx.Request) -> httpx.Response:
        made.append(httpx.Response(200, content=request.content).json()["dag_run_id"])
        return httpx.Response(500)

    def runs(request: httpx.Request) -> httpx.Response:
        found = {"dag_id": "ingest__files", "dag_run_id": made[0], "state": "queued"}
        return httpx.Response(200, json={"dag_runs": [found]})

    assert airflow_api.trigger(airflow(iter([lost, httpx.Response(409), runs])), "ingest__files", {}) == made[0]


def test_a_task_that_waits_to_be_tried_again_is_reported_with_its_reason() -> None:
    def run(state: str) -> httpx.Response:
        return httpx.Response(200, json={"dag_id": "ingest__files", "dag_run_id": "r", "state": state})

    def instance(state: str) -> httpx.Response:
        task = {"task_id": "take_in.accept", "state": state, "try_number": 1, "duration": 1.0}
        return httpx.Response(200, json={"task_instances": [{**task, "map_index": 3, "rendered_map_index": "acme"}]})

    log = httpx.Response(200, json={"content": [{"error_detail": [{"exc_value": "the server is away\nmore"}]}]})
    answers = [run("running"), instance("up_for_retry"), log, run("running"), instance("up_for_retry")]
    told: list[str] = []
    airflow_api.follow(
        airflow(iter([*answers, run("success"), instance("success")])), "ingest__files", "r", told.append
    )
    assert told == [
        "ingest__files take_in.accept [acme]: failed; Airflow will retry it (try 1): the server is away",
        "ingest__files take_in.accept [acme]: success (1.0 s)",
    ]


def test_a_database_that_goes_away_is_a_message_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object) -> None:
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(undo, "roll_back", gone)
    assert cli.main(["rollback"]) == 1
    assert "make up" in capsys.readouterr().err


def test_messages_name_sections_of_the_runbook() -> None:
    runbook = (settings.REPOSITORY / "docs" / "runbook.md").read_text()
    for section in ("Airflow does not answer", "PostgreSQL stopped answering", "HELD BACK", "Upgrade stopped"):
        assert f"\n## {section}\n" in runbook


def test_a_publication_is_printed_in_one_short_line() -> None:
    changed = {f"mart_{n}": {"shown": n, "withdrawn": 0} for n in range(37)}
    text = str(publication.Publication(4, 5, changed))
    assert text.startswith("publication 4 shows build 5: 666 rows shown and 0 withdrawn in 36 of 37 marts")
    assert len(text) < 160


def test_every_mart_says_what_would_fill_it() -> None:
    folder = Path(settings.REPOSITORY / "dbt_project" / "models" / "marts")
    # A view is filled with its mart.
    marts = {path.stem for path in folder.glob("*.sql") if not path.stem.endswith("_default")}
    assert set(FILLED_BY) - {"fct_payments"} == marts - {"fct_payments"}
