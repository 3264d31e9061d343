"""Builds after a publication: changed files, failed tests, broken models."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import ledger, settings, warehouse
from funnel.build import dbt_run, errors
from funnel.ingest import removals
from funnel.ingest.removals import Rows
from funnel.sources import SOURCES
from tests.conftest import fresh_warehouse

from .builds import CONTACT, STATS, publish_build, set_rates, statuses
from .conftest import rows, template, writer


@pytest.fixture(scope="module")
def published(
    cluster_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Two days of Google Ads and a contact, published; yields a copy of the project and a function that restores the
    rows.
    """
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, folder) as dsn:
        write = writer(dsn)
        write("google_ads__campaign_stats", STATS, STATS | {"date": "2026-01-03"})
        write("hubspot__contacts", CONTACT | {"utm_source": "fair", "utm_medium": "booth"})
        copy = fresh_project(folder / "dbt_project")
        publish_build(dbt_run.build(project_dir=copy).build_id)
        with template("published") as restore:
            yield copy, restore


def fresh_project(folder: Path) -> Path:
    """The project at this path, unchanged except for one rate."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(dbt_run.PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs"))
    set_rates(folder, "2026-01-01,EUR,1.10")
    return folder


@pytest.fixture
def copied(published: tuple[Path, Callable[[], None]]) -> Path:
    """The published warehouse restored, and a copy of the project whose files a test may change."""
    folder, restore = published
    restore()
    return fresh_project(folder)


def insert(table: str, *lines: dict[str, Any]) -> None:
    """Raw rows of the load after the two published ones."""
    writer(settings.dsn("admin"))(table, *lines, load_id=3)


def test_a_source_that_is_connected_later_says_0_of_the_days_before(copied: Path) -> None:
    """The first build after that is a full one automatically."""
    sessions = "select date_day::text, sum(sessions) from marts.fct_funnel_daily group by 1 order by 1"
    assert rows(sessions) == [("2026-01-03", None), ("2026-01-05", None)]
    key = {
        "session_source": "google",
        "session_medium": "cpc",
        "campaign_id": "12",
        "campaign_name": "Later",
        "country_id": "DE",
    }
    insert("ga4__sessions", key | {"date": "2026-01-05", "property_id": "9", "channel_group": "Direct", "sessions": 5})
    assert dbt_run.build(project_dir=copied).is_full
    assert rows(sessions) == [("2026-01-03", 0), ("2026-01-05", 5)]


def test_a_new_rate_reaches_its_days_without_a_full_build_and_days_without_a_rate_are_empty(copied: Path) -> None:
    """The rate of the first day was withdrawn, and another one is true of the last day."""
    assert rows("select spend from marts.fct_ad_stats_daily") == [(Decimal(110),)] * 2
    set_rates(copied, "2026-01-04,EUR,1.20")
    built = dbt_run.build(project_dir=copied)
    assert not built.is_full
    assert rows("select date_day, spend_local, spend from marts.fct_ad_stats_daily order by 1") == [
        (date(2026, 1, 3), Decimal(100), None),
        (date(2026, 1, 5), Decimal(100), Decimal(120)),
    ]


def test_removed_rows_leave_the_marts_with_the_next_build(copied: Path) -> None:
    """Removed rows leave nothing behind by which an incremental build could find what to remove."""
    source = SOURCES["google_ads"]
    stream = source.stream("campaign_stats")
    day = psycopg.sql.SQL("stored.date = '2026-01-03'")
    with warehouse.connect("loader") as connection:
        assert removals.count_rows(connection, Rows(source, stream, "google_ads")) == 2
        assert removals.count_rows(connection, Rows(source, stream, "another")) == 0
        assert removals.remove_rows(connection, Rows(source, stream, "google_ads", day), "test") == 1
        contacts = SOURCES["hubspot"].stream("contacts")
        assert removals.remove_rows(connection, Rows(SOURCES["hubspot"], contacts, "hubspot"), "test") == 1
    assert rows("select source, stream, reason, rows_removed from ops.removals order by removal_id") == [
        ("google_ads", "campaign_stats", "test", 1),
        ("hubspot", "contacts", "test", 1),
    ]
    assert ledger.has_unpublished_loads()
    built = dbt_run.build(project_dir=copied)
    assert built.is_full
    assert rows("select date_day from marts.fct_ad_stats_daily") == [(date(2026, 1, 5),)]
    assert rows("select count(*) from marts.fct_leads") == [(0,)]
    publish_build(built.build_id)
    assert not dbt_run.build(project_dir=copied).is_full


def test_a_changed_rule_rebuilds_everything(copied: Path) -> None:
    assert rows("select channel from marts.fct_leads") == [("Unknown",)]
    with (copied / "seeds/channel_rules.csv").open("a") as seed:
        seed.write("1,utm,^fair$,,,Events\n")
    built = dbt_run.build(project_dir=copied)
    assert built.is_full
    assert rows("select channel from marts.fct_leads") == [("Events",)]


def test_a_day_that_a_scope_forgets_is_found(copied: Path) -> None:
    """A daily build compares the days that the facts changed, not only those that the funnel computed again."""
    model = copied / "models/marts/fct_funnel_daily.sql"
    block = (
        "select unnest(array[created_date, mql_date, sal_date, sql_date]) from {{ changes('fct_leads') }}\nunion all\n"
    )
    assert block in model.read_text()
    model.write_text(model.read_text().replace(block, ""))
    publish_build(dbt_run.build(project_dir=copied).build_id)
    insert("hubspot__contacts", CONTACT | {"contact_id": "2", "email_key": "ben", "_record_key": "k2"})
    with pytest.raises(errors.BuildFailed) as failure:
        dbt_run.build(project_dir=copied)
    message = str(failure.value)
    assert "assert_funnel_counts_reconcile failed on 1 rows" in message
    assert '"date_day": "2026-01-05", "measure": "leads", "counted": "2", "shown": "1"' in message
    assert "assert_bridge_matches_both_clocks failed on 1 rows" in message


def test_a_broken_model_names_itself_and_the_error(copied: Path) -> None:
    model = copied / "models/marts/dim_channels.sql"
    model.write_text(model.read_text().replace("owner_team", "owner_tea"))
    with pytest.raises(errors.BuildFailed, match=r"Model dim_channels could not be built: .*owner_tea"):
        dbt_run.build(project_dir=copied)


def test_an_unreadable_project_says_which_file(copied: Path) -> None:
    (copied / "models/marts/fct_leads.yml").write_text("models: [{name: fct_leads")
    with pytest.raises(errors.BuildFailed, match=r"fct_leads\.yml"):
        dbt_run.build(project_dir=copied)


def test_what_a_failed_build_left_is_repaired_by_the_next(copied: Path) -> None:
    """The failed build already updated the first tables; the next one must still treat their rows as changed. Its
    message names the test, its rows and what to do.
    """
    insert("hubspot__contacts", CONTACT | {"contact_id": "2", "email_key": "ben", "_record_key": "k2"})
    test = copied / "tests/reconciliation/assert_ben_is_unknown.sql"
    test.write_text("select distinct person_key from {{ ref('int_person_events') }} where person_key = 'k2'\n")
    with pytest.raises(errors.BuildFailed) as failure:
        dbt_run.build(project_dir=copied)
    message = str(failure.value)
    assert "assert_ben_is_unknown failed on 1 rows" in message
    assert '{"person_key": "k2"}' in message
    assert "What to do:" in message
    assert statuses() == ["published", "failed"]
    test.unlink()
    assert rows("select count(*) from marts.fct_leads") in ([(1,)], [(2,)])
    built = dbt_run.build(project_dir=copied)
    assert not built.is_full
    assert rows("select person_key from marts.fct_leads order by 1") == [("k1",), ("k2",)]
    publish_build(built.build_id)
    assert rows("select person_key from bi.fct_leads order by 1") == [("k1",), ("k2",)]
