"""The log of a failed task: it ends with the sentence that matters, since the alert's link opens its end.

Airflow writes an exception with its traceback. For our own errors, which say what to do, the traceback is left out.
"""

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Context

from funnel.errors import is_ours

log = logging.getLogger(__name__)
LARGEST_DELAY = timedelta(days=1)


def leave_out_traceback(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: an error of ours becomes its message, with its class as a field."""
    given = event.get("exc_info")
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException) and is_ours(error):
        del event["exc_info"]
        event["event"] = str(error)
        event["error_class"] = type(error).__name__
    return event


def install() -> None:
    """Use the processor in this process. Airflow's loggers share one list of processors, which is extended in place."""
    import structlog

    processors = structlog.get_config()["processors"]
    if isinstance(processors, list) and not any(
        getattr(each, "__name__", "") == leave_out_traceback.__name__ for each in processors
    ):
        processors.insert(0, leave_out_traceback)


def end_with(text: str) -> None:
    """Write a sentence after Airflow's folded group of messages, so that it is seen without a click."""
    log.info("::endgroup::")
    log.error("%s", text)


def delay_of(context: Context, try_number: int) -> timedelta | None:
    """How long a failed task waits for its next try, as its DAG says; None if the DAG does not say."""
    task = context.get("task")
    delay = getattr(task, "retry_delay", None)
    if not isinstance(delay, timedelta):
        return None
    factor = float(getattr(task, "retry_exponential_backoff", 0) or 1)
    longest = getattr(task, "max_retry_delay", None) or LARGEST_DELAY
    # Beyond this power every delay is the longest one.
    return min(delay * factor ** min(try_number - 1, 30), longest)


def next_try(delay: timedelta) -> str:
    """In words: the moment of the next try."""
    at = datetime.now(UTC) + delay
    return f"Next try at {at:%Y-%m-%d %H:%M:%S} UTC, in {round(delay.total_seconds()):,} s."
