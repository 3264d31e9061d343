"""Base class of failures. Each wing has its own in its module `errors`."""

from typing import ClassVar


class Failure(Exception):
    """A failure that people see. The message says what happened, where, and what to do.

    `is_permanent` is true when the same rows would fail the same way again, so that a retry is of no use.
    """

    is_permanent: ClassVar[bool] = False
