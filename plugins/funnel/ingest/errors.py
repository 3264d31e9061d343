"""Exceptions of reading, landing and loading."""


class SuspiciousListing(Exception):
    """A listing lacks so many stored records that it is not used. The message has the figures and what to do."""


class WithdrawalRefused(Exception):
    """A source cannot be withdrawn as asked. The message says why and what to do."""


class Unreadable(Exception):
    """A value that its column cannot take: the reason, and the column once it is known."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column
