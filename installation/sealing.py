"""Encryption of a backup's secrets with a passphrase: scrypt makes the key, Fernet encrypts and authenticates."""

import base64
import json
import os
import secrets as random_secrets
from pathlib import Path

from installation.errors import BackupError

# 2^15 blocks of 1 KiB: 32 MB of memory and about 0.1 s for each guess.
COST, BLOCK, PARALLEL = 2**15, 8, 1
SHORTEST = 12


def passphrase() -> str:
    """The passphrase of BACKUP_PASSPHRASE, or of the file that BACKUP_PASSPHRASE_FILE names. Raises BackupError."""
    file = os.environ.get("BACKUP_PASSPHRASE_FILE")
    given = Path(file).read_text().strip() if file else os.environ.get("BACKUP_PASSPHRASE", "")
    if len(given) < SHORTEST:
        raise BackupError(
            f"A backup holds every secret, encrypted with a passphrase: set BACKUP_PASSPHRASE (at least {SHORTEST} "
            "characters), or BACKUP_PASSPHRASE_FILE to a file with it, and keep it apart from the backup."
        )
    return given


def seal(text: str, passphrase: str) -> str:
    """The text encrypted, as JSON with what is needed to make the key again."""
    from cryptography.fernet import Fernet

    salt = random_secrets.token_bytes(16)
    token = Fernet(_key(passphrase, salt, COST)).encrypt(text.encode()).decode()
    return json.dumps({"salt": base64.b64encode(salt).decode(), "cost": COST, "token": token})


def unseal(sealed: str, passphrase: str) -> str:
    """The text again. Raises BackupError if the passphrase is another one."""
    from cryptography.fernet import Fernet, InvalidToken

    stated = json.loads(sealed)
    key = _key(passphrase, base64.b64decode(stated["salt"]), stated["cost"])
    try:
        return Fernet(key).decrypt(stated["token"]).decode()
    except InvalidToken:
        raise BackupError("The passphrase in BACKUP_PASSPHRASE is not the one of this backup.") from None


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    made = Scrypt(salt=salt, length=32, n=cost, r=BLOCK, p=PARALLEL).derive(passphrase.encode())
    return base64.urlsafe_b64encode(made)
