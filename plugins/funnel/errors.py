"""The base class of failures. The exceptions of each wing are in its module `errors`."""

from typing import ClassVar


class Failure(Exception):
    """A failure that users see. The message says what happened, where, and what to do.

    `is_permanent` is true if the same rows would fail in the same way again, so that a retry does not help.
    """

    is_permanent: ClassVar[bool] = False
