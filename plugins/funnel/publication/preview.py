"""The plan of a build, made in a transaction that can only read, without a lock that readers or loads wait for."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from funnel import ledger, warehouse
from funnel.publication import publication
from funnel.publication.errors import PublishError
from funnel.publication.plan import Plan


def preview(build_id: int | None = None) -> Plan:
    """What publishing this build, or the newest one, would change; an empty plan for the build that readers see.

    Raises PublishError if the build may not be published, apart from a hold or an approval, or if a build is under way.
    """
    connection = warehouse.connect("publisher")
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection, connection.transaction():
        # Shared: a build waits for the seconds that this takes; loads and readers do not.
        row = connection.execute("select pg_try_advisory_xact_lock_shared(%s)", (ledger.BUILD_LOCK,)).fetchone()
        if not row or not row[0]:
            raise PublishError("A build is under way and changes the marts. Make the plan when it has ended.")
        build = publication.find_build(connection, build_id or _newest(connection))
        previous = ledger.publication_in_effect(connection)
        if previous and previous["build_id"] == build["build_id"]:
            return Plan(build["build_id"], previous["publication_id"], {})
        publication.assert_audited(connection, build)
        return publication.plan_of(connection, build, previous)


def _newest(connection: psycopg.Connection[Any]) -> int:
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute("select max(build_id) as build_id from ops.builds").fetchone()
    if not found or found["build_id"] is None:
        raise PublishError("Nothing has been built yet: run `make build` first.")
    return int(found["build_id"])
