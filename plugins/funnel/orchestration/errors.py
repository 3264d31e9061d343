"""Exceptions of tasks that send an alert although the rest of the run continues."""

from funnel.errors import Failure


class FilesRefused(Failure):
    """Manifests, files or sources of an inbox were held back. The message names each, with its reasons."""

    is_permanent = True


class AccountsRefused(Failure):
    """The vendor refused some accounts of a connection, others were read. The message names each."""

    is_permanent = True


class ConnectionsHeldBack(Failure):
    """Some connections of a source were held back, others were accepted. The message names each."""

    is_permanent = True
