"""The base class of failures. The exceptions of each wing are in its module `errors`."""

from typing import ClassVar

OURS = ("funnel", "installation", "authoring")


class Failure(Exception):
    """A failure that users see. The message says what happened, where, and what to do.

    `is_permanent` is true if the same rows would fail in the same way again, so that a retry does not help.
    """

    is_permanent: ClassVar[bool] = False


def is_ours(error: BaseException) -> bool:
    """True for our own errors, which say what to do. Any other error is a bug, or a service that is down."""
    return type(error).__module__.partition(".")[0] in OURS
