"""The company small enough to check by hand: every figure of the worked example, through the whole path.

Read on the mornings on which something changes, as the daily schedule would read it, and published each time.
"""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.publication import undo
from sandbox import process
from tests.end_to_end.movements import Notes
from tests.end_to_end.pipeline import Pipeline, rows
from tests.rounding import half_up

RATES = """rate_date,currency_code,rate_to_usd
2026-01-05,EUR,1.10
2026-01-20,EUR,1.20
2026-02-10,EUR,1.25
2026-01-01,USD,1
"""
# Sources without data in the example have an idle account, which is read on the first and the last morning.
SPOKEN_OF = ("google_ads", "exchange_rates", "meta_ads", "hubspot", "salesforce", "shopify")
DAYS = (date(2026, 1, 5), date(2026, 1, 9), date(2026, 1, 12), date(2026, 1, 26), date(2026, 2, 27))


@pytest.fixture(scope="module")
def company(module_warehouse: str, tmp_path_factory: pytest.TempPathFactory, notes: Notes) -> Iterator[Pipeline]:
    """The worked example, published on five mornings; the last one as of 2026-02-28."""
    project = tmp_path_factory.mktemp("project") / "dbt_project"
    shutil.copytree(Path(__file__).parents[2] / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
    header = (project / "seeds" / "currency_rates.csv").read_text().splitlines()[0]
    assert header == RATES.splitlines()[0]
    (project / "seeds" / "currency_rates.csv").write_text(RATES)
    sandbox = process.start("worked_example", 7, date(2026, 1, 5))
    try:
        pipeline = Pipeline(sandbox, project)
        previous = date(2026, 1, 4)
        for day in DAYS:
            sources = None if day in (DAYS[0], DAYS[-1]) else SPOKEN_OF
            pipeline.day(day, reach_back=max(30, (day - previous).days), sources=sources)
            pipeline.publish()
            notes.take(day)
            previous = day
        yield pipeline
    finally:
        sandbox.stop()


def at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC) if text else None


def test_five_lead_cycles(company: Pipeline) -> None:
    columns = "created_at, mql_at, sal_at, sql_at, opportunity_at, won_at, lost_at, recycled_at, disqualified_at"
    found = rows(f"select channel, campaign_key, region, cycle_no, {columns} from bi.fct_leads order by created_at")
    campaigns = rows("select campaign_key, campaign_id from bi.dim_campaigns")
    names = {row["campaign_key"]: row["campaign_id"] for row in campaigns}

    def lead(channel: str, campaign: str, region: str, cycle: int, created: str, **stages: str) -> dict[str, Any]:
        expected: dict[str, Any] = dict.fromkeys(columns.split(", "))
        expected |= {f"{stage}_at": at(moment) for stage, moment in stages.items()}
        expected |= {
            "channel": channel,
            "region": region,
            "cycle_no": cycle,
            "created_at": at(created),
            "campaign": campaign,
        }
        return expected

    assert [
        {name: value for name, value in row.items() if name != "campaign_key"}
        | {"campaign": names.get(row["campaign_key"])}
        for row in found
    ] == [
        lead("Paid Search", "11", "EMEA", 1, "01-05 10:00", mql="01-06 09:00", sal="01-06 11:00", sql="01-08 14:00",
             opportunity="01-08 14:00", won="01-20 00:00"),
        lead("Paid Social", "22", "Americas", 1, "01-05 11:00", mql="01-07 08:00", recycled="01-09 10:00"),
        lead("Organic Search", "(no campaign)", "Unknown", 1, found[2]["created_at"].strftime("%m-%d %H:%M")),
        lead("Outbound", "(no campaign)", "EMEA", 1, "01-10 09:00", sal="01-10 09:30", sql="01-12 10:00",
             opportunity="01-12 10:00", lost="02-10 00:00"),
        lead("Email", "(no campaign)", "Americas", 2, "01-25 09:00", mql="01-26 09:00"),
    ]  # fmt: skip
    assert found[2]["created_at"].date() == date(2026, 1, 6)


def test_skipped_stage_is_inferred_and_not_claimed(company: Pipeline) -> None:
    inferred = rows(
        "select entered_at from bi.fct_stage_events join bi.fct_leads using (lead_key) "
        "where is_inferred and to_stage = 'mql' and fct_leads.channel = 'Outbound'"
    )
    assert [row["entered_at"] for row in inferred] == [at("01-10 09:30")]


def test_sales_answered_ana_and_never_ben(company: Pipeline) -> None:
    """Ana waited from 10:00 to 12:00 in Berlin. Ben's first cycle was sent back after two working days in New York; the
    time limit of his second one passed between two publications, with nothing new from any vendor.
    """
    found = rows(
        "select channel, response_business_minutes as minutes, is_sla_breached as breached, is_sla_pending as pending "
        "from bi.fct_leads where mql_at is not null order by mql_at"
    )
    assert found == [
        {"channel": "Paid Search", "minutes": 120, "breached": False, "pending": False},
        {"channel": "Paid Social", "minutes": None, "breached": True, "pending": False},
        {"channel": "Email", "minutes": None, "breached": True, "pending": False},
    ]


def test_who_held_ana_and_ben(company: Pipeline) -> None:
    """Marketing hands over an MQL, sales takes Ana to her deal and sends Ben back, who counts as a bounce when he
    returns.
    """
    found = rows(
        "select lead.channel, hand.holder_team, hand.outcome, hand.bounce_no, hand.business_minutes as minutes "
        "from bi.rpt_handoff as hand inner join bi.fct_leads as lead using (lead_key) "
        "where lead.channel in ('Paid Search', 'Paid Social', 'Email') order by lead.created_at, hand.held_from"
    )
    assert [tuple(row.values()) for row in found] == [
        ("Paid Search", "marketing", "handed over", 0, 420),
        ("Paid Search", "sales", "accepted", 0, 120),
        ("Paid Search", "sales", "opportunity", 0, 1140),
        ("Paid Search", "sales", "won", 0, 3480),
        ("Paid Social", "marketing", "handed over", 0, 960),
        ("Paid Social", "sales", "recycled", 0, 960),
        ("Email", "marketing", "handed over", 1, 0),
        ("Email", "sales", "open", 1, None),
    ]


def test_the_scorecard_gives_no_value_for_two_deals(company: Pipeline) -> None:
    found = rows("select * from bi.rpt_alignment_scorecard")
    assert {row["measure"] for row in found} == {"marketing_revenue_share", "close_rate_lift", "friction_index"}
    for row in found:
        assert row["is_sufficient"] is False, row
        assert [row[name] for name in ("value", "value_low", "value_high", "adjusted_value")] == [None] * 4, row
        assert "too thin" in row["reason"], row
    january = [
        row
        for row in found
        if row["measure"] == "marketing_revenue_share"
        and row["region"] == "(all)"
        and (row["period_grain"], str(row["period_start"])) == ("month", "2026-01-01")
    ]
    assert [(row["n"], row["reason"]) for row in january] == [(2, "too thin: 2 won, 30 are needed")]
    # Nor is the ratio 1,200 ÷ 1,500 shown as a part, or the close rate of five leads.
    assert {row["value"] for row in rows("select value from bi.rpt_alignment_parts")} == {None}


def test_four_people(company: Pipeline) -> None:
    assert sorted(row["n_records_merged"] for row in rows("select n_records_merged from bi.dim_people")) == [1, 1, 2, 2]


def test_opportunities(company: Pipeline) -> None:
    found = rows(
        """
            select opportunity.*, lead.cycle_no, lead.channel as lead_channel, campaign.campaign_id
            from bi.fct_opportunities as opportunity
            left join bi.fct_leads as lead using (lead_key)
            left join bi.dim_campaigns as campaign on campaign.campaign_key = opportunity.campaign_key
            order by opportunity.created_at
            """
    )
    won, lost, partner, renewal = found
    assert (won["amount"], won["list_amount"], won["discount_amount"], won["discount_rate"]) == (
        1200,
        1500,
        300,
        Decimal("0.20"),
    )
    assert (won["source_type"], won["channel"], won["campaign_id"], won["sales_cycle_days"]) == (
        "marketing",
        "Paid Search",
        "11",
        12,
    )
    assert (won["is_won"], won["amount_local"], won["currency_code"]) == (True, 1000, "EUR")
    assert (lost["amount"], lost["source_type"], lost["channel"], lost["is_lost"]) == (500, "sales", "Outbound", True)
    assert (partner["amount"], partner["source_type"], partner["lead_key"]) == (300, "partner", None)
    assert (partner["sales_cycle_days"], partner["has_sequence_anomaly"]) == (-2, True)
    assert (renewal["opportunity_type"], renewal["amount"], renewal["lead_channel"], renewal["cycle_no"]) == (
        "renewal", 2000, "Paid Search", 1,
    )  # fmt: skip


def test_ad_stats(company: Pipeline) -> None:
    found = rows("select date_day, campaign_id, spend, campaign_key from bi.fct_ad_stats_daily order by 1, 2")
    assert [(str(row["date_day"]), row["campaign_id"], row["spend"]) for row in found] == [
        ("2026-01-05", "11", 110),
        ("2026-01-05", "22", 80),
        ("2026-01-12", "11", 55),
    ]
    assert found[0]["campaign_key"] == found[2]["campaign_key"]


def test_campaign_name_that_held_on_the_day(company: Pipeline) -> None:
    assert rows(
        """
        select stats.date_day::text, history.campaign_name
        from bi.fct_ad_stats_daily as stats
        inner join bi.dim_campaigns_history as history
            on history.campaign_key = stats.campaign_key
            and stats.date_day >= history.valid_from
            and (stats.date_day < history.valid_to or history.valid_to is null)
        where stats.campaign_id = '11'
        order by 1
        """
    ) == [
        {"date_day": "2026-01-05", "campaign_name": "Brand"},
        {"date_day": "2026-01-12", "campaign_name": "Brand EU"},
    ]


def test_funnel_totals(company: Pipeline) -> None:
    measures = (
        "spend", "impressions", "clicks", "leads", "mqls", "sals", "sqls", "opportunities", "pipeline_amount", "won",
        "won_amount", "lost",
    )  # fmt: skip
    (totals,) = rows(f"select {', '.join(f'sum({name}) as {name}' for name in measures)} from bi.fct_funnel_daily")
    assert totals == dict(zip(measures, (245, 6400, 110, 5, 3, 2, 2, 3, 2000, 2, 1500, 1), strict=True))
    # The web site's property is connected and reports nothing.
    assert rows("select distinct sessions from bi.fct_funnel_daily") == [{"sessions": 0}]
    assert rows("select sum(orders)::int as orders, sum(order_amount) as amount from bi.fct_funnel_daily") == [
        {"orders": 1, "amount": 60}
    ]
    assert rows("select distinct region from bi.fct_funnel_daily where spend > 0") == [{"region": "(not split)"}]
    assert rows(
        "select channel, sum(won)::int as won, sum(won_amount) as amount from bi.fct_funnel_daily "
        "where date_day = '2026-01-20' and won > 0 group by 1 order by 1"
    ) == [{"channel": "Paid Search", "won": 1, "amount": 1200}, {"channel": "Partner", "won": 1, "amount": 300}]


def test_months_and_both_clocks(company: Pipeline) -> None:
    """All five leads came in January, and so did the deals; O5 has no lead and is counted separately."""
    assert rows(
        "select month_start::text, sum(spend) as spend, sum(leads)::int as leads, sum(lost)::int as lost "
        "from bi.fct_funnel_monthly group by 1 order by 1"
    ) == [
        {"month_start": "2026-01-01", "spend": 245, "leads": 5, "lost": 0},
        {"month_start": "2026-02-01", "spend": 0, "leads": 0, "lost": 1},
    ]
    assert rows(
        "select channel, activity_count, in_cohort_and_month, cohort_count, cohort_without_lead "
        "from bi.fct_funnel_bridge where stage = 'won' order by 1"
    ) == [
        dict(
            zip(
                ("channel", "activity_count", "in_cohort_and_month", "cohort_count", "cohort_without_lead"),
                (channel, 1, 1, 1, without_lead),
                strict=True,
            )
        )
        for channel, without_lead in (("Paid Search", 0), ("Partner", 1))
    ]
    assert rows(
        "select channel, leads, reached, rate, is_mature from bi.fct_funnel_cohorts "
        "where stage = 'won' and age_days = 14 and channel in ('Outbound', 'Paid Search') order by 1"
    ) == [
        {"channel": "Outbound", "leads": 1, "reached": 0, "rate": 0, "is_mature": True},
        {"channel": "Paid Search", "leads": 1, "reached": 0, "rate": 0, "is_mature": True},
    ]
    assert rows(
        "select reached, rate from bi.fct_funnel_cohorts "
        "where stage = 'won' and age_days = 30 and channel = 'Paid Search'"
    ) == [{"reached": 1, "rate": 1}]


def test_orders(company: Pipeline) -> None:
    """S1 is Ana's, minus its discount and the refund a week later; S2 bills deal O1 and is not counted as revenue
    again.
    """
    found = rows(
        """
        select
            orders.order_id,
            orders.gross_amount,
            orders.discount_amount,
            orders.refund_amount,
            orders.net_amount,
            orders.is_counted,
            orders.channel,
            orders.region,
            campaigns.campaign_id,
            opportunities.amount as deal_amount,
            orders.person_key = (select person_key from bi.fct_leads where channel = 'Paid Search') as is_ana
        from bi.fct_orders as orders
        inner join bi.dim_campaigns as campaigns using (campaign_key)
        left join bi.fct_opportunities as opportunities using (opportunity_key)
        order by orders.order_id, orders.order_line
        """
    )
    ana = {"is_counted": True, "channel": "Paid Search", "region": "EMEA", "campaign_id": "11", "is_ana": True}
    amounts = ("gross_amount", "discount_amount", "refund_amount", "net_amount", "deal_amount")
    assert found == [
        {"order_id": order_id, **dict(zip(amounts, figures, strict=True)), **ana}
        for order_id, figures in (
            ("5001", (60, 6, 18, 36, None)),
            ("5001", (40, 4, 12, 24, None)),
            ("5002", (1200, 0, 0, 1200, 1200)),
        )
    ]
    assert rows("select date_day::text, orders, order_amount from bi.fct_funnel_daily where orders > 0") == [
        {"date_day": "2026-01-21", "orders": 1, "order_amount": 60}
    ]


def test_attribution(company: Pipeline) -> None:
    def credits(conversion_type: str, model: str, amount: int) -> list[Decimal]:
        return [
            half_up(row["credit"], 4)
            for row in rows(
                f"""
                select attribution.credit
                from bi.fct_attribution as attribution
                left join bi.fct_touchpoints as touch using (touch_id)
                where conversion_type = '{conversion_type}' and model = '{model}'
                    and conversion_id in (
                        select conversion_id from bi.fct_attribution
                        where model = 'first' and conversion_type = '{conversion_type}'
                        group by 1 having sum(credited_amount) = {amount}
                    )
                order by touch.touched_at
                """
            )
        ]

    third = Decimal("0.3333")
    assert credits("won", "first", 1200) == [1, 0, 0]
    assert credits("won", "last", 1200) == [0, 0, 1]
    assert credits("won", "linear", 1200) == [third, third, third]
    assert credits("won", "position", 1200) == [Decimal("0.4"), Decimal("0.2"), Decimal("0.4")]
    assert credits("won", "last_non_direct", 1200) == [0, 0, 1]
    # The lead was created by the first touch, the opportunity after the second, and closed after the third.
    assert credits("won", "u_shaped", 1200) == [Decimal("0.8"), Decimal("0.1"), Decimal("0.1")]
    assert credits("won", "w_shaped", 1200) == [Decimal("0.6"), Decimal("0.3"), Decimal("0.1")]
    assert credits("won", "full_path", 1200) == [Decimal("0.5"), Decimal("0.25"), Decimal("0.25")]
    # One deal came through three channels, and no other journey has ended: each channel is indispensable.
    assert credits("won", "shapley", 1200) == credits("won", "markov", 1200) == [third, third, third]
    decayed = [0.5 ** ((20 - day) / 7) for day in (5 + 10 / 24, 7 + 12 / 24, 9 + 15 / 24)]
    assert credits("won", "time_decay", 1200) == [half_up(each / sum(decayed), 4) for each in decayed]
    assert credits("opportunity", "position", 1200) == [Decimal("0.5"), Decimal("0.5")]
    assert rows(
        "select distinct attribution.credit, attribution.channel from bi.fct_attribution as attribution "
        "inner join bi.fct_opportunities as opportunities using (opportunity_key) "
        "where attribution.conversion_type = 'won' and opportunities.amount = 300"
    ) == [{"credit": 1, "channel": "(unattributed)"}]
    assert {
        row["total"]
        for row in rows(
            "select sum(credit) as total from bi.fct_attribution group by conversion_id, conversion_type, model"
        )
    } == {1}


def test_channel_return(company: Pipeline) -> None:
    found = {
        row["channel"]: row
        for row in rows(
            "select channel, sum(spend) as spend, sum(revenue) as revenue from bi.rpt_channel_return "
            "where month_start = '2026-01-01' and model = 'first' group by 1"
        )
    }
    assert (found["Paid Search"]["spend"], found["Paid Search"]["revenue"]) == (165, 1260)
    assert (found["Paid Social"]["spend"], found["Paid Social"]["revenue"]) == (80, 0)
    assert (found["Partner"]["spend"], found["Partner"]["revenue"]) == (0, 0)
    assert found["(unattributed)"]["revenue"] == 300


def test_restatement_is_explained(company: Pipeline) -> None:
    (first, *later) = rows(
        "select * from bi.rpt_restatement "
        "where mart = 'fct_ad_stats_daily' and date_day = '2026-01-05' and measure = 'spend' order by known_on"
    )
    assert str(first["known_on"]) == "2026-01-06"
    assert (first["as_first_reported"], first["as_known"]) == (264, 190)
    assert "late change +11.00" in first["reason"]
    assert "retracted row -85.00" in first["reason"]
    assert {row["as_known"] for row in later} <= {190}


def test_what_moved_and_what_changed_the_amount_won_is_exact_on_every_morning(company: Pipeline, notes: Notes) -> None:
    assert notes.differing == {}
    assert notes.moved >= {"spend", "leads"}


def test_as_of_and_status(company: Pipeline) -> None:
    (status,) = rows(
        "select distinct data_complete_through, last_audit_passed, sources_late, reporting_currency from bi.data_status"
    )
    assert status == {
        "data_complete_through": date(2026, 2, 27),
        "last_audit_passed": True,
        "sources_late": [],
        "reporting_currency": "USD",
    }


def test_read_equals_loaded_plus_quarantined(company: Pipeline) -> None:
    assert company.loads
    assert all(load.rows_read == load.rows_loaded + load.rows_quarantined for load in company.loads)
    assert sum(load.rows_quarantined for load in company.loads) == 0


def snapshots() -> list[dict[str, Any]]:
    return rows(
        """
        select daily.date_day::text, opportunity_id, daily.amount, daily.probability, daily.is_reconstructed
        from bi.fct_opportunities_daily as daily inner join bi.fct_opportunities using (opportunity_key)
        order by opportunity_id, date_day
        """
    )


def test_an_open_deal_has_a_row_every_day_without_changes_and_despite_missed_runs(company: Pipeline) -> None:
    """O1 was open from the 8th to the 19th, Dora's deal unchanged for a month; builds ran on only five mornings."""
    found: dict[Decimal, list[dict[str, Any]]] = {}
    for row in snapshots():
        found.setdefault(row["amount"], []).append(row)
    # At the rate of its creation while it was open; the renewal of 2,000 was open for nine days, O5 never.
    assert {amount: (of[0]["date_day"], of[-1]["date_day"], len(of)) for amount, of in found.items()} == {
        Decimal(1100): ("2026-01-08", "2026-01-19", 12),
        Decimal(500): ("2026-01-12", "2026-02-09", 29),
        Decimal(2000): ("2026-02-01", "2026-02-09", 9),
    }
    on_time = {row["date_day"] for row in snapshots() if not row["is_reconstructed"]}
    assert on_time == {"2026-01-09", "2026-01-12", "2026-01-26"}
    assert {row["probability"] for row in snapshots()} == {Decimal("0.2")}


def test_full_rebuild_from_raw_gives_the_identical_marts_though_the_vendor_rewrites_its_past(company: Pipeline) -> None:
    """Runs late: the result of the five incremental builds equals a build from nothing, and what was shown of a day
    stays.
    """
    before = {mart["mart"]: marts_rows(mart["mart"]) for mart in rows("select mart from bi.data_status")}
    with psycopg.connect(settings.dsn("admin")) as admin:
        admin.execute("update raw.salesforce__opportunity_history set amount = 7 where stage = 'Qualification'")
    company.publish(full=True)
    assert len(before) > 15
    for mart, content in before.items():
        assert marts_rows(mart) == content, mart


def marts_rows(mart: str) -> list[str]:
    return [
        row["line"]
        for row in rows(f"select to_jsonb(mart)::text as line from marts.{mart} as mart order by 1", "builder")
    ]


def test_only_what_a_roll_back_withdrew_is_made_again_from_what_is_known_now(company: Pipeline) -> None:
    """Runs last, after the vendor rewrote its past."""
    shown = snapshots()
    for _ in range(2):
        undo.roll_back("anna", "a test")
    kept = [row for row in shown if row["date_day"] <= "2026-01-26"]
    assert snapshots() == kept
    undo.resume("anna")
    company.publish()
    again = snapshots()
    assert [row for row in again if row["date_day"] <= "2026-01-26"] == kept
    assert {row["amount"] for row in again if row["date_day"] > "2026-01-26"} == {7}
    assert len(again) == len(shown)


def test_every_column_of_bi_is_described_and_none_is_internal(company: Pipeline) -> None:
    found = rows(
        """
        select class.relname, attribute.attname, col_description(class.oid, attribute.attnum) as description
        from pg_class as class
        inner join pg_attribute as attribute on attribute.attrelid = class.oid
        where
            class.relnamespace = 'bi'::regnamespace and class.relkind in ('r', 'v')
            and attribute.attnum > 0 and not attribute.attisdropped
        """
    )
    assert len({row["relname"] for row in found if row["relname"].endswith("_default")}) == 5
    copied = [
        row
        for row in found
        if len(row["description"] or "") < 12
        or set(re.findall("[a-z]+", row["description"].lower())) <= set(row["attname"].split("_"))
    ]
    assert copied == []
    assert [row for row in found if row["attname"].startswith("_")] == []
    tables = rows("select relname from pg_class where relnamespace = 'bi'::regnamespace and relkind in ('r', 'v')")
    untold = rows(
        "select relname from pg_class where relnamespace = 'bi'::regnamespace and relkind in ('r', 'v') "
        "and obj_description(oid, 'pg_class') is null"
    )
    assert (untold, len(tables) > 40) == ([], True)
