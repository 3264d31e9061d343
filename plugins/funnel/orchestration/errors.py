"""Exceptions of tasks that alert although the rest of a run continues."""

from funnel.errors import Failure


class FilesRefused(Failure):
    """Manifests, files or sources of an inbox were held back. The message names each, with its reasons."""

    is_permanent = True


class AccountsRefused(Failure):
    """The vendor refused accounts of a connection whose other accounts were read. The message names each."""

    is_permanent = True


class ConnectionsHeldBack(Failure):
    """Connections of a source were held back whose other connections were accepted. The message names each."""

    is_permanent = True
