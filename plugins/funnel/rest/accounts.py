"""Reads several accounts of one connection: a refused one does not stop the others."""

import logging
from collections.abc import Callable, Iterable, Iterator

from funnel.contract import AccountRead, AccountRefused, Connection, Fetched
from funnel.rest import errors
from funnel.rest.errors import refuse

log = logging.getLogger(__name__)


def bodies(fetched: Iterable[Fetched]) -> Iterator[bytes]:
    """Only the bodies of what a connector fetches."""
    return (one for one in fetched if isinstance(one, bytes))


def read_each(accounts: list[str], read: Callable[[str], Iterator[bytes]]) -> Iterator[Fetched]:
    """Everything that `read` yields of each account in turn, and after it whether the account was read or refused.

    Raises the first refusal if every account refuses: then the connection is refused. Every other failure is raised at
    once.
    """
    refusals: list[errors.AccountDenied] = []
    for account in accounts:
        try:
            yield from read(account)
        except errors.AccountDenied as refusal:
            log.error("account %s is refused: %s", account, refusal)
            refusals.append(refusal)
            # A vendor's message may contain characters that PostgreSQL refuses.
            reason = f"{refusal.message} What to do: {refusal.advice}".replace("\x00", "")
            yield AccountRefused(account, reason.encode(errors="replace").decode())
        else:
            yield AccountRead(account)
    if refusals and len(refusals) == len(accounts):
        raise refusals[0]


def listed(
    source: str, connection: Connection, setting: str, tidy: Callable[[str], str] = lambda account: account
) -> list[str]:
    """The accounts in a connection's extra, given as a list or as comma-separated text; each once.

    `tidy` converts an account to the form in the vendor's rows.
    """
    named = connection.extra.get(setting) or []
    if not isinstance(named, list):
        named = str(named).split(",")
    accounts = [tidy(stripped) for one in named if (stripped := str(one).strip())]
    if not accounts:
        advice = f'Write the accounts into the connection\'s extra: {{"{setting}": ["1234567890"]}}.'
        raise refuse(source, connection, "no ad account is named", advice)
    return list(dict.fromkeys(accounts))
