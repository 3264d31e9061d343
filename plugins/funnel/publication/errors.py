"""Exceptions of publication and roll-back."""

from funnel.errors import Failure


class PublishError(Failure):
    """Nothing was published or rolled back; readers see the same data as before. The message says why
    and what to do.
    """
