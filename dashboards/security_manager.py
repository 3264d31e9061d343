"""Superset's security manager, which caches a user's permissions for some seconds.

Superset asks its database for every single permission, several times for each chart: a quarter of the work of showing a
dashboard. A revoked permission ends SECONDS later. Row-level security is evaluated for every chart.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any

from cachetools import TTLCache
from flask import g
from superset.security import SupersetSecurityManager

SECONDS = 10


class SecurityManager(SupersetSecurityManager):
    """Superset's manager with a cache; in addition, nothing is public."""

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
