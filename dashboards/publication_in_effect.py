"""The publication whose rows readers see: its number and its as_of. Asked once per request."""

import os
import threading
from datetime import datetime

import psycopg2
import reader_connection
import warehouse_logins
from flask import g, has_app_context

_connections = threading.local()


def publication_in_effect() -> tuple[int, datetime] | None:
    """Number and as_of of the publication in effect; None if there is none or the warehouse does not answer.

    Within a request it is asked once, before the request's queries: what they read is at least as new.
    """
    if not has_app_context():
        return _ask()
    if not hasattr(g, "publication_in_effect"):
        g.publication_in_effect = _ask()
    found: tuple[int, datetime] | None = g.publication_in_effect
    return found


def _ask() -> tuple[int, datetime] | None:
    # A shell without the settings of a server has no warehouse.
    if "WAREHOUSE_READER_URI" not in os.environ:
        return None
    for _ in range(2):
        try:
            if not hasattr(_connections, "open"):
                login = warehouse_logins.PUBLICATION
                _connections.open = psycopg2.connect(
                    os.environ["WAREHOUSE_READER_URI"],
                    user=login,
                    password=reader_connection.password(login),
                    connect_timeout=5,
                )
                _connections.open.autocommit = True
            with _connections.open.cursor() as cursor:
                cursor.execute(warehouse_logins.IN_EFFECT)
                row = cursor.fetchone()
                return (int(row[0]), row[1]) if row else None
        except psycopg2.Error:
            # The server may have been restarted: try once more with a new connection.
            _connections.__dict__.clear()
    return None
