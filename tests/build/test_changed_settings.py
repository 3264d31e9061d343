"""Settings that change under published data: each change is planned, built, audited and published, and its way back
leaves the marts as if it had never been made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from funnel import settings
from funnel.build import dbt_run
from funnel.gate import marts, report
from funnel.publication import preview, publication
from funnel.publication.plan import Plan
from tests.conftest import fresh_warehouse

from .builds import CONTACT, STATS, set_rates
from .conftest import Write, rows, template, writer
from .test_rebuilds import fresh_project

RATES = (
    *("2025-11-01,EUR,1.07", "2026-01-03,EUR,1.1037", "2026-01-05,EUR,1.0913", "2026-01-06,EUR,1.1291"),
    *("2025-11-01,GBP,1.31", "2026-01-04,GBP,1.2977", "2026-01-06,GBP,1.3003"),
)
TARGETS = """period_start,period_grain,team,metric,region,target,currency_code
2026-01-01,month,(all),won_amount,(all),900,EUR
2026-02-01,month,(all),won_amount,(all),901,EUR
2026-03-01,month,(all),won_amount,(all),902,EUR
2026-04-01,quarter,(all),won_amount,(all),5000,GBP
"""
DEAL = {"modified_at": "2026-01-05T10:00:00Z", "created_at": "2026-01-03T18:00:00Z", "probability": 33}
DEAL |= {"stage": "Demo", "close_date": "2026-03-01", "opportunity_type": "New Business"}
WON = DEAL | {"stage": "Closed Won", "is_closed": True, "is_won": True, "close_date": "2026-01-04", "probability": 100}
STATE = {"stage": "Demo", "probability": 33, "close_date": "2026-03-01", "created_at": "2026-01-03T18:00:00Z"}


def first_days(write: Write) -> None:
    """Advertising, deals and a person of the days up to 2026-01-05, in three currencies."""
    pounds = {"customer_id": "2", "campaign_id": "21", "currency_code": "GBP", "cost_micros": 33_330_000}
    write("google_ads__campaign_stats", STATS, STATS | {"date": "2026-01-03"}, STATS | pounds)
    early = {"contact_id": "2", "email_key": "ben", "_record_key": "k2", "created_at": "2026-01-05T03:00:00Z"}
    write("hubspot__contacts", CONTACT | {"utm_source": "fair", "utm_medium": "booth"}, CONTACT | early)
    write(
        "salesforce__opportunities",
        WON | {"opportunity_id": "O1", "amount": "333.33", "currency_code": "GBP"},
        DEAL | {"opportunity_id": "O2", "amount": "1000.01", "currency_code": "EUR"},
        DEAL | {"opportunity_id": "O3", "amount": "70", "currency_code": "USD", "close_date": "2026-01-04"},
    )
    write("salesforce__opportunity_history", STATE | {"history_id": "h2", "opportunity_id": "O2", "amount": "1000.01"})
    # The same deal in HubSpot, with another amount: the CRM named master wins.
    copy = {"deal_id": "D1", "salesforce_opportunity_id": "O3", "amount": "75", "currency_code": "USD", "contacts": []}
    copy |= {"updated_at": "2026-01-05T10:00:00Z", "created_at": "2026-01-03T18:00:00Z", "closed_at": "2026-03-02"}
    write("hubspot__deals", copy)


def next_day(write: Write) -> None:
    """2026-01-06: a deal changes, another was won two days ago and is entered now, a campaign is restated."""
    with psycopg.connect(settings.dsn("admin")) as admin:
        load_id = admin.execute("select max(load_id) + 1 from ops.loads").fetchone()[0]  # type: ignore[index]
        admin.execute("update ops.sources set last_day_complete = '2026-01-06'")
        admin.execute(
            "update raw.google_ads__campaign_stats set cost_micros = 90000000 "
            "where date = '2026-01-05' and customer_id = '1'"
        )
        for day in ("2026-01-05", "2026-01-06"):
            admin.execute(
                "insert into ops.loaded_days (source, connection_id, stream, date_day, fetched_at, load_id) "
                "values ('google_ads', 'google_ads', 'campaign_stats', %s, now(), %s)",
                (day, load_id),
            )
    later = {"modified_at": "2026-01-06T10:00:00Z"}
    write(
        "salesforce__opportunities",
        WON | later | {"opportunity_id": "O4", "amount": "44.44", "currency_code": "GBP"},
        load_id=load_id,
    )
    write("google_ads__campaign_stats", STATS | {"date": "2026-01-06"}, load_id=load_id)


@dataclass
class House:
    """A published installation whose settings and project the tests change, one after the other.

    `never_changed` are its marts after the next day under the first settings.
    """

    project: Path
    never_changed: dict[str, list[str]] = field(default_factory=dict)

    def build(self) -> int:
        """Build and audit."""
        built = dbt_run.build(project_dir=self.project)
        report.require(marts.check_marts(built.build_id))
        return built.build_id

    def publish(self) -> Plan:
        """Build, audit and publish; returns the plan, which is what publication then changed."""
        build_id = self.build()
        planned = preview.preview(build_id)
        assert publication.publish(build_id).rows_changed == planned.rows_changed
        return planned


@pytest.fixture(scope="module")
def house(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("settings")
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, folder) as dsn:
        first_days(writer(dsn))
        project = fresh_project(folder / "dbt_project")
        set_rates(project, *RATES)
        (project / "seeds/targets.csv").write_text(TARGETS)
        house = House(project)
        house.publish()
        with template("settings") as restore:
            next_day(writer(dsn))
            house.build()
            house.never_changed = tables()
            restore()
            yield house


def tables(*left_out: str) -> dict[str, list[str]]:
    """Every row of the marts; the report of what was shown is history, and differs."""
    names = [name for (name,) in rows("select tablename from pg_tables where schemaname = 'marts' order by 1")]
    return {
        name: [line for (line,) in rows(f"select to_jsonb(mart)::text from marts.{name} as mart order by 1")]
        for name in names
        if name not in ("rpt_restatement", *left_out)
    }


def assert_same(found: dict[str, list[str]], expected: dict[str, list[str]]) -> None:
    assert {name: sorted(set(found[name]) ^ set(rows)) for name, rows in expected.items() if found[name] != rows} == {}
    assert len(expected) > 30


def test_euros_and_back_leave_the_marts_of_an_installation_that_never_changed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day is loaded, and an older one restated, together with the change to euros."""
    monkeypatch.setenv("REPORTING_CURRENCY", "EUR")
    next_day(writer(settings.dsn("admin")))
    reasons = house.publish().reasons
    assert reasons[0] == "Setting: REPORTING_CURRENCY is EUR; it was USD."
    # 10 EUR less were spent; the days before were 262.75 USD, and are 229.63 EUR.
    assert "Days shown before, spend: late change -10.00, currency rate -23.12." in reasons
    assert "Days shown before, targets: currency rate -957.99." in reasons
    in_euros = tables()
    assert {name for name, found in in_euros.items() if found != house.never_changed[name]} >= {
        *("fct_ad_stats_daily", "fct_opportunities", "fct_opportunities_daily", "fct_targets", "fct_funnel_daily"),
        *("rpt_pipeline_coverage", "rpt_channel_return"),
    }
    monkeypatch.setenv("REPORTING_CURRENCY", "USD")
    house.publish()
    assert_same(tables(), house.never_changed)
    # Nothing was loaded meanwhile, so nothing of what was shown in euros was late.
    assert rows(
        "select count(*) from bi.rpt_restatement where reported_currency_code = 'EUR' and change_late <> 0"
    ) == [(0,)]

    # What was shown stays as it was shown, with its currency.
    shown = rows(
        "select reported_currency_code, round(as_reported, 2)::float, round(as_known, 2)::float, reason "
        "from bi.rpt_restatement where mart = 'fct_ad_stats_daily' and measure = 'spend' and date_day = '2026-01-05' "
        "order by rules_no, known_on"
    )
    assert shown == [
        ("USD", 152.38, 141.47, "late change -10.91"),
        ("EUR", 129.63, 141.47, "currency rate +11.84"),
        ("USD", 141.47, 141.47, None),
    ]
    won = rows(
        "select reported_currency_code, round(as_reported, 2)::float, round(as_known, 2)::float, reason "
        "from bi.rpt_restatement where measure = 'won_amount' and date_day = '2026-01-04' order by rules_no, known_on"
    )
    assert won == [
        ("USD", 432.56, 490.23, "late change +57.67"),
        ("EUR", 444.17, 490.23, "currency rate +46.06"),
        ("USD", 490.23, 490.23, None),
    ]
    currencies = rows(
        "select distinct reporting_currency from bi_history.fct_opportunities "
        "inner join ops.publication_settings using (publication_id) order by 1"
    )
    assert currencies == [("EUR",), ("USD",)]


def test_another_time_zone_and_back_leave_the_marts_of_an_installation_that_never_changed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lead of the early morning in UTC is of the evening before in New York. Published days of the pipeline cannot be
    divided otherwise: they keep their zone, and say it.
    """
    monkeypatch.setenv("REPORTING_TIMEZONE", "America/New_York")
    assert house.publish().reasons == ("Setting: REPORTING_TIMEZONE is America/New_York; it was UTC.",)
    as_of = rows("select as_of::text, status from ops.builds order by build_id desc limit 1")
    assert as_of == [("2026-01-07 05:00:00+00", "published")]
    assert rows("select created_date::text from bi.fct_leads order by 1") == [("2026-01-04",), ("2026-01-05",)]
    assert rows("select distinct time_zone from bi.fct_opportunities_daily") == [("UTC",)]
    monkeypatch.setenv("REPORTING_TIMEZONE", "UTC")
    house.publish()
    assert_same(tables(), house.never_changed)


COVERED = (
    "select open_opportunities, open_amount, weighted_amount, coverage from bi.rpt_pipeline_coverage order by 1, 2"
)


def test_what_the_release_before_published_gets_the_names_and_the_coverage_of_this_one(house: House) -> None:
    """Spend seems not to move between regions, and published days no longer count overdue deals."""
    covered = rows(COVERED)
    with psycopg.connect(settings.dsn("admin")) as admin:
        changed = admin.execute(
            """
            update bi.rpt_pipeline_coverage
            set
                open_opportunities = open_opportunities + overdue_opportunities,
                open_amount = open_amount + overdue_amount,
                coverage = (open_amount + overdue_amount) / (target - booked_amount)
            where overdue_opportunities > 0
            """
        )
        assert changed.rowcount
        for schema in ("bi", "bi_history"):
            admin.execute(f"alter table {schema}.rpt_pipeline_coverage drop overdue_opportunities".encode())
        for schema in ("bi", "bi_history"):
            admin.execute(
                f"update {schema}.fct_funnel_daily set region = '(all)' where region = '(not split)'".encode()
            )
    with (house.project / "models/marts/fct_funnel_daily.sql").open("a") as model:
        model.write("{#- another release #}\n")
    assert house.publish().reasons[0].startswith("Code: ")
    assert rows("select distinct region from bi.fct_funnel_daily where spend > 0") == [("(not split)",)]
    assert rows(
        "select distinct region, measure from bi.rpt_restatement "
        "where mart = 'fct_funnel_daily' and (region = '(all)' or region = '(not split)' and change_code <> 0)"
    ) == []  # fmt: skip
    assert rows(COVERED) == covered


def test_rules_a_master_and_targets_are_the_reason_of_what_they_move(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_CRM", "hubspot")
    with (house.project / "seeds/channel_rules.csv").open("a") as seed:
        seed.write("1,utm,^fair$,,,Events\n")
    (house.project / "seeds/targets.csv").write_text(TARGETS.replace("900", "1000"))
    configured = house.project / "dbt_project.yml"
    configured.write_text(configured.read_text().replace("fiscal_year_start_month: 1", "fiscal_year_start_month: 2"))
    assert house.publish().reasons == (
        "Setting: MASTER_CRM is hubspot; it was salesforce.",
        "Setting: fiscal_year_start_month is 2; it was 1.",
        "Rule: seeds/channel_rules.csv changed.",
        "Target: seeds/targets.csv changed.",
        "Days shown before, pipeline_amount: rule +5.00.",
        "Days shown before, targets: target +107.00.",
    )
    moved = rows(
        "select distinct on (measure, channel) measure, channel, as_known::float, reason from bi.rpt_restatement "
        "where measure = 'leads' and date_day = '2026-01-05' or mart = 'fct_targets' and change_target <> 0 "
        "order by measure, channel, rules_no, known_on"
    )
    assert moved == [
        ("leads", "Events", 1, "rule +1.00"),
        ("leads", "Unknown", 1, "rule -1.00"),
        ("won_amount by month of (all)", "(all)", 1070, "target +107.00"),
    ]
    # Net nothing moved between the two channels.
    assert rows(
        "select sum(moved)::float, sum(change)::float from bi.rpt_restatement "
        "where mart = 'fct_funnel_daily' and measure = 'leads' and date_day = '2026-01-05' and moved <> 0"
    ) == [(2, 0)]
