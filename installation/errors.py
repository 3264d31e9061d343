"""Exceptions of the installation's processes."""


class ServerError(RuntimeError):
    """The server cannot be had; the text says why and what to do."""


class ServiceError(RuntimeError):
    """A process does not run as it should; the text says which, why and what to do."""


class RunFailed(Exception):
    """A run that was followed did not succeed. The message names its task and the end of that task's log."""
