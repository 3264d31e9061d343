"""The reaction to a failure by its class (retry, wait, fail), and the alert for a task that has finally failed."""

import logging
from datetime import timedelta

from airflow.sdk import (
    Context,
    RetryDecision,
    RetryPolicy,
)

from funnel import settings
from funnel.errors import Failure, is_ours
from funnel.orchestration import task_logs
from funnel.reporting.sentences import sentence_of
from funnel.rest import errors

log = logging.getLogger(__name__)
task_logs.install()

# The headlines of alerts, by task. docs/runbook.md has one heading for each, word for word.
HEADLINES = {
    "extract": "Extract failed",
    "remove_old": "Retention failed",
    "reduce_landed": "Retention failed",
    "load": "Load failed",
    "check": "Raw check failed",
    "report_refused_accounts": "Accounts refused",
    "accept": "Source held back",
    "announce": "Announcement failed",
    "list_inbox": "Inbox failed",
    "report_refused_files": "Files refused",
    "report_held_back": "Connections held back",
    "wait_for_ingests": "Wait failed",
    "build": "Build failed",
    "audit": "Audit failed",
    "publish": "Publish failed",
    "approve": "Publish failed",
    "roll_back": "Roll-back failed",
    "resume": "Resume failed",
}


def _errors_of_rows() -> tuple[type[Exception], ...]:
    """PostgreSQL's errors that a retry would repeat; an unreachable server or a held lock is not one of them."""
    import psycopg

    return psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError


class FailureRetryPolicy(RetryPolicy):
    """Chooses the reaction by the class of a failure; an unknown class is retried as the DAG says."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Fail at once if only a person or other data can help; wait as long as the vendor says."""
        if isinstance(exception, (errors.DeadToken, errors.Refused, settings.ConfigurationError)):
            return RetryDecision.fail(reason=str(exception))
        if (isinstance(exception, Failure) and exception.is_permanent) or isinstance(exception, _errors_of_rows()):
            return RetryDecision.fail(reason="the same rows would fail the same way again")
        delay = task_logs.delay_of(context, try_number) if context else None
        if isinstance(exception, errors.VendorError) and exception.wait_seconds:
            delay = timedelta(seconds=exception.wait_seconds)
        if delay is None or try_number > max_tries:
            return RetryDecision.default()
        return RetryDecision.retry(delay=delay, reason=task_logs.next_try(delay))


def say_why_it_is_retried(context: Context) -> None:
    """End the log of a try that failed with why, and that another one follows."""
    exception = context.get("exception")
    if isinstance(exception, BaseException):
        task_logs.end_with(f"This try failed, and another one follows: {sentence_of(exception) or exception}")


def alert(context: Context) -> None:
    """Send one alert about a task that has finally failed. Its text is the end of the task's log."""
    from funnel.reporting import alerts

    ti = context["task_instance"]
    # With several connections, tasks are in a group named after theirs.
    headline = HEADLINES.get(ti.task_id.rpartition(".")[2], "Task failed")
    exception = context.get("exception")
    text = str(exception) if exception else "The task's process ended without an error message; see its log."
    if isinstance(exception, BaseException):
        text = text if is_ours(exception) else sentence_of(exception) or text
    log.info("::endgroup::")
    alerts.send(f"{headline}: {ti.dag_id}", f"run {ti.run_id}, task {ti.task_id}\n{text}\nLog: {ti.log_url}")
