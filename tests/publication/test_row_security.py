"""What PostgreSQL itself shows the logins of the dashboards, without Superset."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dashboards import warehouse_logins
from funnel import ledger, settings
from funnel import warehouse as catalogue
from funnel.publication import row_security
from installation import readers
from tests.conftest import fresh_warehouse
from tests.publication.bypasses import MARK, mark
from tests.publication.shown_company import (
    EMEA,
    EMEA_LISTS,
    EMEA_TRUST,
    ONLY_FUNNEL,
    ONLY_LISTS,
    REGIONS,
    connect,
    connect_as,
    shown_company,
)
from tests.publication.small_marts import run

ALL = [
    "Viewer",
    "Dashboard: funnel",
    "Dashboard: alignment",
    "Dashboard: money",
    "Dashboard: pipeline",
    "Dashboard: trust",
]
ADMIN = ["Admin"]
# The sets of dashboards and regions that users of this company have.
SETS = [ONLY_FUNNEL, EMEA_TRUST, ONLY_LISTS, EMEA_LISTS]


@pytest.fixture(scope="module")
def company(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with (
        pytest.MonkeyPatch.context() as patch,
        fresh_warehouse(cluster_home, patch, tmp_path_factory.mktemp("company")) as dsn,
        shown_company(patch, dsn, SETS),
    ):
        yield


def asked(roles: list[str], query: str) -> list[tuple[Any, ...]]:
    with connect(roles) as reader:
        return reader.execute(query.encode()).fetchall()


def test_a_region_sees_its_rows_and_neither_totals_nor_rows_without_a_region(company: None) -> None:
    for query in queries("funnel", "money", "pipeline"):
        found = asked(EMEA, query)
        assert {region for _, _, region in MARK.findall(str(found))} <= {"emea"}, query
    assert MARK.findall(str(asked(EMEA, "select channel from bi.fct_funnel_daily")))
    assert asked(EMEA, "select region, count(*) from bi.fct_funnel_daily group by region") == [("EMEA", 1)]
    assert asked(EMEA, "select campaign_name from bi.dim_campaigns") == [(mark("bi", "dim_campaigns", "EMEA"),)]
    assert asked(EMEA, "select channel, stage from bi.fct_funnel_bridge") == []


def test_a_view_shows_the_rows_that_its_reader_sees_in_the_table(company: None) -> None:
    view, query = "bi.fct_opportunities_daily_default", "select region from bi.fct_opportunities_daily_default"
    assert {region for (region,) in run("bi_reader", query)} == set(REGIONS)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(EMEA, query)
    login = warehouse_logins.reading(EMEA).login
    for relation in (view, "bi.fct_opportunities_daily"):
        run("admin", f'grant select on {relation} to "{login}"')
    assert asked(EMEA, query) == [("EMEA",)]
    for relation in (view, "bi.fct_opportunities_daily"):
        run("admin", f'revoke select on {relation} from "{login}"')


def test_all_regions_are_seen_by_users_without_a_region(company: None) -> None:
    for roles in (ONLY_FUNNEL, ALL, ADMIN):
        assert asked(roles, "select count(distinct region) from bi.fct_funnel_daily") == [(6,)], roles
    assert asked(ALL, "select count(*) from bi.fct_funnel_bridge") == [(6,)]


@pytest.mark.parametrize("table", ["fct_orders", "dim_people", "rpt_identity", "fct_opportunities"])
def test_a_user_of_one_dashboard_reads_no_table_of_another(company: None, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(ONLY_FUNNEL, f"select count(*) from bi.{table}")


def test_a_login_reads_the_columns_of_its_datasets_and_no_other(company: None) -> None:
    asked(ALL, "select source, rows_read from ops.loads")
    for column in ("landing", "refused", "conflicts"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asked(ALL, f"select {column} from ops.loads")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(ALL, "select hashed_payload from ops.quarantine")


def test_a_region_reads_nothing_of_ops(company: None) -> None:
    with psycopg.connect(settings.dsn("admin")) as admin:
        relations = [
            f"ops.{name}"
            for (name,) in admin.execute(
                "select relname from pg_class where relnamespace = 'ops'::regnamespace and relkind in ('r', 'v')"
            )
        ]
    assert len(relations) > 15
    for relation in relations:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asked(EMEA_TRUST, f"select 1 from {relation}")


def test_a_user_without_a_grant_reads_nothing(company: None) -> None:
    assert warehouse_logins.reading(["Viewer", "Region: EMEA"]).login == warehouse_logins.NO_GRANTS
    with psycopg.connect(settings.dsn("admin")) as admin:
        shown = [f"bi.{name}" for name in catalogue.tables(admin, "bi")]
    for relation in (*shown, "bi.data_status", "ops.loads", "access.logins"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect_as(warehouse_logins.NO_GRANTS) as nobody:
            nobody.execute(f"select 1 from {relation}".encode())


def test_no_view_that_readers_may_read_passes_over_row_security(company: None) -> None:
    """A view reads with its owner's rights, unless it is a security_invoker."""
    query = """
        select view.oid::regclass::text
        from pg_class as view
        inner join pg_rewrite as rule on rule.ev_class = view.oid
        inner join pg_depend as used on used.objid = rule.oid and used.refclassid = 'pg_class'::regclass
        inner join pg_class as read on read.oid = used.refobjid
        where view.relnamespace in ('bi'::regnamespace, 'ops'::regnamespace) and read.relrowsecurity
        and not coalesce('security_invoker=true' = any(view.reloptions), false)
    """
    with psycopg.connect(settings.dsn("admin")) as admin:
        assert admin.execute(query).fetchall() == []


def test_a_table_without_policies_is_found_by_these_tests(company: None) -> None:
    with psycopg.connect(settings.dsn("publisher"), autocommit=True) as publisher:
        publisher.execute("alter table bi.fct_funnel_daily disable row level security")
        assert len(asked(EMEA, "select distinct region from bi.fct_funnel_daily")) == 6
        row_security.secure(publisher)
    assert asked(EMEA, "select distinct region from bi.fct_funnel_daily") == [("EMEA",)]


def test_drivers_of_any_two_periods_are_those_of_the_readers_regions(company: None) -> None:
    """The function reads with the rights of its caller; every region won 1 on the day, and nothing before."""
    query = (
        "select region, sum(volume_effect + rate_effect + value_effect) "
        "from bi.won_amount_drivers('2026-11-01', '2026-11-01', '2026-10-01', '2026-10-01') group by region"
    )
    assert asked(EMEA, query) == [("EMEA", 1)]
    assert len(asked(ONLY_FUNNEL, query)) == 6
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(EMEA_TRUST, query)


# --- kept up to date ----------------------------------------------------------------------------------------------


def test_a_second_run_writes_nothing(company: None) -> None:
    def written() -> Any:
        versions = """
            select
                (select array_agg(oid::text || xmin::text order by oid) from pg_policy),
                (select array_agg(attrelid::text || attname || xmin::text order by 1) from pg_attribute
                where attacl is not null),
                (select array_agg(roleid::text || member::text || xmin::text order by 1) from pg_auth_members)
        """
        with psycopg.connect(settings.dsn("admin")) as admin:
            return admin.execute(versions.encode()).fetchone()

    before = written()
    readers.prepare_readers()
    assert written() == before


def test_a_new_table_and_a_new_column_are_covered_in_the_transaction_that_makes_them(company: None) -> None:
    with psycopg.connect(settings.dsn("publisher")) as publisher:

        def policies(table: str) -> list[str]:
            query = "select policyname from pg_policies where tablename = %s order by 1"
            return [name for (name,) in publisher.execute(query, (table,))]

        publisher.execute("create table bi.fct_new (region text)")
        row_security.secure(publisher)
        regional = ["All regions", "Region: APAC", "Region: Americas", "Region: EMEA"]
        assert sorted(policies("fct_new")) == regional
        row_security.release_region(publisher, "fct_new")
        publisher.execute("alter table bi.fct_new drop column region, add column note text")
        row_security.secure(publisher)
        assert policies("fct_new") == ["All regions"]
        publisher.rollback()


def test_a_set_that_no_user_has_any_more_loses_its_login(company: None, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = ["Viewer", "Dashboard: alignment"]
    monkeypatch.setattr(readers, "_superset_users", lambda: [*SETS, gone])
    readers.prepare_readers()
    assert asked(gone, "select count(*) from bi.rpt_alignment_scorecard") == [(6,)]
    monkeypatch.setattr(readers, "_superset_users", lambda: SETS)
    readers.prepare_readers()
    with psycopg.connect(settings.dsn("admin")) as admin:
        login = warehouse_logins.reading(gone).login
        assert admin.execute("select 1 from pg_roles where rolname = %s", (login,)).fetchone() is None


def queries(*slugs: str) -> list[str]:
    """The SQL of the datasets of these dashboards."""
    boards, datasets = readers.datasets_of_dashboards(), readers.queries_of_datasets()
    return [query for slug in slugs for name in boards[slug] for query in datasets[name]]


def test_every_dataset_of_a_dashboard_can_be_read_by_its_users(company: None) -> None:
    for slug in readers.datasets_of_dashboards():
        roles = {"funnel": ONLY_FUNNEL, "records": ONLY_LISTS}.get(slug, ALL)
        for query in queries(slug):
            asked(roles, query)


def test_lists_are_read_with_their_own_role_and_by_region(company: None) -> None:
    lists = [query for query in queries("records") if "fct_leads" in query or "fct_orders" in query]
    assert len(lists) == 3
    for query in lists:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asked(ALL, query)
        found = asked(EMEA_LISTS, query)
        assert {region for _, _, region in MARK.findall(str(found))} == {"emea"}, query
    for column in ("person_key", "landing_page"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asked(ONLY_LISTS, f"select {column} from bi.fct_leads")


def test_the_ledger_covers_tables_that_were_published_before_it(company: None) -> None:
    assert ledger.migrate() == []


def test_an_installation_of_before_is_secured_by_its_first_start(
    warehouse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(settings.dsn("admin")) as admin:
        admin.execute("drop schema access cascade")
        admin.execute("delete from public.schema_migrations where name = '0030_access.sql'")
    with psycopg.connect(settings.dsn("publisher")) as publisher:
        for region in ("EMEA", "APAC"):
            publisher.execute("create table if not exists bi.fct_funnel_steps (region text, channel text)")
            publisher.execute("insert into bi.fct_funnel_steps values (%s, %s)", (region, region))
    assert ledger.migrate() == ["0030_access.sql"]
    with psycopg.connect(settings.dsn("admin")) as admin:
        secured = "select relrowsecurity from pg_class where oid = 'bi.fct_funnel_steps'::regclass"
        assert admin.execute(secured).fetchone() == (True,)
    with psycopg.connect(settings.dsn("bi_reader")) as people:
        assert people.execute("select count(*) from bi.fct_funnel_steps").fetchone() == (2,)
    monkeypatch.setattr(readers, "_superset_users", lambda: [EMEA])
    read = {"one": ["select region, channel from bi.fct_funnel_steps"]}
    monkeypatch.setattr(readers, "queries_of_datasets", lambda: read)
    monkeypatch.setattr(readers, "datasets_of_dashboards", lambda: {"funnel": ["one"]})
    readers.prepare_readers()
    assert asked(EMEA, "select channel from bi.fct_funnel_steps") == [("EMEA",)]
