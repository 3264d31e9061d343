"""Tombstones: which persons were forgotten, as keyed hashes only (ING-26).

A tombstone is the hash that the person's address or id has in `raw` anyway. A value with a tombstone is replaced by
`forgotten-<hash>`, an address by `forgotten-<hash>@<domain>`; the loader takes the hash out of such a value instead of
hashing it again (`privacy.tombstone_in`). So a forgotten person's rows keep their keys, their links and all their
figures, whether they are reduced in the warehouse, in a landed file or in a later read.

They are in the warehouse and next to the landed files: a new warehouse that is loaded from these knows them too.
"""

import base64
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import psycopg

from funnel.ingest import encryption, landing, privacy
from funnel.ingest.errors import LoadError, OtherKey
from funnel.ingest.landed_files import sync_folder, write_through
from funnel.ingest.privacy import FORGOTTEN, keyed_hash, normalise_email

EMAIL = "email"
# Next to the landed reads: the tombstones, and the person keys that made them.
LANDED = "tombstones.json"


class Tombstone(NamedTuple):
    """One row of privacy.tombstones; `source` and `connection_id` are empty for an address."""

    key: str
    source: str
    connection_id: str
    kind: str


@dataclass(frozen=True)
class Tombstones:
    """All tombstones of an installation. `secrets` are the keys that they were made with, the current one first."""

    rows: frozenset[Tombstone]
    secrets: tuple[bytes, ...]
    # Connections of each source with forgotten records: links between vendors name no connection.
    connections: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.keys)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The hashes."""
        return frozenset(row.key for row in self.rows)

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


# Where they are kept -------------------------------------------------------------------------------------------------


def read(connection: psycopg.Connection[Any], secret: bytes) -> Tombstones:
    """All tombstones, with the keys that may have made them: the current one, and those that were replaced.

    Raises LoadError if a key that made some of them is not known: forgotten persons would come back.
    """
    rows, old = _stored(connection)
    landed = _landed()
    old = landed["old_person_keys"] | old
    if landed["person_key"] not in (None, privacy.fingerprint(secret), *old):
        raise LoadError(
            f"PERSON_KEY_SECRET changed: {landing.root() / LANDED} was written with the key of fingerprint "
            f"{landed['person_key']}, not {privacy.fingerprint(secret)}. Forgotten persons could come back, so nothing "
            "is loaded. Restore the old key."
        )
    rows |= {Tombstone(*row) for row in landed["tombstones"]}
    connections: dict[str, set[str]] = {}
    for row in rows:
        if row.source:
            connections.setdefault(row.source, set()).add(row.connection_id)
    return Tombstones(
        frozenset(rows),
        (secret, *map(_decrypted, old.values())),
        {source: tuple(sorted(found)) for source, found in connections.items()},
    )


def write_landed(connection: psycopg.Connection[Any], secret: bytes) -> None:
    """Write the tombstones next to the landed files, for a warehouse that is made from these."""
    rows, old = _stored(connection)
    landed = _landed()
    rows |= {Tombstone(*row) for row in landed["tombstones"]}
    if not rows:
        return
    old = landed["old_person_keys"] | old
    content = {
        "person_key": privacy.fingerprint(secret),
        "old_person_keys": {name: base64.b64encode(key).decode() for name, key in sorted(old.items())},
        "tombstones": sorted(rows),
    }
    landing.root().mkdir(parents=True, exist_ok=True)
    temporary = landing.root() / f"{LANDED}.tmp"
    write_through(temporary, json.dumps(content, indent=0).encode())
    os.replace(temporary, landing.root() / LANDED)
    sync_folder(landing.root())


def encrypt_keys(connection: psycopg.Connection[Any], secret: bytes) -> None:
    """Encrypt replaced person keys with the current LANDING_KEY, so that its predecessor can go."""
    _, old = _stored(connection)
    for name, key in (_landed()["old_person_keys"] | old).items():
        if not encryption.is_current(key):
            connection.execute(
                "insert into privacy.old_person_keys (fingerprint, person_key) values (%s, %s) "
                "on conflict (fingerprint) do update set person_key = excluded.person_key",
                (name, b"".join(encryption.encrypted(_decrypted(key)))),
            )
    write_landed(connection, secret)


def _stored(connection: psycopg.Connection[Any]) -> tuple[set[Tombstone], dict[str, bytes]]:
    """The tombstones of the warehouse; replaced keys by fingerprint, the newest first, encrypted."""
    rows = connection.execute("select tombstone, source, connection_id, kind from privacy.tombstones").fetchall()
    keys = connection.execute("select fingerprint, person_key from privacy.old_person_keys order by replaced_at desc")
    return {Tombstone(*row) for row in rows}, {name: bytes(key) for name, key in keys.fetchall()}


def _landed() -> dict[str, Any]:
    """The tombstones next to the landed files."""
    path = landing.root() / LANDED
    try:
        content = json.loads(path.read_bytes())
        keys = {name: base64.b64decode(key) for name, key in content["old_person_keys"].items()}
        return content | {"old_person_keys": keys}
    except FileNotFoundError:
        return {"person_key": None, "old_person_keys": {}, "tombstones": []}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise LoadError(
            f"{path} cannot be read ({type(error).__name__}): forgotten persons could come back, so nothing is loaded. "
            "Restore it from a backup; if the warehouse has never been replaced, delete it: the next `make forget` "
            "writes it again."
        ) from None


def _decrypted(key: bytes) -> bytes:
    try:
        return encryption.decrypted(key)
    except OtherKey as error:
        raise LoadError(
            f"A replaced person key in privacy.old_person_keys {error}. Forgotten persons could come back, so "
            "nothing is loaded. Add the key that it was encrypted with to LANDING_OLD_KEYS."
        ) from None
