"""Listings of ids: a connector makes them from the pages in which a vendor lists all records of a stream.

A record without a readable id fails the read: otherwise a stored record would count as deleted.
"""

import re
from datetime import datetime
from typing import Any

import orjson

from funnel.rest import errors, messages
from funnel.rest.client import Client

READABLE = re.compile(r"[\w-]{1,64}")


def ids_body(ids: list[str], since: datetime | None = None) -> bytes:
    """One landed body of a listing: ids, and the creation time from which records are listed (None: all records)."""
    return orjson.dumps({"since": since.isoformat() if since else None, "ids": ids})


def ids_of(client: Client, request: messages.Request, records: Any, path: str) -> list[str]:
    """The ids of one page of a vendor's list. Raises Unavailable if a record has no readable id."""
    ids = [messages.value_at(record, path) for record in records]
    unreadable = [one for one in ids if isinstance(one, bool) or not READABLE.fullmatch(str(one or ""))]
    if unreadable:
        message = f"a list of ids holds {len(unreadable)} records of {len(ids)} without a readable {path}"
        raise client.fail(errors.Unavailable, message, request)
    return [str(one) for one in ids]
