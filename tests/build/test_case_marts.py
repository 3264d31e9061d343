"""Small inputs of `tests/cases` that once gave wrong results, with the right result in the published marts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from installation import exports
from tests.build import cases


@pytest.fixture(scope="module")
def marts(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """All cases in one warehouse, built and published once."""
    folders = [
        *sorted(path for path in (cases.CASES / "marts").iterdir() if path.is_dir()),
        cases.CASES / "files" / "14_won_without_amount",
        cases.CASES / "files" / "15_status_without_dates",
    ]
    with cases.published(cluster_home, tmp_path_factory.mktemp("cases"), folders) as dsn:
        yield dsn


def one(marts: str, query: str) -> dict[str, Any]:
    """The only row of a query."""
    found = many(marts, query)
    assert len(found) == 1, found
    return found[0]


def many(marts: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(marts, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute(query.encode()).fetchall()


def deal(marts: str, opportunity_id: str) -> dict[str, Any]:
    return one(marts, f"select * from bi.fct_opportunities where opportunity_id = '{opportunity_id}'")


def lead(marts: str, lead_id: str) -> dict[str, Any]:
    return one(marts, f"select * from bi.fct_leads where lead_id = '{lead_id}'")


def credit(marts: str, opportunity_id: str, model: str = "first") -> list[tuple[str, Decimal]]:
    """Channel and amount of the credit of a model for a won deal."""
    found = many(
        marts,
        f"""
        select attribution.channel, attribution.credited_amount
        from bi.fct_attribution as attribution
        inner join bi.fct_opportunities as deals using (opportunity_key)
        where deals.opportunity_id = '{opportunity_id}'
            and attribution.model = '{model}' and attribution.conversion_type = 'won'
        """,
    )
    return [(row["channel"], row["credited_amount"]) for row in found]


def test_a_deal_of_the_day_of_its_lead_is_in_order_and_credited(marts: str) -> None:
    assert not deal(marts, "SO1")["has_sequence_anomaly"]
    assert not lead(marts, "S1")["has_sequence_anomaly"]
    assert credit(marts, "SO1") == [("Paid Search", Decimal(1000))]


def test_deals_of_files_are_credited_to_the_touches_of_their_leads(marts: str) -> None:
    credited = many(
        marts,
        """
        select attribution.channel, sum(attribution.credited_amount) as amount
        from bi.fct_attribution as attribution
        inner join bi.fct_opportunities as deals using (opportunity_key)
        where deals.source_system = 'plain_co' and deals.is_won
            and attribution.model = 'first' and attribution.conversion_type = 'won'
        group by attribution.channel
        having sum(attribution.credit) > 0
        """,
    )
    assert credited == [{"channel": "Paid Search", "amount": Decimal(35_000)}]


def test_their_revenue_is_in_the_marketing_share(marts: str) -> None:
    share = one(
        marts,
        """
        select value, is_sufficient from bi.rpt_alignment_scorecard
        where measure = 'marketing_revenue_share' and period_grain = 'quarter'
            and period_start = '2026-07-01' and region = '(all)'
        """,
    )
    assert share == {"value": Decimal(1), "is_sufficient": True}
    months = many(
        marts,
        """
        select is_sufficient from bi.rpt_alignment_scorecard
        where measure = 'marketing_revenue_share' and period_grain = 'month'
            and period_start between '2026-07-01' and '2026-09-01' and region = '(all)'
        """,
    )
    assert not any(month["is_sufficient"] for month in months)


def test_the_return_of_channels_agrees_with_the_funnel(marts: str) -> None:
    differing = many(
        marts,
        """
        select month_start, returned.revenue, funnel.won_amount
        from (
            select month_start, sum(revenue) as revenue from bi.rpt_channel_return
            where model = 'first' group by month_start
        ) as returned
        full join (
            select month_start, sum(won_amount) + coalesce(sum(order_amount), 0) as won_amount
            from bi.fct_funnel_monthly group by month_start
        ) as funnel using (month_start)
        where coalesce(returned.revenue, 0) <> coalesce(funnel.won_amount, 0)
        """,
    )
    assert differing == []


def test_a_qualification_of_a_day_follows_the_creation_of_that_day(marts: str) -> None:
    early, same_day = lead(marts, "L06"), lead(marts, "L07")
    assert (early["channel"], same_day["channel"]) == ("Paid Search", "Paid Social")
    assert f"{early['created_at']:%Y-%m-%d %H:%M}" == f"{same_day['created_at']:%Y-%m-%d %H:%M}" == "2026-03-12 10:00"
    assert (f"{early['mql_at']:%Y-%m-%d}", early["has_sequence_anomaly"]) == ("2026-03-11", True)
    assert (f"{same_day['mql_at']:%Y-%m-%d}", same_day["has_sequence_anomaly"]) == ("2026-03-12", False)


@pytest.mark.parametrize("opportunity_id", ["O01", "B"])
def test_a_deal_closed_before_its_lead_is_flagged_and_unattributed(marts: str, opportunity_id: str) -> None:
    assert deal(marts, opportunity_id)["has_sequence_anomaly"]
    assert [channel for channel, _ in credit(marts, opportunity_id)] == ["(unattributed)"]


def test_a_won_deal_without_a_close_date_closes_when_it_was_first_loaded(marts: str) -> None:
    found = deal(marts, "W1")
    assert (found["is_won"], found["is_closed_inferred"], found["lead_key"]) == (True, True, None)
    assert str(found["closed_date"]) == str(cases.LAST_DAY)


def test_won_deals_without_amounts_are_published(marts: str) -> None:
    assert [deal(marts, each)["amount"] for each in ("A", "B")] == [None, None]


def test_a_status_without_dates_ends_its_lead(marts: str) -> None:
    leads = {row["lead_id"]: row for row in many(marts, "select * from bi.fct_leads where source_system = 'statuses'")}
    assert (leads["A"]["outcome"], leads["A"]["is_ending_inferred"]) == ("won", True)
    assert f"{leads['A']['won_at']:%Y-%m-%d}" == str(cases.LAST_DAY)
    assert {row["region"] for row in leads.values()} == {"EMEA"}
    assert leads["A"]["channel"] == "Unknown"
    assert (leads["B"]["response_business_minutes"], leads["B"]["is_sla_breached"]) == (60, False)
    assert not leads["B"]["is_ending_inferred"]


def test_a_lead_that_is_won_without_a_deal_is_not_won_in_the_funnel_and_is_reported(
    marts: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deals = one(marts, "select count(*) as deals from bi.fct_opportunities where is_won")
    assert one(marts, "select sum(won) as deals from bi.fct_funnel_daily") == deals
    assert one(marts, "select count(*) as deals from bi.fct_opportunities where source_system = 'statuses'") == {
        "deals": 0
    }
    exports._print_won_without_deals()
    said = capsys.readouterr().out
    assert "Not in the funnel's won: 1 leads of statuses whose status is won" in said
    assert "map opportunities with their lead_id" in said


def test_what_a_lead_states_of_itself_is_shown(marts: str) -> None:
    found = lead(marts, "L09")
    assert (found["region"], found["status"]) == ("EMEA", "sql")
    assert f"{found['first_response_at']:%Y-%m-%d %H:%M}" == "2026-03-17 11:00"


def test_the_campaign_and_region_that_a_deal_states_are_shown(marts: str) -> None:
    found = deal(marts, "O17")
    assert (found["stated_campaign_id"], found["region"], found["lead_key"]) == ("C2", "EMEA", None)


def test_a_lead_is_won_by_its_stage_event_unless_a_deal_says_when(marts: str) -> None:
    by_event, by_deal = lead(marts, "E1"), lead(marts, "E2")
    assert by_event["won_at"] == datetime(2026, 3, 20, 10, tzinfo=UTC)
    assert not by_event["is_ending_inferred"]
    assert by_deal["won_at"] == datetime(2026, 3, 25, 9, tzinfo=UTC)
    # Counts of won are counts of deals.
    deals = "select count(*) as deals from bi.fct_opportunities where source_system like 'won_by_stage%'"
    assert one(marts, deals) == {"deals": 1}
