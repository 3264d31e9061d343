"""The logins by which the dashboards read the warehouse: one for each set of dashboards and regions (DSH-10).

It depends on neither Superset nor a database: the installation makes the logins with the names and passwords that
Superset computes from a user's roles.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass

PREFIX = "reader_"
# Reads nothing: for users without a grant, for guests, and where no user asks. Superset stores its name in the URL.
NO_GRANTS = f"{PREFIX}nothing"
# Reads only which publication is in effect, for the cache of charts and the days of their periods.
PUBLICATION = f"{PREFIX}publication"
IN_EFFECT = "select publication_id, as_of from ops.publication_in_effect"
DASHBOARD, REGION = "Dashboard: ", "Region: "
# Superset's roles that may use every dataset.
ALL_DATASETS = ("Admin", "Alpha")


@dataclass(frozen=True)
class Reading:
    """What a user may read. `reads_all`: all of `bi` and `ops`, narrowed to `regions` if there are some."""

    dashboards: frozenset[str]
    regions: frozenset[str]
    reads_all: bool = False

    @property
    def login(self) -> str:
        """The name of its login, the same in every process."""
        if not (self.dashboards or self.reads_all):
            return NO_GRANTS
        text = json.dumps([sorted(self.dashboards), sorted(self.regions), self.reads_all])
        return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        read = "all datasets" if self.reads_all else ", ".join(sorted(self.dashboards)) or "nothing"
        return f"{read}; {', '.join(sorted(self.regions)) or 'all regions'}"


def reading(roles: Iterable[str]) -> Reading:
    """What a user with these Superset roles may read: the union of them."""
    held = set(roles)
    reads_all = not held.isdisjoint(ALL_DATASETS)
    dashboards = frozenset(name.removeprefix(DASHBOARD) for name in held if name.startswith(DASHBOARD))
    regions = frozenset(name.removeprefix(REGION) for name in held if name.startswith(REGION))
    return Reading(frozenset() if reads_all else dashboards, regions, reads_all)


def password(secret: str, login: str) -> str:
    """The password of a login, derived from the installation's secret."""
    return hmac.new(secret.encode(), f"warehouse login {login}".encode(), hashlib.sha256).hexdigest()
