"""The currency that a connection or its vendor states for amounts without one; `home_currency` stores it."""

from funnel.contract import Connection
from funnel.inbox.currencies import CODES
from funnel.rest import errors


def stated(source: str, connection: Connection) -> str | None:
    """The setting `currency` of a connection. Raises Refused unless it is an ISO 4217 code."""
    setting = connection.extra.get("currency")
    if setting in (None, ""):
        return None
    code = str(setting).strip().upper()
    if code not in CODES:
        advice = 'Write an ISO 4217 code into currency in the connection\'s extra, for example {"currency": "EUR"}.'
        raise errors.refuse(source, connection, f"currency is {setting!r}, which is not an ISO 4217 code", advice)
    return code


def settled(source: str, connection: Connection, found: str | None) -> str | None:
    """The currency that the vendor or the setting states. Raises Refused if they contradict."""
    setting = stated(source, connection)
    if found and setting and found != setting:
        advice = f"Take currency out of the connection's extra, or write {found} there."
        message = f"the setting currency is {setting}, but the vendor says that the currency is {found}"
        raise errors.refuse(source, connection, message, advice)
    return found or setting
