"""Waits for what other processes do."""

import time
from collections.abc import Callable


def await_that(is_so: Callable[[], bool], seconds: float = 120, what: str = "it is so") -> None:
    """Return when the condition is true."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not after {seconds} s"
        time.sleep(0.2)
