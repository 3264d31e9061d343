"""Exceptions of publication and roll-back."""

from funnel.errors import Failure


class PublishError(Failure):
    """Nothing was published or rolled back; readers see the same data as before. The message says why
    and what to do.
    """


class PublicationHeld(PublishError):
    """Publication is held after a roll-back. The message says since when, by whom, why, and how to release it."""

    is_permanent = True


class ApprovalNeeded(PublishError):
    """The change of a build passes a limit, and PUBLISH=approve asks for a person. The message names each limit."""

    is_permanent = True
