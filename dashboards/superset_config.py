"""Superset's settings. Every secret and address comes from the environment; nothing here differs between machines.

It uses no Redis, no Celery and no other host: caches are files, and pages send requests to this server only.
"""

import os
import re
from pathlib import Path
from typing import Any

import reader_connection
import small_screen
import start
import warehouse_day
from security_manager import SecurityManager
from superset.errors import SupersetErrorType
from superset.utils.log import AbstractEventLogger

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_DATABASE_URI"]
HOME = Path(os.environ["SUPERSET_HOME"])
# Behind a TLS proxy: cookies are sent over HTTPS only, and the proxy's headers are trusted.
IS_BEHIND_TLS = os.environ.get("SUPERSET_TLS", "off").lower() == "on"

APP_NAME = "Funnel"
FAVICONS = [{"href": "/start/mark.svg", "type": "image/svg+xml"}]
FEATURE_FLAGS = {
    "DASHBOARD_RBAC": True,
    "DRILL_BY": True,
    "DRILL_TO_DETAIL": True,
    "HORIZONTAL_FILTER_BAR": True,
    # Headline numbers with their change against the period before.
    "CHART_PLUGINS_EXPERIMENTAL": True,
    "ALERT_REPORTS": False,
    "EMBEDDED_SUPERSET": False,
}

# --- who gets in ---------------------------------------------------------------------------------------------------

CUSTOM_SECURITY_MANAGER = SecurityManager
PUBLIC_ROLE_LIKE = None
AUTH_USER_REGISTRATION = False
WTF_CSRF_ENABLED = True
ENABLE_CORS = False
ENABLE_PROXY_FIX = IS_BEHIND_TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = IS_BEHIND_TLS
PREVENT_UNSAFE_DB_CONNECTIONS = True
# The warehouse is read with the login of the user's regions and dashboards: see reader_connection.
DB_CONNECTION_MUTATOR = reader_connection.choose
CUSTOM_DATABASE_ERRORS = {
    "Warehouse": {
        re.compile('(role "reader_|authentication failed for user "reader_)'): (
            "The warehouse has no login for your roles yet. Ask the administrator to run `make dashboards`.",
            SupersetErrorType.CONNECTION_ACCESS_DENIED_ERROR,
            {},
        ),
        re.compile("permission denied for (table|view|schema)"): (
            "Your roles may not read this data: it is of another dashboard, or of all regions.",
            SupersetErrorType.CONNECTION_DATABASE_PERMISSIONS_ERROR,
            {},
        ),
    }
}
# Rate-limit login attempts.
RATELIMIT_ENABLED = True
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = "30 per minute"

# It also blocks the tracking pixel that Superset's pages request.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        # The charting library writes its styles into the page.
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": IS_BEHIND_TLS,
}
THEME_FONT_URL_ALLOWED_DOMAINS: list[str] = []
THEME_DARK = None
ENABLE_UI_THEME_ADMINISTRATION = False

# --- caches --------------------------------------------------------------------------------------------------------

# Chart data are cached under the number of the publication they were read from: see publication_cache.
DATA_CACHE_CONFIG = {
    "CACHE_TYPE": "publication_cache.PublicationCache",
    "CACHE_DIR": str(HOME / "cache" / "data"),
    "CACHE_THRESHOLD": 2000,
    "CACHE_DEFAULT_TIMEOUT": 86_400,
}
CACHE_CONFIG = {
    "CACHE_TYPE": "FileSystemCache",
    "CACHE_DIR": str(HOME / "cache" / "metadata"),
    "CACHE_THRESHOLD": 500,
    "CACHE_DEFAULT_TIMEOUT": 3600,
}
# An open dashboard refreshes itself; data that have not changed come from the cache.
DASHBOARD_AUTO_REFRESH_MODE = "fetch"
SUPERSET_DASHBOARD_PERIODICAL_REFRESH_LIMIT = 0

# --- data ----------------------------------------------------------------------------------------------------------

ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
SUPERSET_WEBSERVER_TIMEOUT = 60
SQLLAB_TIMEOUT = 60
# CSV with a byte order mark: spreadsheets then read special characters correctly.
CSV_EXPORT = {"encoding": "utf-8-sig"}

# The names of scripts contain a hash of their content, so they can be cached for long.
SEND_FILE_MAX_AGE_DEFAULT = 31_536_000

# --- what is switched off ------------------------------------------------------------------------------------------


class NoEventLogger(AbstractEventLogger):
    """Clicks are not stored: writing a row for every viewed chart takes a tenth of the time of showing it."""

    def log(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""


EVENT_LOGGER = NoEventLogger()

SCARF_ANALYTICS = False
FAB_ADD_SECURITY_API = True
LANGUAGES: dict[str, dict[str, str]] = {}
THUMBNAIL_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}


def FLASK_APP_MUTATOR(app: Any) -> None:
    """What no setting stops: time ranges by the machine's clock, charts that move while they are drawn, a connection to
    the warehouse for each chart though its data are in the cache, and storing colours."""
    from flask import Response, request
    from jinja2 import ChoiceLoader, FileSystemLoader
    from superset.db_engine_specs.postgres import PostgresEngineSpec

    warehouse_day.install()
    start.install(app)
    small_screen.install(app)
    # Superset's pages include templates that are empty until an installation has its own.
    app.jinja_loader = ChoiceLoader([FileSystemLoader(Path(__file__).parent / "templates"), app.jinja_loader])
    app.config["THEME_DEFAULT"]["token"] |= {
        "brandLogoUrl": "/start/mark.svg",
        "brandLogoAlt": APP_NAME,
        "brandLogoHref": "/start/",
    }

    app.config["THEME_DEFAULT"]["echartsOptionsOverrides"] = {"animation": False}
    app.config["THEME_DEFAULT"]["token"]["motion"] = False

    # Called for the cache key; the tables of a dataset are named with their schema.
    ask = PostgresEngineSpec.get_default_schema
    found: dict[tuple[int, str | None], str | None] = {}

    def default_schema(database: Any, catalog: str | None) -> str | None:
        key = (database.id, catalog)
        if key not in found:
            found[key] = ask(database, catalog)
        return found[key]

    PostgresEngineSpec.get_default_schema = staticmethod(default_schema)

    @app.before_request  # type: ignore[untyped-decorator]
    def answer() -> Any:
        if (
            request.method == "PUT"
            and request.path.startswith("/api/v1/dashboard/")
            and request.path.endswith("/colors")
        ):
            # Colours are in the files of this folder; a reader may not write them, and needs no error message.
            return Response('{"result": {}}', mimetype="application/json")
        return None
