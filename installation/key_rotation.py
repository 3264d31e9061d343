"""`make rotate-person-key`: replaces the key by which persons are hashed, and all hashes that it made.

A generated key is replaced by a generated one. The new key is in `secrets.json` before the first hash changes, next to
the old one, so a command that was killed is repeated; loads are refused until it is done. A key from the environment is
replaced there first; the command then reads the old one from standard input.
"""

import json
import os
import secrets as random_secrets
import sys
from typing import Any

from funnel import secret_store, settings
from funnel.erasure import rekeying
from funnel.erasure.errors import RotationRefused
from funnel.ingest import privacy
from installation import forgetting

OLD_KEY = "old_person_key"


def run() -> None:
    """Replace the person key and print what changed. Raises RotationRefused before anything is changed."""
    old, new = _from_environment() if os.environ.get("PERSON_KEY_SECRET") else _generated()
    done = rekeying.rekey(old, new)
    forgetting.empty_caches()
    _write({OLD_KEY: None})
    tables = sum(map(bool, done.rows.values()))
    print(
        f"The person key of fingerprint {privacy.fingerprint(old)} is replaced by {privacy.fingerprint(new)}.\n"
        f"  {done.hashes} hashes in {sum(done.rows.values())} rows of {tables} tables replaced"
    )
    if done.unknown:
        print(
            f"  {done.unknown} of them belong to addresses that no landed read holds any more; they stay one person "
            "each, but a record that is read again gets another hash. Read their sources again completely."
        )
    for path in done.damaged:
        print(f"  not readable: landing/{path}")
    print("Tombstones of forgotten persons still hold; the old key is kept for them, encrypted with LANDING_KEY.")


def _from_environment() -> tuple[bytes, bytes]:
    new = privacy.person_key_secret()
    if len(new) < secret_store.SHORTEST_KEY:
        raise RotationRefused(
            f"PERSON_KEY_SECRET has {len(new)} characters, but must have at least {secret_store.SHORTEST_KEY}. "
            "Nothing was changed. `openssl rand -hex 24` makes one."
        )
    if sys.stdin.isatty():
        print("The person key that is replaced; end with Enter:", file=sys.stderr)
    old = sys.stdin.readline().strip().encode()
    if not old or old == new:
        raise RotationRefused(
            "PERSON_KEY_SECRET comes from the environment. Write the new key there, restart what reads it, and give "
            "the replaced key on standard input: make rotate-person-key < old_key.txt. Nothing was changed."
        )
    return old, new


def _generated() -> tuple[bytes, bytes]:
    stored = secret_store.secrets()
    if OLD_KEY not in stored:
        if not rekeying.is_current(stored["person_key_secret"].encode()):
            raise RotationRefused(
                "The warehouse was loaded with another person key than that of secrets.json. Nothing was changed. "
                "Restore the key that it was loaded with."
            )
        _write({OLD_KEY: stored["person_key_secret"], "person_key_secret": random_secrets.token_hex(24)})
        stored = secret_store.secrets()
    return stored[OLD_KEY].encode(), stored["person_key_secret"].encode()


def _write(changes: dict[str, Any]) -> None:
    """Change `secrets.json` in one move; None removes a value."""
    path = settings.read().home / "secrets.json"
    content = {name: value for name, value in (json.loads(path.read_text()) | changes).items() if value is not None}
    temporary = path.with_name(f"secrets.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
