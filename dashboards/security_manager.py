"""Superset's security manager: it caches a user's permissions for some seconds and refuses SQL of viewers.

Superset asks its database for every single permission, several times for each chart: a quarter of the work of showing a
dashboard. A revoked permission ends SECONDS later. Row-level security is evaluated for every chart.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any

from cachetools import TTLCache
from expressions import find_expression
from flask import Response, g, request
from flask_appbuilder.security.api import SecurityApi
from flask_appbuilder.utils.limit import Limit
from flask_limiter.util import get_remote_address
from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
from superset.exceptions import SupersetSecurityException
from superset.security import SupersetSecurityManager

SECONDS = 10
REFUSED = (
    "Your roles may read the columns and metrics of a dataset, not write SQL: {} is neither. "
    "Ask for a metric in the semantic layer, or query the warehouse with a login of your own."
)


def _user_and_address() -> str:
    given = request.get_json(silent=True)
    return f"{given.get('username') if isinstance(given, dict) else ''} {get_remote_address()}"


def _is_refused(answer: Response) -> bool:
    return answer.status_code in (400, 401)


class LoginApi(SecurityApi):
    """Logging in by the API, which Superset does not limit, as slow as by the form: only wrong passwords count."""

    limits = [  # noqa: RUF012 - the framework's own form
        Limit("10 per minute", key_func=_user_and_address, deduct_when=_is_refused),
        Limit("30 per minute", key_func=get_remote_address, deduct_when=_is_refused),
    ]


class SecurityManager(SupersetSecurityManager):
    """Superset's manager with a cache; in addition, nothing is public, and only users of SQL Lab write SQL."""

    security_api = LoginApi

    def is_item_public(self, permission_name: str, view_name: str) -> bool:
        """Always false."""
        return False

    def _has_view_access(self, user: Any, permission_name: str, view_name: str) -> bool:
        question = ("access", user.id, permission_name, view_name)
        return _remembered(
            question, lambda: super(SecurityManager, self)._has_view_access(user, permission_name, view_name)
        )

    def user_view_menu_names(self, permission_name: str) -> set[str]:
        """The views of the current user with this permission, from the cache."""
        question = ("views", getattr(g.user, "id", None), permission_name)
        return _remembered(question, lambda: super(SecurityManager, self).user_view_menu_names(permission_name))

    def raise_for_access(self, **asked: Any) -> None:
        """Superset's check; then SQL in a request for data is refused unless the user may use SQL Lab. Raises
        SupersetSecurityException.
        """
        super().raise_for_access(**asked)
        context, chart = asked.get("query_context"), asked.get("viz")
        if not (context or chart) or self.can_access("can_execute_sql_query", "SQLLab"):
            return
        if chart:
            self._refuse("a request of Superset's old form")
        columns = {each.column_name for each in context.datasource.columns}
        metrics = {each.metric_name for each in context.datasource.metrics}
        for query in context.queries:
            if found := find_expression(query, columns, metrics):
                self._refuse(found)

    def _refuse(self, what: str) -> None:
        raise SupersetSecurityException(
            SupersetError(
                message=REFUSED.format(what),
                error_type=SupersetErrorType.DATASOURCE_SECURITY_ACCESS_ERROR,
                level=ErrorLevel.WARNING,
            )
        )


_answers: TTLCache[tuple[Any, ...], Any] = TTLCache(maxsize=20_000, ttl=SECONDS)
_lock = Lock()


def _remembered(question: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
    with _lock:
        answer = _answers.get(question)
    if answer is None:
        answer = ask()
        with _lock:
            _answers[question] = answer
    return answer
