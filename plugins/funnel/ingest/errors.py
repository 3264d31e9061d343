"""Exceptions of reading, landing and loading."""

from datetime import date, timedelta

from funnel.errors import Failure


class LoadError(Failure):
    """A read cannot be loaded; nothing of it was. The message says why and what to do."""

    is_permanent = True


class ListingRefused(LoadError):
    """A listing of ids lacks so many stored records that it is not used. The message has the figures."""


class LandingError(Failure):
    """A landed read is missing or damaged. The message says which file and what to do; a retry does not help."""

    is_permanent = True


class NothingLanded(LandingError):
    """A run has not landed anything of a stream yet."""

    is_permanent = False


class LandingUnreachable(LandingError):
    """The disk with a landed read did not answer; a retry may help."""

    is_permanent = False


class SuspiciousListing(Exception):
    """A listing lacks so many stored records that it is not used. The message has the figures and what to do."""


class WithdrawalRefused(Exception):
    """A source cannot be withdrawn as asked. The message says why and what to do."""


class OtherKey(Exception):
    """A file was encrypted with a key that this installation does not have. The text completes a sentence."""


class Undecipherable(Exception):
    """A file is not what was encrypted. The text completes a sentence."""


class Unreadable(Exception):
    """A value that does not fit its column: the reason, and the column once it is known."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


def damaged(path: str, name: str, what: str) -> LandingError:
    """The error for a landed file that is damaged; `what` completes the sentence."""
    return LandingError(f"Landed file {path}/{name} {what}. Nothing of it is loaded. {remedy(path)}")


def other_key(path: str, name: str, what: str) -> LandingError:
    """The error for a landed file whose key is missing; `what` completes the sentence."""
    return LandingError(
        f"Landed file {path}/{name} {what}. Nothing of it is loaded. Add the key that it was encrypted with to "
        "LANDING_OLD_KEYS, or restore it as LANDING_KEY (docs/runbook.md, `A landed file has another key`)."
    )


def unreadable(path: str, name: str, error: OSError) -> LandingError:
    """The error for a landed file that could not be read: damaged if it is missing, else unreachable."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return damaged(path, name, "is missing")
    return LandingUnreachable(f"Landed file {path}/{name} cannot be read: {error.strerror}. {remedy(path)}")


def remedy(path: str) -> str:
    """What to do about a read that cannot be loaded. Its path names source and days, even without a manifest."""
    source, _, _, days, *_ = [*path.split("/"), "", "", ""]
    first, _, end = days.partition("_")
    try:
        last = str(date.fromisoformat(end) - timedelta(days=1))
    except ValueError:
        return "Ingest that source again; what is loaded stays as it is."
    return (
        f"Ingest {source} again for {first} to {last}; what is loaded stays as it is "
        "(docs/runbook.md, `A landed file is damaged`)."
    )
