"""Tombstones: which persons were forgotten, as keyed hashes only (ING-26).

A tombstone is the hash that the person's address or id has in `raw` anyway. A value with a tombstone is replaced by
`forgotten-<hash>`, an address by `forgotten-<hash>@<domain>`; the loader takes the hash out of such a value instead of
hashing it again (`privacy.tombstone_in`). So a forgotten person's rows keep their keys, their links and all their
figures, whether they are reduced in the warehouse, in a landed file or in a later read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import psycopg

from funnel.ingest import encryption, privacy
from funnel.ingest.errors import LoadError, OtherKey
from funnel.ingest.privacy import FORGOTTEN, keyed_hash, normalise_email

EMAIL = "email"


@dataclass(frozen=True)
class Tombstones:
    """All tombstones of an installation. `secrets` are the keys that they were made with, the current one first."""

    keys: frozenset[str]
    secrets: tuple[bytes, ...]
    # Connections of each source with forgotten records: links between vendors name no connection.
    connections: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.keys)

    @property
    def secret(self) -> bytes:
        """The key of new hashes."""
        return self.secrets[0]

    def of(self, identity: str) -> str | None:
        """The tombstone of `<source>:<connection>:<kind>:<id>` or of a normalised address; None if there is none."""
        if not identity.isprintable():
            # Half letters and control characters: ids and addresses have none.
            return None
        for secret in self.secrets:
            if (key := keyed_hash(secret, identity)) in self.keys:
                return key
        return None

    def email(self, text: Any) -> str | None:
        """What replaces an address; None if it was not forgotten, or is replaced already."""
        address = normalise_email(text) if isinstance(text, str) else None
        if address is None or address.startswith(FORGOTTEN):
            return None
        key = self.of(address)
        return f"{FORGOTTEN}{key}@{address.rpartition('@')[2]}" if key else None

    def identifier(self, source: str, connection_id: str, kinds: Iterable[str], value: Any) -> str | None:
        """What replaces an id that may be of any of these kinds, written `contacts` or `salesforce.contacts`; None if
        it was not forgotten, or is replaced already.
        """
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
            return None
        text = str(value)
        if text.startswith(FORGOTTEN):
            return None
        for kind in kinds:
            other, _, name = kind.rpartition(".")
            connections = self.connections.get(other, ()) if other else (connection_id,)
            for each in connections:
                if key := self.of(f"{other or source}:{each}:{name}:{text}"):
                    return FORGOTTEN + key
        return None

    def spoil(self, address: str) -> str:
        """The replacement of any address of a forgotten person, even one without a tombstone."""
        return f"{FORGOTTEN}{privacy.email_key(self.secret, address)}@{address.rpartition('@')[2]}"

    @cached_property
    def is_empty(self) -> bool:
        """True if there is no tombstone: nothing needs to be compared."""
        return not self.keys


def read(connection: psycopg.Connection[Any], secret: bytes) -> Tombstones:
    """All tombstones, with the keys that may have made them: the current one, and those that were replaced."""
    secrets = [secret]
    for (key,) in connection.execute("select person_key from privacy.old_person_keys order by replaced_at desc"):
        try:
            secrets.append(encryption.decrypted(key))
        except OtherKey as error:
            raise LoadError(
                f"A replaced person key in privacy.old_person_keys {error}. Forgotten persons could come back, so "
                "nothing is loaded. Add the key that it was encrypted with to LANDING_OLD_KEYS."
            ) from None
    rows = connection.execute("select tombstone, source, connection_id from privacy.tombstones").fetchall()
    connections: dict[str, set[str]] = {}
    for _, source, connection_id in rows:
        if source:
            connections.setdefault(source, set()).add(connection_id)
    return Tombstones(
        frozenset(key for key, _, _ in rows),
        tuple(secrets),
        {source: tuple(sorted(found)) for source, found in connections.items()},
    )
