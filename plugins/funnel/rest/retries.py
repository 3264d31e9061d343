"""Limits of retries: how long and how often.

Which failures are retried is decided by `client.Client._ask_with_retries`.
"""

import logging
import time
from collections.abc import Callable

import tenacity

from funnel.rest.errors import Throttled, TimedOut, Unavailable, VendorError

log = logging.getLogger(__name__)
# Tests replace this, so that a throttle of a minute does not take one.
sleep: Callable[[float], None] = time.sleep


def wait(seconds: float) -> None:
    """Sleep; tests replace this."""
    sleep(seconds)


LONGEST_WAITING = 900.0  # seconds one request may wait in all
TRUSTED_WAITS = 3
ATTEMPTS = 6  # of a request while the vendor is unavailable: about half a minute
TIMEOUTS = 3  # of one request, two minutes each
_BACKOFF = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)


def pause(state: tenacity.RetryCallState) -> float:
    """Seconds until the next attempt: as the vendor says, else growing; a vendor that throttles again after several
    such waits gets at least the growing pause.
    """
    asked = _error_of(state).wait_seconds
    if asked is None:
        return _BACKOFF(state)
    # A vendor that still throttles after the wait that it named needs a longer one.
    return asked if state.attempt_number <= TRUSTED_WAITS else max(asked, _BACKOFF(state))


def is_enough(state: tenacity.RetryCallState) -> bool:
    """True if a request was retried, or waited, as often and long as its kind of failure allows."""
    if isinstance(_error_of(state), Throttled):
        return state.idle_for >= LONGEST_WAITING
    if isinstance(_error_of(state), TimedOut):
        return state.attempt_number >= TIMEOUTS
    return state.attempt_number >= ATTEMPTS


def log_pause(state: tenacity.RetryCallState) -> None:
    """Log the failure and the pause before the next attempt."""
    error = _error_of(state)
    log.warning(
        "%s (connection %s) %s at %s: %s; asked again in %.1f s, attempt %d",
        error.source,
        error.connection_id,
        "Unavailable" if isinstance(error, Unavailable) else type(error).__name__,
        error.path,
        error.message,
        state.upcoming_sleep,
        state.attempt_number + 1,
    )


def _error_of(state: tenacity.RetryCallState) -> VendorError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, VendorError):
        raise TypeError(f"only vendor errors are retried, not {error!r}")
    return error
