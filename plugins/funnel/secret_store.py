"""Secrets of an installation: kept in its home, or given by the environment.

On one machine secrets are generated into `<home>/secrets.json`. On servers SECRETS_FROM=environment: a process has the
secrets of its environment and no others, and none is stored (OPS-11).
"""

import json
import os
import secrets as random_secrets
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET_NAMES = (
    "admin_password",
    "pipeline_password",
    "bi_reader_password",
    "person_key_secret",
    "landing_key",
    "airflow_database_password",
    "airflow_admin_password",
    "airflow_fernet_key",
    "airflow_jwt_secret",
    "airflow_api_secret",
    "superset_database_password",
    "superset_secret_key",
    "superset_admin_password",
    "superset_viewer_password",
    "superset_analyst_password",
    "superset_emea_password",
    "sandbox_control_token",
)
SHORTEST_KEY = 32


class ConfigurationError(Exception):
    """A setting is missing or not valid. The message names it and says what to write."""


def home() -> Path:
    """The folder of this installation: FUNNEL_HOME, or `.local` in the checkout."""
    return Path(os.environ.get("FUNNEL_HOME") or REPOSITORY / ".local").expanduser().resolve()


def secret(name: str) -> str:
    """One secret. Raises ConfigurationError if this process was not given it."""
    known = secrets()
    if name not in known:
        raise ConfigurationError(
            f"{name.upper()} is not set in this process, and SECRETS_FROM=environment. Each container has only the "
            "secrets of its service; run this command as `docker compose run --rm init …`, which has all of them."
        )
    return known[name]


def secrets() -> dict[str, str]:
    """The secrets that this process has: with SECRETS_FROM=environment those of its environment, else all of them.

    A variable of the same name in capitals, such as PERSON_KEY_SECRET, overrides a generated one, so that secrets can
    come from a vault. Raises ConfigurationError.
    """
    given = {name: text for name in SECRET_NAMES if (text := os.environ.get(name.upper()))}
    return given if are_given() else {**_kept(), **given}


def are_given() -> bool:
    """True if all secrets come from the environment, and none is generated or stored. Raises ConfigurationError."""
    place = os.environ.get("SECRETS_FROM") or "home"
    if place not in ("home", "environment"):
        raise ConfigurationError(
            f"SECRETS_FROM is {place!r}; write `home`, where they are generated, or `environment`."
        )
    return place == "environment"


def _kept() -> dict[str, str]:
    """The secrets of `<home>/secrets.json` (mode 0600); missing ones are generated once."""
    file = home() / "secrets.json"
    stored: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if missing := [name for name in SECRET_NAMES if name not in stored]:
        stored |= {name: _generated(name) for name in missing}
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"secrets.{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as output:
            json.dump(stored, output, indent=1)
        try:
            # link, not rename: of two processes that both generate secrets, the first one's are kept.
            if file.exists():
                os.replace(temporary, file)
            else:
                os.link(temporary, file)
        except FileExistsError:
            stored = json.loads(file.read_text())
        finally:
            temporary.unlink(missing_ok=True)
    return stored


def _generated(name: str) -> str:
    import base64

    # Fernet's keys have a form of their own.
    if name == "airflow_fernet_key":
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    return random_secrets.token_hex(24)


def landing_keys() -> tuple[str, ...]:
    """The keys of landed files: LANDING_KEY, which new files get, then those of LANDING_OLD_KEYS, separated by commas,
    which only read. Both may also be in `secrets.json`. Raises ConfigurationError.
    """
    current = secret("landing_key")
    if len(current) < SHORTEST_KEY:
        raise ConfigurationError(
            f"LANDING_KEY has {len(current)} characters, but must have at least {SHORTEST_KEY}: landed files are "
            "encrypted with it. `openssl rand -hex 24` makes one."
        )
    old = os.environ.get("LANDING_OLD_KEYS") or secrets().get("landing_old_keys", "")
    return (current, *(key.strip() for key in old.split(",") if key.strip()))
