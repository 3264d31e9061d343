"""The store of logins in the warehouse: encrypted, readable by the loader only, shared by all workers on all machines
(ING-22).

It stores logins for `funnel.logins` and makes logins of one key take turns with an advisory lock of PostgreSQL, which
ends with its process. The key of the cipher is Airflow's Fernet key, which every worker has.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import psycopg
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from funnel import secret_store, settings, warehouse
from funnel.contract import Connection
from funnel.logins import Key, Login, LoginStore, in_memory

log = logging.getLogger(__name__)

# First half of the advisory lock of one login; the second half is a hash of its key.
LOCK_CLASS = 7_205_761
# A login may wait for its vendor's throttling; the timeout for a turn is longer than that.
LONGEST_TURN = "20min"


def _cipher() -> MultiFernet:
    # In Airflow's form: several keys separated by commas, the newest first.
    keys = secret_store.secret("airflow_fernet_key").split(",")
    try:
        return MultiFernet([Fernet(key.strip()) for key in keys])
    except ValueError:
        raise settings.ConfigurationError(
            "AIRFLOW_FERNET_KEY is not a Fernet key (32 bytes in URL-safe base64), so tokens cannot be kept. "
            "Write the key that Airflow encrypts its connections with."
        ) from None


def read(key: Key) -> Login | None:
    """The login stored under a key; None if there is none or this installation's key does not decrypt it."""
    with warehouse.connect("loader", autocommit=True) as connection:
        row = connection.execute("select login from logins.kept where began_with = %s", (key.began_with,)).fetchone()
    if row is None:
        return None
    try:
        return Login(**json.loads(_cipher().decrypt(row[0].encode())))
    except (InvalidToken, ValueError, TypeError):
        log.warning(
            "The kept login of connection %s cannot be decrypted with the present AIRFLOW_FERNET_KEY; the connection's "
            "own refresh token is used. Add the old key after the new one, with a comma, to keep logins.",
            key.connection_id,
        )
        return None


def write(key: Key, login: Login) -> None:
    """Store a login. It is committed and on disk when this returns."""
    text = _cipher().encrypt(json.dumps(asdict(login)).encode()).decode()
    with warehouse.connect("loader", autocommit=True) as connection:
        connection.execute("set synchronous_commit = on")
        connection.execute(
            """
            insert into logins.kept as known (began_with, source, connection_id, login)
            values (%s, %s, %s, %s)
            on conflict (began_with) do update
            set connection_id = excluded.connection_id, login = excluded.login, kept_at = clock_timestamp()
            """,
            (key.began_with, key.source, key.connection_id, text),
        )


@contextmanager
def turn(key: Key) -> Iterator[None]:
    """A block in which no other process, on any machine, logs in under this key."""
    # A lock of the session, not of a transaction: servers end transactions that are idle while the vendor answers.
    with warehouse.connect("loader", autocommit=True) as connection:
        connection.execute(f"set lock_timeout = '{LONGEST_TURN}'")
        connection.execute("select pg_advisory_lock(%s, hashtext(%s))", (LOCK_CLASS, key.began_with))
        yield


STORE = LoginStore(read, write, turn)


def store_for(connection: Connection) -> LoginStore:
    """The store for a command outside Airflow: that of the warehouse, else of this process with a warning."""
    try:
        with warehouse.connect("loader") as opened:
            opened.execute("select from logins.kept limit 0")
    except (warehouse.WarehouseError, psycopg.Error) as away:
        if connection.extra.get("refresh_token"):
            log.warning(
                "The logins kept in the warehouse cannot be used: %s\n"
                "Connection %s logs in with its own refresh token. If the vendor replaces it, the new one is lost with "
                "this command and Airflow's tasks are refused. To prevent that, start the warehouse first (`make up`).",
                str(away).strip(),
                connection.connection_id,
            )
        return in_memory()
    return STORE
