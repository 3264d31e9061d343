"""The log of a failed task ends with the sentence that matters, and says when the next try comes."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest

from funnel.build.errors import BuildFailed
from funnel.orchestration import failures, task_logs
from funnel.reporting.sentences import sentence_of
from funnel.rest.errors import Unavailable


def logged(error: Exception) -> dict[str, Any]:
    """What Airflow's `log.exception` writes for an error."""
    try:
        raise error
    except Exception:
        return dict(task_logs.leave_out_traceback(None, "", {"event": "Task failed", "exc_info": True}))


def test_our_own_error_is_written_without_a_traceback() -> None:
    assert logged(BuildFailed("Test x failed on 3 rows.")) == {
        "event": "Test x failed on 3 rows.",
        "error_class": "BuildFailed",
    }


def test_a_bug_keeps_its_traceback() -> None:
    assert logged(ZeroDivisionError("division")) == {"event": "Task failed", "exc_info": True}


def test_it_is_installed_once_in_the_list_that_airflows_loggers_share() -> None:
    import structlog

    for _ in range(2):
        task_logs.install()
    names = [getattr(each, "__name__", "") for each in structlog.get_config()["processors"]]
    assert names.count("leave_out_traceback") == 1


@pytest.mark.parametrize(("try_number", "seconds"), [(1, 120), (2, 240), (3, 480), (9, 3600), (1000, 3600)])
def test_the_next_try_is_named(try_number: int, seconds: int) -> None:
    task = SimpleNamespace(
        retry_delay=timedelta(minutes=2), retry_exponential_backoff=2.0, max_retry_delay=timedelta(hours=1)
    )
    context: Any = {"task": task}
    decision = failures.FailureRetryPolicy().evaluate(OSError("disk"), try_number, 2000, context)
    assert decision.retry_delay == timedelta(seconds=seconds)
    assert decision.reason is not None
    assert decision.reason.startswith("Next try at 20")
    assert f"in {seconds:,} s" in decision.reason
    # After the last try there is no next one.
    assert failures.FailureRetryPolicy().evaluate(OSError("disk"), 5, 4, context).retry_delay is None


def test_a_vendors_waiting_time_overrides_the_dags() -> None:
    context: Any = {"task": SimpleNamespace(retry_delay=timedelta(minutes=2))}
    decision = failures.FailureRetryPolicy().evaluate(Unavailable("503", wait_seconds=90.0), 1, 4, context)
    assert decision.retry_delay == timedelta(seconds=90)


def test_a_command_says_when_a_waiting_task_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from installation import airflow_api

    at = f"{datetime(2026, 11, 30, 9, 12, tzinfo=UTC):%Y-%m-%d %H:%M:%S}"
    events = [
        {"event": "HTTP 503 from the vendor", "level": "error", "error_class": "Unavailable"},
        {"event": "Retry policy decision", "level": "info", "reason": f"Next try at {at} UTC, in 120 s."},
        {"event": "This try failed, and another one follows: HTTP 503 from the vendor", "level": "error"},
    ]
    monkeypatch.setattr(airflow_api, "_get", lambda *_: {"content": events})
    task = airflow_api.Task("extract", "up_for_retry", 1, 2.0)
    run = airflow_api.Run("ingest__ga4", "r1", "running", None)
    news = airflow_api._news(None, run, task)  # type: ignore[arg-type]
    assert news == f"failed; Airflow will retry it (try 1): Next try at {at} UTC, in 120 s. HTTP 503 from the vendor"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (psycopg.OperationalError("server closed the connection"), "PostgreSQL stopped answering"),
        (psycopg.errors.DiskFull("no space"), "disk of PostgreSQL is full"),
        (
            httpx.HTTPStatusError(
                "500", request=httpx.Request("GET", "http://u:p@x/a?token=t"), response=httpx.Response(500)
            ),
            "The service at http://x/a answered HTTP 500.",
        ),
        (httpx.ConnectError("Connection refused"), "`make up` starts what has stopped"),
        (OSError(28, "No space left on device", "/x/y"), "The disk is full: /x/y."),
    ],
)
def test_a_service_that_is_down_is_one_sentence(error: Exception, told: str) -> None:
    sentence = sentence_of(error)
    assert sentence is not None
    assert told in sentence
    assert "Traceback" not in sentence


def test_a_bug_has_no_sentence() -> None:
    assert sentence_of(KeyError("x")) is None
