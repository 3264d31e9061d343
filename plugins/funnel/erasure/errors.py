"""Exceptions of erasure."""

from funnel.errors import Failure


class ForgetRefused(Failure):
    """Nothing was forgotten. The message says which lines of the input are not usable and what to write instead."""


class RotationRefused(Failure):
    """The person key was not replaced. The message says why and what to do."""
