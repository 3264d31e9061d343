"""Configuration of the embedded PostgreSQL server."""

from collections.abc import Mapping
from pathlib import Path

DEFAULT_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    # For the pipeline, Airflow and Superset itself: readers that take all others stop none of them.
    "reserved_connections": "60",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    # Nothing replicates an embedded server: rows of a new table are flushed at the commit and not logged in addition.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "30min",
    "random_page_cost": "1.1",
    "password_encryption": "scram-sha-256",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "iso, ymd",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.simple",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # The wheel has no LLVM; on a local server with it, compiling costs more than it saves on tables of this size.
    "jit": "off",
}

# Settings that older servers do not know, with the first version that does.
SINCE = {"reserved_connections": 16}

# Shares of the machine's memory, in MB and within bounds: Airflow runs on the same machine, and a laptop has little.
SHARED_BUFFERS, SMALLEST_BUFFERS, LARGEST_BUFFERS = 1 / 8, 256, 2048
EFFECTIVE_CACHE = 1 / 2

HBA = """\
# TYPE  DATABASE  USER  ADDRESS       METHOD
local   all       all                 scram-sha-256
host    all       all   127.0.0.1/32  scram-sha-256
"""


def configuration(port: int, socket_dir: Path, settings: Mapping[str, str], major: int) -> str:
    """The text of postgresql.conf for a server of this version."""
    placed = {"port": str(port), "unix_socket_directories": str(socket_dir)}
    known = {name: value for name, value in DEFAULT_SETTINGS.items() if major >= SINCE.get(name, 0)}
    chosen = {**known, **_memory_settings(), **settings, **placed}
    lines = [f"{name} = {_quoted(value)}" for name, value in chosen.items()]
    return "# Written at every start; lasting changes belong to installation.configuration.\n" + "\n".join(lines) + "\n"


def _memory_settings() -> dict[str, str]:
    import psutil

    total = psutil.virtual_memory().total / 2**20
    buffers = min(max(total * SHARED_BUFFERS, SMALLEST_BUFFERS), LARGEST_BUFFERS)
    return {
        "shared_buffers": f"{buffers:.0f}MB",
        "effective_cache_size": f"{max(total * EFFECTIVE_CACHE, buffers):.0f}MB",
    }


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
