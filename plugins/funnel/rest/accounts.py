"""Reading several accounts of one connection: one that refuses holds up no other."""

import logging
from collections.abc import Callable, Iterable, Iterator

from funnel import rest
from funnel.contract import AccountRead, AccountRefused, Fetched

log = logging.getLogger(__name__)


def bodies(fetched: Iterable[Fetched]) -> Iterator[bytes]:
    """The bodies alone of what a connector fetches."""
    return (one for one in fetched if isinstance(one, bytes))


def read_each(accounts: list[str], read: Callable[[str], Iterator[bytes]]) -> Iterator[Fetched]:
    """What `read` yields of each account in turn, and after it whether the account was read or refused.

    Raises the first refusal when every account refuses: then it is the connection's. Every other failure passes
    through at once.
    """
    refusals: list[rest.AccountDenied] = []
    for account in accounts:
        try:
            yield from read(account)
        except rest.AccountDenied as refusal:
            log.error("account %s is refused: %s", account, refusal)
            refusals.append(refusal)
            # A vendor's words may hold what PostgreSQL does not take.
            reason = f"{refusal.message} What to do: {refusal.advice}".replace("\x00", "")
            yield AccountRefused(account, reason.encode(errors="replace").decode())
        else:
            yield AccountRead(account)
    if refusals and len(refusals) == len(accounts):
        raise refusals[0]
