"""Reads vendor connections from Airflow's secrets backend, environment or database."""

from typing import Any

from airflow.sdk import (
    BaseHook,
)
from airflow.sdk.exceptions import AirflowException

from funnel import contract, settings


def airflow_connection(connection_id: str) -> contract.Connection:
    """A vendor connection from Airflow's secrets backend, environment or database. Raises ConfigurationError if it is
    missing.
    """
    try:
        found = BaseHook.get_connection(connection_id)
    except AirflowException as error:
        raise settings.ConfigurationError(
            f"Airflow has no connection {connection_id!r} ({error}); docs/connections.md says how to make it."
        ) from None
    if not found.host:
        raise settings.ConfigurationError(f"Connection {connection_id!r} has no host; see docs/connections.md.")
    host = found.host if "://" in found.host else f"https://{found.host}"
    port = f":{found.port}" if found.port else ""
    return contract.Connection(
        connection_id=connection_id,
        base_url=host.rstrip("/") + port,
        login=found.login,
        password=found.password,
        extra=found.extra_dejson,
        origin=connection_origin(connection_id),
    )


def connection_origin(connection_id: str) -> str:
    """Where Airflow found a connection, for messages: the first of backend, environment and database that has it."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    for backend in ensure_secrets_backend_loaded():
        name = type(backend).__name__
        if name == "EnvironmentVariablesBackend":
            if settings.has_connection_variable(connection_id):
                return f"from the environment variable {settings.connection_variable(connection_id)}"
        elif name in ("ExecutionAPISecretsBackend", "MetastoreBackend"):
            return "saved in Airflow"
        elif _has_connection(backend, connection_id):
            return f"from the secrets backend {name}"
    return "saved in Airflow"


def _has_connection(backend: Any, connection_id: str) -> bool:
    try:
        return backend.get_connection(conn_id=connection_id) is not None
    except Exception:
        # As Airflow does: a failing backend is skipped.
        return False


def inbox_connection(connection_id: str) -> contract.Connection:
    """A connection for a source of the inbox, with the file system that ObjectStoragePath opens for it."""
    url, filesystem = inbox()
    return contract.Connection(connection_id, url, extra={"filesystem": filesystem})


def inbox() -> tuple[str, Any]:
    """The path of the inbox and, on object storage, its file system with Airflow's credentials."""
    from airflow.sdk import ObjectStoragePath

    inbox = settings.read().inbox
    if "://" not in inbox:
        return inbox, None
    path = ObjectStoragePath(inbox)
    return path.path, path.fs
