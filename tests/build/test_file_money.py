"""Spend, channels, campaigns, orders and payments of files, from the file to the marts: several sources, one build."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from funnel.build import dbt_run
from funnel.contract import Connection, Window
from funnel.gate import marts, report
from funnel.ingest import completeness, landing, load
from funnel.sources import files
from tests.conftest import fresh_warehouse

from .builds import assert_as_of_a_full_build, publish_build
from .conftest import rows

CASES = Path(__file__).parents[1] / "cases/marts"

# For each source, its entities in files <entity>.csv, and the rest of its manifest.
SOURCES = {
    "mixed_co": "ad_stats",
    "orders_co": "opportunities orders order_lines",
    "ignored_co": "leads opportunities",
    "brand_co": "ad_stats leads touches",
    "market_co": "opportunities orders order_lines payments",
    "other_co": "opportunities",
}

ADS = "date_day,platform,channel,ad_account_id,campaign_id,campaign_name,spend,leads,orders,revenue"

FILES = {
    # Google is Performance Max here, whatever tags say; a campaign is renamed, and the newer export covers a day again.
    "brand_co/ad_stats.csv": f"""{ADS}
2026-03-01,Google,cross_network,A1,P1,PMax,100,3,2,50
2026-03-02,Google,cross_network,A1,P1,PMax,100,,,
2026-03-01,Facebook,,A2,F1,Old name,10,,,
2026-03-02,Facebook,,A2,F1,Old name,20,,,
2026-03-01,Letters,Email,L,Spring,Spring,5,,,
2026-03-01,Letters,Podcast,L,Spring,Spring,7,,,
""",
    "brand_co/ad_stats 2.csv": f"""{ADS}
2026-03-02,Facebook,,A2,F1,New name,25,,,
2026-03-03,Facebook,,A2,F1,New name,30,,,
""",
    "brand_co/leads.csv": """lead_id,created_at,email,utm_source,utm_medium,utm_campaign,campaign_id,channel
1,2026-03-01 09:00,one@b.example,google,cpc,pmax,,
2,2026-03-01 09:00,two@b.example,facebook,paid,old NAME,,
3,2026-03-01 09:00,three@b.example,letters,email,Spring,,
4,2026-03-01 09:00,four@b.example,google,cpc,pmax,,Podcast
5,2026-03-01 09:00,five@b.example,,,,P1,
6,2026-03-01 09:00,six@b.example,facebook,paid,pmax,,
7,2026-03-01 09:00,seven@b.example,,,,F9,
""",
    "brand_co/touches.csv": """touched_at,lead_id,channel
2026-03-04 09:00,1,paid search
2026-03-05 09:00,1,Radio
""",
    "market_co/opportunities.csv": """opportunity_id,stage,created_at,closed_at,amount,account_id
M1,won,2026-01-10,2026-02-01,0,seller-1
O16,won,2026-01-10,2026-02-01,70,seller-2
""",
    "market_co/orders.csv": """order_id,ordered_at,status,email,opportunity_id,currency_code
A,2026-03-16,delivered,buyer@m.example,,EUR
B,2026-03-16,Refunded,buyer@m.example,,USD
C,2026-03-16,delivered,buyer@m.example,O16,USD
""",
    "market_co/order_lines.csv": """order_id,order_line,account_id,amount,freight_amount
A,1,seller-1,100,8
A,2,seller-3,50,
B,1,seller-1,900,1
C,1,,70,
""",
    "market_co/payments.csv": """order_id,payment_no,payment_type,amount,currency_code
A,1,card,100,EUR
A,2,voucher,50,EUR
B,1,card,900,USD
Z,1,card,1,USD
""",
    # O18 of another manifest is won: orders_co's order of its own lost O18 has nothing to do with it.
    "other_co/opportunities.csv": """opportunity_id,stage,created_at,closed_at,amount
O18,won,2026-01-10,2026-02-01,1
""",
}


def make_inbox(inbox: Path) -> None:
    cases = {"mixed_co": "mixed_currency", "orders_co": "order_of_open_or_lost_deal", "ignored_co": "ignored_columns"}
    for source, entities in SOURCES.items():
        folder = inbox / source
        folder.mkdir(parents=True)
        if source in cases:
            for path in (CASES / cases[source]).glob("*.csv"):
                shutil.copy(path, folder)
        streams = "".join(f"  - {{entity: {name}, path: '{name}*.csv', bad_rows: 0}}\n" for name in entities.split())
        text = f"source: {source}\ntimezone: UTC\ncurrency: USD\nstreams:\n{streams}"
        (folder / "manifest.yml").write_text(text)
    for name, content in FILES.items():
        (inbox / name).write_text(content)


def take_in(inbox: Path, run: str, day: int) -> None:
    """Load the files of the inbox on this day of November."""
    window = Window(date(2026, 11, day - 1), date(2026, 11, day))
    for source, stream in product(SOURCES, files.STREAMS):
        if stream.name not in SOURCES[source].split():
            continue
        connection = Connection(source, str(inbox), extra={})
        read = landing.land(files.SOURCE, connection, stream, window, run, datetime(2026, 11, day, 3, tzinfo=UTC))
        assert load.load(read).rows_quarantined == 0
    completeness.complete(files.SOURCE, run)


@pytest.fixture(scope="module")
def built(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A warehouse in which the inbox is loaded, built and published; yields the inbox."""
    folder = tmp_path_factory.mktemp("money")
    inbox = folder / "inbox"
    make_inbox(inbox)
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, folder):
        take_in(inbox, "first", 29)
        build = dbt_run.build()
        report.require(marts.check_marts(build.build_id))
        publish_build(build.build_id)
        yield inbox


def test_amounts_are_converted_before_they_are_summed(built: Path) -> None:
    assert rows(
        "select spend, spend_local, currency_code, impressions from marts.fct_ad_stats_daily where campaign_id = 'C5'"
    ) == [(Decimal("211.33"), None, None, 200)]
    assert rows("select sum(spend) from marts.fct_funnel_daily where date_day = '2026-03-17'") == [(Decimal("211.33"),)]


def test_spend_and_its_results_are_in_one_channel(built: Path) -> None:
    found = rows(
        "select lead_id, lead.channel, campaign_id from marts.fct_leads as lead "
        "join marts.dim_campaigns using (campaign_key) where source_system = 'brand_co' order by 1"
    )
    assert found == [
        ("1", "Cross-network", "P1"),
        ("2", "Paid Social", "F1"),
        ("3", "Email", "Spring"),
        ("4", "Podcast", "P1"),
        ("5", "Cross-network", "P1"),
        # A visit from Facebook does not belong to Google's campaign; a campaign that only a lead states belongs to its
        # source.
        ("6", "Paid Social", "(no campaign)"),
        ("7", "Unknown", "F9"),
    ]
    assert rows(
        "select channel, sum(spend) from marts.fct_ad_stats_daily where source_system = 'brand_co' "
        "group by 1 order by 1"
    ) == [("Cross-network", 200), ("Email", 5), ("Paid Social", 65), ("Podcast", 7)]


def test_a_channel_that_only_a_file_states_is_a_channel(built: Path) -> None:
    assert rows("select channel, owner_team from marts.dim_channels where not is_known order by 1") == [
        ("Podcast", "unknown"),
        ("Radio", "unknown"),
    ]
    assert rows(
        "select channel from marts.fct_touchpoints where source_system = 'brand_co' and touch_type = 'touch' order by 1"
    ) == [("Paid Search",), ("Radio",)]


def test_a_renamed_campaign_keeps_its_old_name_for_its_days(built: Path) -> None:
    assert rows(
        "select campaign_name, valid_from::text, valid_to::text from marts.dim_campaigns_history "
        "where campaign_id = 'F1' order by 2"
    ) == [("Old name", "2026-03-01", "2026-03-02"), ("New name", "2026-03-02", None)]


def test_claimed_values_are_shown_with_conversions(built: Path) -> None:
    assert rows(
        "select sum(platform_leads), sum(platform_purchases), sum(platform_conversion_value), "
        "sum(platform_conversions) from marts.fct_ad_stats_daily where campaign_id = 'P1'"
    ) == [(3, 2, 50, None)]


def test_a_deal_of_a_stated_campaign_has_it(built: Path) -> None:
    assert rows("select campaign_key from intermediate.int_tag_channels where campaign_id = 'C2'") == rows(
        "select campaign_key from marts.dim_campaigns where campaign_id = 'C2' and campaign_name = 'C2'"
    )


def test_an_order_of_an_open_or_lost_deal_is_revenue(built: Path) -> None:
    assert rows(
        "select order_id, opportunity_id, is_counted, is_revenue from marts.fct_orders "
        "left join marts.fct_opportunities using (opportunity_key) where order_id like 'R%' order by 1"
    ) == [("R3", "O18", True, True), ("R4", "O16", True, True), ("R8", None, False, False)]
    assert rows(
        "select ordered_date::text, sum(orders), sum(order_amount) from marts.fct_orders "
        "join marts.fct_funnel_daily on ordered_date = date_day where order_id in ('R3', 'R4') group by 1 order by 1"
    ) == [("2026-06-15", 1, 250), ("2026-11-10", 1, 1000)]


def test_a_won_deals_order_is_not_revenue_and_a_refunded_one_counts_nothing(built: Path) -> None:
    assert rows(
        "select order_id, order_line, account_id, freight_amount, net_amount, is_counted, is_revenue "
        "from marts.fct_orders left join marts.dim_accounts using (account_key) "
        "where fct_orders.source_system = 'market_co' order by 1, 2"
    ) == [
        ("A", "1", "seller-1", Decimal("8.9064"), Decimal("111.33"), True, True),
        ("A", "2", "seller-3", None, Decimal("55.665"), True, True),
        ("B", "1", "seller-1", 1, 900, False, False),
        ("C", "1", "seller-2", None, 70, True, False),
    ]


def test_payments_are_shown_separately_from_revenue(built: Path) -> None:
    assert rows(
        "select order_id, payment_no, payment_type, amount, currency_code, region, order_key is not null "
        "from marts.fct_payments order by 1, 2"
    ) == [
        ("A", "1", "card", Decimal("111.33"), "EUR", "Unknown", True),
        ("A", "2", "voucher", Decimal("55.665"), "EUR", "Unknown", True),
        ("B", "1", "card", 900, "USD", "Unknown", True),
        ("Z", "1", "card", 1, "USD", "Unknown", False),
    ]
    assert rows("select sum(order_amount) from marts.fct_funnel_daily where date_day = '2026-03-16'") == [
        (Decimal("166.995"),)
    ]


# --- changes what is in the warehouse: last -------------------------------------------------------------------------


def test_what_files_change_later_needs_no_full_build(built: Path) -> None:
    """A rename within known days, a campaign that first has no spend and then some, a seller, a deal that is won."""
    changes = {
        "brand_co/ad_stats 3.csv": f"""{ADS}
2026-03-01,Facebook,,A2,F1,Newest name,11,,,
2026-03-04,Letters,Radio,L,Spring,Spring,1,,,
2026-03-04,Google,cross_network,A1,F9,Nine,9,,,
""",
        "brand_co/touches 2.csv": "touched_at,lead_id,channel,campaign_id\n2026-03-06 09:00,2,,nine\n",
        "orders_co/opportunities 2.csv": "opportunity_id,stage,created_at,closed_at,amount\n"
        "O16,won,2026-11-02,2026-11-20,1000\n",
        "market_co/order_lines 2.csv": "order_id,order_line,account_id,amount,freight_amount\nA,2,seller-2,51,3\n",
        "market_co/payments 2.csv": "order_id,payment_no,payment_type,amount,currency_code\nA,2,voucher,51,EUR\n",
    }
    for name, content in changes.items():
        (built / name).write_text(content)
    take_in(built, "second", 30)
    build = dbt_run.build()
    assert not build.is_full
    assert rows("select order_id, is_revenue from marts.fct_orders where order_id = 'R4'") == [("R4", False)]
    assert rows(
        "select lead_id, lead.channel, campaign_id from marts.fct_leads as lead "
        "join marts.dim_campaigns using (campaign_key) where lead_id = '7'"
    ) == [("7", "Cross-network", "F9")]
    assert rows("select count(*), sum(amount_local) from marts.fct_payments") == [(4, 1052)]
    assert_as_of_a_full_build()
