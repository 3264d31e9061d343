"""Exceptions of the installation's processes."""


class ServerError(RuntimeError):
    """PostgreSQL is not available; the text says why and what to do."""


class ServiceError(RuntimeError):
    """A process does not run as it should; the text says which one, why and what to do."""


class BackupError(RuntimeError):
    """A backup cannot be taken or restored; the text says why and what to do."""


class RunFailed(Exception):
    """A followed run did not succeed. The message names its task and quotes the end of that task's log."""


class UpgradeError(RuntimeError):
    """An upgrade cannot begin or has stopped; the text says why and what to do."""
