"""The HTTP connection to a vendor: certificates, timeouts, proxies; and the hooks of recordings."""

import ssl
from collections.abc import Callable
from functools import cache

import certifi
import httpx

from funnel.contract import Connection
from funnel.rest.errors import refuse

# Recordings replace these: one records requests and responses, the other replays them instead of a network.
tap: Callable[[httpx.Client], None] | None = None
transport: httpx.BaseTransport | None = None
USER_AGENT = "funnel-warehouse/0.1"
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 120.0  # Salesforce lets a query run for two minutes


@cache
def _trust(ca_file: str) -> ssl.SSLContext:
    # Reading the certificates takes longer than a request; one process reads many streams.
    return ssl.create_default_context(cafile=ca_file)


def open_http(source: str, connection: Connection) -> httpx.Client:
    """An HTTP client for one connection; see `client.connect` for its settings."""
    ca_file = connection.extra.get("ca_file")
    try:
        verify = _trust(ca_file or certifi.where())
    except OSError as error:
        raise refuse(
            source,
            connection,
            f"ca_file {ca_file} cannot be read ({error.strerror or error})",
            "Write the path of a PEM file that the worker can read into ca_file.",
        ) from None
    http = httpx.Client(
        timeout=httpx.Timeout(
            float(connection.extra.get("timeout_seconds", READ_TIMEOUT)),
            connect=CONNECT_TIMEOUT,
        ),
        limits=httpx.Limits(max_connections=2, max_keepalive_connections=2),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        verify=verify,
        follow_redirects=False,
        # A server on this machine is reached without the environment's proxy.
        mounts={"all://127.0.0.1": None, "all://localhost": None},
        transport=transport,
    )
    if tap is not None:
        tap(http)
    return http
