"""Settings, connection URLs and vendor connections. Only this module and `secret_store` read the environment.

It opens no connections and does not import Airflow: in a task, `orchestration` passes Airflow's own connections.
"""

import hmac
import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from funnel import release, secret_store
from funnel.contract import Connection
from funnel.secret_store import REPOSITORY as REPOSITORY
from funnel.secret_store import ConfigurationError as ConfigurationError

Number = TypeVar("Number", int, float)

Role = Literal["admin", "pipeline", "loader", "builder", "publisher", "bi_reader"]
ACTIVITIES: tuple[Role, ...] = ("loader", "builder", "publisher")
# Of persons who operate the pipeline, and take one of its activities, and of analysts.
LOGINS: tuple[Role, ...] = ("pipeline", "bi_reader")


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


def _inbox() -> str:
    """The inbox of files: a local folder, or any URL that Airflow's ObjectStoragePath reads."""
    given = os.environ.get("FUNNEL_INBOX")
    if not given:
        # The inbox that `make files` last loaded.
        noted = secret_store.home() / "inbox.txt"
        given = noted.read_text() if noted.exists() else str(secret_store.home() / "inbox")
    return given if "://" in given else str(Path(given).expanduser().resolve())


def keep_inbox(url: str) -> bool:
    """Store the inbox in this home and switch the sandbox off. Returns true if that changed something."""
    noted = secret_store.home() / "inbox.txt"
    noted.parent.mkdir(parents=True, exist_ok=True)
    is_new = not noted.exists() or noted.read_text() != url
    noted.write_text(url)
    os.environ |= {"FUNNEL_INBOX": url, "SANDBOX": "off"}
    return is_new


def _port(name: str, default: int) -> int:
    """A port from the environment, else the one that this home was started with, else the default."""
    try:
        kept = json.loads((secret_store.home() / "ports.json").read_text())
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
    sandbox_unless_stated = "off" if (secret_store.home() / "inbox.txt").exists() else "on"
    return Settings(
        home=secret_store.home(),
        warehouse_dsn=os.environ.get("WAREHOUSE_DSN") or None,
        warehouse_database=os.environ.get("WAREHOUSE_DATABASE", "warehouse"),
        postgres_port=_port("POSTGRES_PORT", 5439),
        with_sandbox=os.environ.get("SANDBOX", sandbox_unless_stated).lower() != "off",
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


# Days that each kind of data is kept, unless RETENTION_<KIND>_DAYS says otherwise. None: for ever.
RETENTION_DAYS = {"landed": None, "quarantine": 400, "details": 400, "history": None, "logs": 90}


def retention_days(kind: str) -> int | None:
    """How many days a kind of data is kept; None for ever. Raises ConfigurationError."""
    name = f"RETENTION_{kind.upper()}_DAYS"
    return RETENTION_DAYS[kind] if name not in os.environ else _number(name, 0) if os.environ[name] else None


def lineage_key() -> str | None:
    """API key for the OpenLineage endpoint, if set."""
    return os.environ.get("OPENLINEAGE_API_KEY") or None


def address() -> SplitResult:
    """URL of the warehouse without a login."""
    chosen = read()
    parts = urlsplit(
        chosen.warehouse_dsn or f"postgresql://127.0.0.1:{chosen.postgres_port}/{chosen.warehouse_database}"
    )
    return parts._replace(netloc=parts.netloc.rpartition("@")[2])


def dsn(role: Role) -> str:
    """libpq URL of the warehouse for a role. Raises ConfigurationError for an unknown one, and if this process was not
    given the role's password.
    """
    given = read().warehouse_dsn
    # On servers the URL of the environment has no login.
    if role == "admin" and given and not (secret_store.are_given() and "@" not in given):
        return given
    if role not in (known := ("admin", *LOGINS, *ACTIVITIES)):
        raise ConfigurationError(f"There is no role {role!r}; there are {', '.join(known)}.")
    name = "postgres" if role == "admin" else role
    at = address()
    return urlunsplit(at._replace(netloc=f"{name}:{quote(role_password(role), safe='')}@{at.netloc}", fragment=""))


def role_password(role: Role) -> str:
    """The password of a role of the warehouse. Those of the activities are derived from that of `pipeline`."""
    if role in ACTIVITIES:
        return hmac.new(
            secret_store.secret("pipeline_password").encode(), f"warehouse role {role}".encode(), "sha256"
        ).hexdigest()
    return secret_store.secret(f"{role}_password")


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
