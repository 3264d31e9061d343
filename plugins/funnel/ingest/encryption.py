"""Encryption of landed files: AES-256-GCM in chunks, with a key of its own for each file (ING-25).

A file is a header and chunks. The header holds the fingerprint of the installation's key, so that a wrong key is
reported as such, and a random salt, from which the key of this file is derived. Each chunk is authenticated with its
number and whether it is the last one: chunks cannot be exchanged, and a file cannot be cut. Memory beyond the content
is one chunk.

The key is LANDING_KEY or generated; keys in LANDING_OLD_KEYS only read.
"""

import hashlib
import os
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from funnel import secret_store
from funnel.ingest.errors import OtherKey, Undecipherable

# No compressed file and no Arrow table begins with these bytes.
MAGIC = b"\x89FUNNEL\x01"
FINGERPRINT, SALT, TAG = 8, 16, 16
HEADER = len(MAGIC) + FINGERPRINT + SALT
CHUNK = 1 << 20


def fingerprint(key: str) -> str:
    """Short hash that distinguishes two keys without revealing them."""
    return hashlib.sha256(b"funnel landing key" + key.encode()).hexdigest()[: 2 * FINGERPRINT]


def is_encrypted(stored: bytes) -> bool:
    """True if these are the bytes of an encrypted file, or its beginning."""
    return stored.startswith(MAGIC)


def is_current(stored: bytes) -> bool:
    """True if these bytes of a file were encrypted with the key that new files get."""
    return is_encrypted(stored) and _key_of(stored) == fingerprint(secret_store.landing_keys()[0])


def encrypted(content: bytes) -> Iterator[bytes]:
    """The bytes of the encrypted file, chunk by chunk."""
    key = secret_store.landing_keys()[0]
    header = MAGIC + bytes.fromhex(fingerprint(key)) + os.urandom(SALT)
    cipher = _cipher(key, header)
    yield header
    whole = memoryview(content)
    for number in range(_chunks(len(content))):
        start = number * CHUNK
        is_last = start + CHUNK >= len(content)
        yield cipher.encrypt(_nonce(number, is_last), whole[start : start + CHUNK], header)


def decrypted(stored: bytes) -> bytes:
    """The content of an encrypted file. Raises OtherKey, or Undecipherable for a file that was cut or altered."""
    if len(stored) < HEADER + TAG:
        raise Undecipherable("is cut: it ends within its header")
    header, name = stored[:HEADER], _key_of(stored)
    key = next((each for each in secret_store.landing_keys() if fingerprint(each) == name), None)
    if key is None:
        raise OtherKey(
            f"was encrypted with a key of fingerprint {name}, which is neither LANDING_KEY (fingerprint "
            f"{fingerprint(secret_store.landing_keys()[0])}) nor one of LANDING_OLD_KEYS"
        )
    cipher, whole = _cipher(key, header), memoryview(stored)
    size = len(stored) - HEADER
    chunks = -(-size // (CHUNK + TAG))
    content = bytearray()
    try:
        for number in range(chunks):
            start = HEADER + number * (CHUNK + TAG)
            content += cipher.decrypt(_nonce(number, number == chunks - 1), whole[start : start + CHUNK + TAG], header)
    except (InvalidTag, ValueError):
        raise Undecipherable("is cut or altered: it cannot be decrypted") from None
    return bytes(content)


def _chunks(size: int) -> int:
    """The number of chunks of a content; an empty one has a chunk too."""
    return max(1, -(-size // CHUNK))


def _key_of(stored: bytes) -> str:
    return stored[len(MAGIC) : len(MAGIC) + FINGERPRINT].hex()


def _cipher(key: str, header: bytes) -> AESGCM:
    derive = HKDF(algorithm=SHA256(), length=32, salt=header[-SALT:], info=b"funnel landed file")
    return AESGCM(derive.derive(key.encode()))


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11) + bytes([is_last])
