"""TCP ports of this machine: free ones, and the processes that use the others."""

import socket

from installation.errors import ServerError


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """True if a server could listen on the port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """The process that listens on the port, as far as this user may see it, for an error text."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                process = psutil.Process(connection.pid)
                command = " ".join(process.cmdline()) or process.name()
                return f"process {connection.pid} ({command[:120]})"
    except (psutil.Error, OSError):
        return "a process of another user"
    return "a process of another user"


def assert_port_is_free(port: int) -> None:
    """Raises ServerError if the port is in use."""
    if not is_port_free(port):
        raise ServerError(f"Port {port} is taken by {port_holder(port)}. Stop it, or set POSTGRES_PORT to a free port.")
