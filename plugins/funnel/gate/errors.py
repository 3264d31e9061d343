"""Exceptions of the gate."""

from funnel.errors import Failure


class GateClosed(Failure):
    """A critical expectation failed. The message is the report's text."""

    is_permanent = True


class SuiteError(Failure):
    """A suite cannot be run as it is written. The message names the suite and what to change."""


class RateMissing(GateClosed):
    """Only checks for exchange rates failed: another source of the inbox may deliver the rates in this run."""

    is_permanent = False
