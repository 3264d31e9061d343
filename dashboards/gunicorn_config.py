"""Number of processes, each with its own database connections.

The application is loaded once and forked: two workers start in the time of one.
"""

import os
from typing import Any

bind = f"{os.environ.get('SUPERSET_BIND', '127.0.0.1')}:{os.environ['SUPERSET_PORT']}"
wsgi_app = "superset.app:create_app()"
worker_class = "gthread"
workers = int(os.environ.get("SUPERSET_WORKERS", "2"))
threads = 8
preload_app = True
timeout = 120
graceful_timeout = 3
keepalive = 30
# The URL of a dashboard may contain all its filters.
limit_request_line = 0
limit_request_field_size = 0
control_socket_disable = True


def post_fork(server: Any, worker: Any) -> None:
    """Drop the connections that the parent process opened: they belong to the parent."""
    from superset.extensions import db

    with worker.app.wsgi().app_context():
        db.engine.dispose(close=False)
