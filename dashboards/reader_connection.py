"""Which login of the warehouse a query of Superset uses: that of the user for whom it runs (DSH-10).

Superset calls `choose` before every connection: for charts, filters, samples, exports, SQL Lab and metadata alike. The
stored URL of the warehouse names a login that reads nothing, so that a query for which no user is known reads nothing.
"""

import os
from typing import Any

import warehouse_logins


def choose(
    uri: Any, params: dict[str, Any], username: str | None, security_manager: Any, source: Any
) -> tuple[Any, dict[str, Any]]:
    """The setting DB_CONNECTION_MUTATOR. Other databases that an administrator adds keep their own login."""
    if uri.username != warehouse_logins.NO_GRANTS:
        return uri, params
    login = current_login(security_manager)
    return uri.set(username=login, password=password(login)), params


def current_login(security_manager: Any) -> str:
    """The login of the user of this request, by the roles that the user has now; guests read nothing."""
    from flask import g, has_app_context

    user = getattr(g, "user", None) if has_app_context() else None
    if user is None or not user.is_authenticated or getattr(user, "is_guest_user", False):
        return warehouse_logins.NO_GRANTS
    return warehouse_logins.reading(role.name for role in security_manager.get_user_roles(user)).login


def password(login: str) -> str:
    """The password of a login of the warehouse."""
    return warehouse_logins.password(os.environ["SUPERSET_SECRET_KEY"], login)
