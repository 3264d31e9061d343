"""Keyed hashes of persons: an address or a person's vendor id leaves schema `raw` only in this form.

The key comes from `PERSON_KEY_SECRET` or the installation's generated secrets. A hash cannot be undone.
"""

import hashlib
import hmac
import re

from funnel import secret_store

# What is left of an address or id of a forgotten person, followed by the hash that it had: see `tombstones`.
FORGOTTEN = "forgotten-"
_HASH = re.compile(r"([0-9a-f]{32})(?:\.[0-9a-f]{6})?")


def tombstone_in(value: str) -> str | None:
    """The hash in the id or the address of a forgotten person; None for any other value."""
    if not value.startswith(FORGOTTEN):
        return None
    found = value.removeprefix(FORGOTTEN).partition("@")[0]
    match = _HASH.fullmatch(found)
    return match[1] if match else None


def email_key(secret: bytes, address: str) -> str:
    """The hash of a normalised address; that of a forgotten person is in it."""
    return tombstone_in(address) or keyed_hash(secret, address)


def id_key(secret: bytes, identity: str, value: str) -> str:
    """The hash of a person's id at a vendor, which `identity` makes unique; that of a forgotten person is in it."""
    return tombstone_in(value) or keyed_hash(secret, f"{identity}:{value}")


def person_key_secret() -> bytes:
    """The installation's HMAC key."""
    return secret_store.secret("person_key_secret").encode()


def fingerprint(secret: bytes) -> str:
    """Short hash that distinguishes two keys without revealing them."""
    return keyed_hash(secret, "funnel person key")[:16]


def keyed_hash(secret: bytes, text: str) -> str:
    """HMAC-SHA256 of `text`, 32 hexadecimal digits: 128 bits, no collision expected below 10^18 persons."""
    return hmac.digest(secret, text.encode(), hashlib.sha256).hex()[:32]


def normalise_email(address: str) -> str | None:
    """Lower case, without surrounding space; None if it has no local part or no domain.

    Dots and plus tags are kept: their meaning depends on the receiving server, and joining two people is worse than
    keeping one person apart.
    """
    address = address.strip().casefold()
    local, at, domain = address.rpartition("@")
    return address if at and local and "." in domain and " " not in address else None
