"""The list of bypasses, tried at the database as each role: nothing leaks, and the list notices a missing policy.

tests/dashboards/test_bypasses.py tries Superset's API.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dashboards.warehouse_logins import NO_GRANTS
from funnel import settings
from funnel.publication import row_security
from tests.conftest import fresh_warehouse
from tests.publication.bypasses import ACTS, MARK, READS, Attempt
from tests.publication.shown_company import EMEA, ONLY_FUNNEL, connect, connect_as, shown_company

Connect = Callable[[], psycopg.Connection[Any]]


@dataclass(frozen=True)
class Role:
    """Who tries: how it connects, the table that it must not see, and whether it may see a marked text."""

    connect: Connect
    table: str
    may_see: Callable[[str, str, str], bool]

    def sql(self, attempt: Attempt) -> str:
        secret = f"select string_agg(channel, ' ') from {self.table}"
        return attempt.sql.replace("{secret}", secret).replace("{table}", self.table)


def of_role(role: settings.Role) -> Connect:
    return lambda: psycopg.connect(settings.dsn(role), autocommit=True)


# The tables that the datasets of the dashboard Funnel read.
FUNNEL = "fctfunneldaily fctfunnelmonthly fctfunnelbridge dimchannels dimcampaigns"
ROLES = {
    "viewer of nothing": Role(lambda: connect_as(NO_GRANTS), "bi.fct_funnel_daily", lambda *mark: False),
    "viewer of one dashboard": Role(
        lambda: connect(ONLY_FUNNEL),
        "bi.fct_orders",
        lambda schema, table, _: schema == "bi" and table in FUNNEL.split(),
    ),
    "viewer of one region": Role(
        lambda: connect(EMEA), "bi.fct_funnel_daily", lambda schema, _, region: (schema, region) == ("bi", "emea")
    ),
    "viewer of one region, of a view": Role(
        lambda: connect(EMEA),
        "bi.fct_opportunities_daily_default",
        lambda schema, _, region: (schema, region) == ("bi", "emea"),
    ),
    "analyst": Role(of_role("bi_reader"), "bi_history.fct_orders", lambda schema, *_: schema == "bi"),
    "loader": Role(of_role("loader"), "bi.fct_orders", lambda schema, *_: schema == "raw"),
}


@pytest.fixture(scope="module")
def company(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with (
        pytest.MonkeyPatch.context() as patch,
        fresh_warehouse(cluster_home, patch, tmp_path_factory.mktemp("bypasses")) as dsn,
        shown_company(patch, dsn, [ONLY_FUNNEL]),
    ):
        yield


def tried(name: str, attempt: Attempt) -> tuple[str, bool]:
    """What a role got of an attempt, in words, and whether it leaked."""
    role = ROLES[name]
    try:
        with role.connect() as connection:
            got = str(answers(connection, role.sql(attempt)))
        error = None
    except psycopg.Error as raised:
        got, error = str(raised), type(raised).__name__
    hidden = [mark for mark in MARK.findall(got.lower()) if not role.may_see(*mark)]
    if hidden:
        return f"LEAK: {hidden[0]}", True
    if error:
        return error, False
    if not attempt.is_act:
        return ("its own rows" if MARK.search(got) else "nothing"), False
    return ("its work", False) if name in attempt.allowed else ("LEAK: done", True)


def answers(connection: psycopg.Connection[Any], sql: str) -> list[Any]:
    """The rows of every statement."""
    if sql.startswith("copy") and sql.endswith("stdout"):
        with connection.cursor().copy(sql.encode()) as copied:
            return [bytes(block) for block in copied]
    cursor, found = connection.execute(sql.encode()), []
    while True:
        found += cursor.fetchall() if cursor.description else []
        if not cursor.nextset():
            return found


@pytest.mark.parametrize("name", ROLES)
def test_no_attempt_leaks(company: None, name: str, record_property: Callable[[str, object], None]) -> None:
    attempts = [*READS, *ACTS]
    assert len(attempts) >= 40
    leaks = []
    for attempt in attempts:
        got, is_leak = tried(name, attempt)
        record_property("bypass", [f"psql: {attempt.name}", name, got])
        if is_leak:
            leaks.append((attempt.name, got))
    assert leaks == []


def test_a_stranger_does_not_log_in(company: None) -> None:
    for user, password in (
        ("", ""),
        ("bi_reader", "guessed"),
        (NO_GRANTS, ""),
        ("postgres", "postgres"),
    ):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(settings.dsn("admin"), user=user or "stranger", password=password)


# --- the list can fail ----------------------------------------------------------------------------------------------

# For a superuser they need a role with rights of its own, or statistics that the server did not collect.
IMPOTENT = ("set role of all regions", "pg_stats_ext", "pg_statistic_ext_data", "queries of other sessions")


def test_every_attempt_to_read_leaks_to_a_superuser(company: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROLES, "analyst", Role(of_role("admin"), "bi.fct_funnel_daily", lambda *mark: False))
    got = {each.name: tried("analyst", each) for each in READS}
    # The server may be built without XML.
    assert [
        name for name, (_, is_leak) in got.items() if not is_leak and got[name][0] != "FeatureNotSupported"
    ] == list(IMPOTENT)


@contextmanager
def without_policy() -> Iterator[None]:
    """The table has no row security, as if the policy had been forgotten."""
    with psycopg.connect(settings.dsn("publisher"), autocommit=True) as publisher:
        publisher.execute("alter table bi.fct_funnel_daily disable row level security")
        try:
            yield
        finally:
            row_security.secure(publisher)


def test_the_list_notices_a_missing_policy(company: None) -> None:
    with without_policy():
        leaks = [attempt.name for attempt in READS if tried("viewer of one region", attempt)[1]]
    assert "the query itself" in leaks
    assert len(leaks) > 5
    assert not tried("viewer of one region", READS[9])[1]


def test_the_list_notices_a_function_that_everyone_may_call_but_row_security_holds(company: None) -> None:
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute("grant execute on function ts_rewrite(tsquery, text), query_to_xml to public")
        try:
            # As on a server whose administrator may not revoke it.
            assert tried("viewer of one region", READS[0]) == ("its own rows", False)
            assert tried("viewer of one dashboard", READS[0]) == ("InsufficientPrivilege", False)
        finally:
            admin.execute("revoke execute on function ts_rewrite(tsquery, text), query_to_xml from public")
