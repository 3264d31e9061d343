"""Settings, generated secrets, connection URLs and vendor connections. Only this module of `funnel` reads the
environment.

It opens no connections and does not import Airflow: in a task, `orchestration` passes Airflow's own connections.
"""

import hmac
import json
import os
import secrets as random_secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from funnel import release
from funnel.contract import Connection

Number = TypeVar("Number", int, float)
REPOSITORY = Path(__file__).resolve().parents[2]

Role = Literal["admin", "pipeline", "loader", "builder", "publisher", "bi_reader"]
ACTIVITIES: tuple[Role, ...] = ("loader", "builder", "publisher")
# Of persons who operate the pipeline, and take one of its activities, and of analysts.
LOGINS: tuple[Role, ...] = ("pipeline", "bi_reader")


class ConfigurationError(Exception):
    """A setting is missing or not valid. The message names it and says what to write."""


@dataclass(frozen=True)
class Settings:
    """All settings of the environment. Ports are TCP on `bind_address`.

    The URLs are those by which this installation's own processes reach each other. If `redis_url` is set, tasks run in
    Celery's workers, `workers` of them on this machine. If `publish_asks` is true, a build waits for a person if a
    month that no vendor restates any more moves by more than the share `publish_month_limit`, or a mart loses more than
    the share `publish_rows_limit` of its rows.
    """

    home: Path
    warehouse_dsn: str | None
    warehouse_database: str
    postgres_port: int
    bind_address: str
    with_sandbox: bool
    sandbox_port: int
    sandbox_tls_port: int
    sandbox_url: str
    airflow_port: int
    airflow_url: str
    redis_url: str | None
    workers: int
    with_dashboards: bool
    superset_port: int
    reporting_currency: str
    reporting_timezone: str
    master_crm: str
    build_deadline_minutes: int
    quarantine_limit: float
    publish_asks: bool
    publish_month_limit: float
    publish_rows_limit: float
    inbox: str
    alert_webhook: str | None
    alert_email: str | None
    smtp_url: str | None
    lineage_url: str | None
    code_version: str


def _number(name: str, default: Number) -> Number:
    text = os.environ.get(name) or str(default)
    try:
        number = type(default)(text)
    except ValueError:
        number = type(default)(-1)
    if not number >= 0:
        kind = "whole number" if isinstance(default, int) else "share"
        raise ConfigurationError(f"{name} is {text!r}, but must be a {kind} such as {default}.")
    return number


def _home() -> Path:
    return Path(os.environ.get("FUNNEL_HOME") or REPOSITORY / ".local").expanduser().resolve()


def _inbox() -> str:
    """The inbox of files: a local folder, or any URL that Airflow's ObjectStoragePath reads."""
    given = os.environ.get("FUNNEL_INBOX")
    if not given:
        # The inbox that `make files` last loaded.
        noted = _home() / "inbox.txt"
        given = noted.read_text() if noted.exists() else str(_home() / "inbox")
    return given if "://" in given else str(Path(given).expanduser().resolve())


def keep_inbox(url: str) -> bool:
    """Store the inbox in this home and switch the sandbox off. Returns true if that changed something."""
    noted = _home() / "inbox.txt"
    noted.parent.mkdir(parents=True, exist_ok=True)
    is_new = not noted.exists() or noted.read_text() != url
    noted.write_text(url)
    os.environ |= {"FUNNEL_INBOX": url, "SANDBOX": "off"}
    return is_new


def _port(name: str, default: int) -> int:
    """A port from the environment, else the one that this home was started with, else the default."""
    try:
        kept = json.loads((_home() / "ports.json").read_text())
    except (OSError, ValueError):
        kept = {}
    return _number(name, kept.get(name, default))


def keep_ports() -> None:
    """Store this home's ports, so that later commands find them without the environment."""
    chosen = read()
    ports = {
        "POSTGRES_PORT": chosen.postgres_port,
        "SANDBOX_PORT": chosen.sandbox_port,
        "SANDBOX_TLS_PORT": chosen.sandbox_tls_port,
        "AIRFLOW_PORT": chosen.airflow_port,
        "SUPERSET_PORT": chosen.superset_port,
    }
    (chosen.home / "ports.json").write_text(json.dumps(ports))


def read() -> Settings:
    """Read the environment. Raises ConfigurationError, which names the variable that is not valid."""
    timezone = os.environ.get("REPORTING_TIMEZONE", "UTC")
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError):
        raise ConfigurationError(
            f"REPORTING_TIMEZONE is {timezone!r}, which is not an IANA time zone such as Europe/Berlin."
        ) from None
    currency = os.environ.get("REPORTING_CURRENCY", "USD").upper()
    if len(currency) != 3 or not currency.isalpha():
        raise ConfigurationError(f"REPORTING_CURRENCY is {currency!r}, which is not an ISO 4217 code such as USD.")
    publish = os.environ.get("PUBLISH") or "always"
    if publish not in ("always", "approve"):
        raise ConfigurationError(f"PUBLISH is {publish!r}; write `always`, or `approve` to be asked first.")
    return Settings(
        home=_home(),
        warehouse_dsn=os.environ.get("WAREHOUSE_DSN") or None,
        warehouse_database=os.environ.get("WAREHOUSE_DATABASE", "warehouse"),
        postgres_port=_port("POSTGRES_PORT", 5439),
        with_sandbox=os.environ.get("SANDBOX", "off" if (_home() / "inbox.txt").exists() else "on").lower() != "off",
        bind_address=os.environ.get("BIND_ADDRESS", "127.0.0.1"),
        sandbox_port=_port("SANDBOX_PORT", 8090),
        sandbox_tls_port=_port("SANDBOX_TLS_PORT", 8443),
        sandbox_url=os.environ.get("SANDBOX_URL") or f"http://127.0.0.1:{_port('SANDBOX_PORT', 8090)}",
        airflow_port=_port("AIRFLOW_PORT", 8080),
        airflow_url=os.environ.get("AIRFLOW_URL") or f"http://127.0.0.1:{_port('AIRFLOW_PORT', 8080)}",
        redis_url=os.environ.get("REDIS_URL") or None,
        workers=_number("WORKERS", 2),
        with_dashboards=os.environ.get("DASHBOARDS", "on").lower() != "off",
        superset_port=_port("SUPERSET_PORT", 8088),
        reporting_currency=currency,
        reporting_timezone=timezone,
        master_crm=os.environ.get("MASTER_CRM", "salesforce"),
        build_deadline_minutes=_number("BUILD_DEADLINE_MINUTES", 30),
        quarantine_limit=_number("QUARANTINE_LIMIT", 0.05),
        publish_asks=publish == "approve",
        publish_month_limit=_number("PUBLISH_MONTH_LIMIT", 0.01),
        publish_rows_limit=_number("PUBLISH_ROWS_LIMIT", 0.05),
        inbox=_inbox(),
        alert_webhook=os.environ.get("ALERT_WEBHOOK") or None,
        alert_email=os.environ.get("ALERT_EMAIL") or None,
        smtp_url=os.environ.get("SMTP_URL") or None,
        lineage_url=os.environ.get("OPENLINEAGE_URL") or None,
        code_version=f"{release.version()}+{os.environ.get('CODE_VERSION') or release.commit()}",
    )


def now() -> datetime:
    """The current moment in UTC: the machine's clock, on the day of FUNNEL_TODAY if it is set.

    Everything that depends on the day uses this: which days are loaded, how far a read reaches, the days of the
    simulated company. Waiting times, tokens and log lines use the machine's clock.
    """
    return on_stated_day(datetime.now(UTC))


def on_stated_day(moment: datetime) -> datetime:
    """A moment in UTC, moved to the day of FUNNEL_TODAY if it is set."""
    stated = stated_day()
    return datetime.combine(stated, moment.timetz()) if stated else moment


def stated_day() -> date | None:
    """The day that FUNNEL_TODAY states; None if it is not set. Raises ConfigurationError."""
    text = os.environ.get("FUNNEL_TODAY")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigurationError(f"FUNNEL_TODAY is {text!r}, but must be a day such as 2026-03-31.") from None


_SECRET_NAMES = (
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
    "superset_emea_password",
    "sandbox_control_token",
)


SHORTEST_KEY = 32
# Days that each kind of data is kept, unless RETENTION_<KIND>_DAYS says otherwise. None: for ever.
RETENTION_DAYS = {"landed": None, "quarantine": 400, "details": 400, "history": None, "logs": 90}


def retention_days(kind: str) -> int | None:
    """How many days a kind of data is kept; None for ever. Raises ConfigurationError."""
    name = f"RETENTION_{kind.upper()}_DAYS"
    return RETENTION_DAYS[kind] if name not in os.environ else _number(name, 0) if os.environ[name] else None


def secrets() -> dict[str, str]:
    """Secrets of this installation: generated once into `<home>/secrets.json` (mode 0600).

    An environment variable of the same name in capitals, such as `PERSON_KEY_SECRET`, overrides a generated one, so
    that secrets can come from a vault.
    """
    path = read().home / "secrets.json"
    stored: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [name for name in _SECRET_NAMES if name not in stored]
    if missing:
        import base64

        for name in missing:
            stored[name] = (
                base64.urlsafe_b64encode(os.urandom(32)).decode()
                if name == "airflow_fernet_key"
                else random_secrets.token_hex(24)
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"secrets.{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(stored, file, indent=1)
        try:
            # link, not rename: of two processes that both generate secrets, the first one's are kept.
            if path.exists():
                os.replace(temporary, path)
            else:
                os.link(temporary, path)
        except FileExistsError:
            stored = json.loads(path.read_text())
        finally:
            temporary.unlink(missing_ok=True)
    return {name: os.environ.get(name.upper()) or value for name, value in stored.items()}


def landing_keys() -> tuple[str, ...]:
    """The keys of landed files: LANDING_KEY, which new files get, then those of LANDING_OLD_KEYS, separated by commas,
    which only read. Both may also be in `secrets.json`. Raises ConfigurationError.
    """
    known = secrets()
    current = known["landing_key"]
    if len(current) < SHORTEST_KEY:
        raise ConfigurationError(
            f"LANDING_KEY has {len(current)} characters, but must have at least {SHORTEST_KEY}: landed files are "
            "encrypted with it. `openssl rand -hex 24` makes one."
        )
    old = os.environ.get("LANDING_OLD_KEYS") or known.get("landing_old_keys", "")
    return (current, *(key.strip() for key in old.split(",") if key.strip()))


def lineage_key() -> str | None:
    """API key for the OpenLineage endpoint, if set."""
    return os.environ.get("OPENLINEAGE_API_KEY") or None


def dsn(role: Role) -> str:
    """libpq URL of the warehouse for a role. Raises ConfigurationError for an unknown one."""
    chosen = read()
    base = chosen.warehouse_dsn or (
        f"postgresql://postgres:{secrets()['admin_password']}@127.0.0.1:{chosen.postgres_port}/{chosen.warehouse_database}"
    )
    if role == "admin":
        return base
    if role not in (known := (*LOGINS, *ACTIVITIES)):
        raise ConfigurationError(f"There is no role {role!r}; there are admin, {', '.join(known)}.")
    parts = urlsplit(base)
    login, address = f"{role}:{quote(role_password(role), safe='')}", parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{login}@{address}", parts.path, parts.query, ""))


def role_password(role: Role) -> str:
    """The password of a role of the warehouse. Those of the activities are derived from that of `pipeline`."""
    if role in ACTIVITIES:
        return hmac.new(
            secrets()["pipeline_password"].encode(), f"warehouse role {role}".encode(), "sha256"
        ).hexdigest()
    return secrets()[f"{role}_password"]


def connection_ids(source: str) -> tuple[str, ...]:
    """Connection ids of a source: its own name, or those listed for it in FUNNEL_CONNECTIONS (a JSON object). Raises
    ConfigurationError.
    """
    text = os.environ.get("FUNNEL_CONNECTIONS") or "{}"
    try:
        listed = json.loads(text)
        chosen = listed.get(source, [source])
        if not isinstance(chosen, list) or not all(isinstance(item, str) for item in chosen):
            raise TypeError
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(
            f'FUNNEL_CONNECTIONS is {text!r}; write JSON such as {{"{source}": ["{source}", "{source}__emea"]}}.'
        ) from None
    return tuple(chosen)


def restatement(source: str) -> int | Literal["measured"] | None:
    """Days to read again by FUNNEL_RESTATEMENT (a JSON object), `measured`, or None. Raises ConfigurationError."""
    text = os.environ.get("FUNNEL_RESTATEMENT") or "{}"
    try:
        chosen = json.loads(text).get(source)
    except (ValueError, AttributeError):
        chosen = False
    if chosen is None or chosen == "measured":
        return chosen
    if isinstance(chosen, bool) or not isinstance(chosen, int) or chosen < 0:
        raise ConfigurationError(
            f'FUNNEL_RESTATEMENT is {text!r}; write JSON with a number of days or "measured" for each source, '
            f'such as {{"{source}": 14}}.'
        )
    return chosen


def connection_variable(connection_id: str) -> str:
    """Name of the environment variable that may hold a connection."""
    return f"AIRFLOW_CONN_{connection_id.upper()}"


def has_connection_variable(connection_id: str) -> bool:
    """True if the environment has this connection, which overrides one saved in Airflow."""
    return bool(os.environ.get(connection_variable(connection_id)))


def connection(connection_id: str) -> Connection:
    """The vendor connection in AIRFLOW_CONN_<ID> (JSON form). Raises ConfigurationError if it is missing
    or unreadable.
    """
    name = connection_variable(connection_id)
    text = os.environ.get(name)
    if not text:
        raise ConfigurationError(f"No connection {connection_id!r}: set {name}, see docs/connections.md.")
    try:
        fields = json.loads(text)
        extra = fields.get("extra") or {}
        return Connection(
            connection_id=connection_id,
            base_url=fields["host"].rstrip("/"),
            login=fields.get("login"),
            password=fields.get("password"),
            extra=json.loads(extra) if isinstance(extra, str) else extra,
            origin=f"from the environment variable {name}",
        )
    except (ValueError, KeyError, AttributeError):
        raise ConfigurationError(
            f"{name} is not the JSON form of a connection with a host; see docs/connections.md."
        ) from None


def connections(source: str) -> tuple[Connection, ...]:
    """All connections of a source, read from the environment."""
    return tuple(connection(connection_id) for connection_id in connection_ids(source))
