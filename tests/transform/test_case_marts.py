"""Each small input of `tests/cases` that failed once, with its right outcome in the published marts."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.transform import cases

# The cases that are built together; a case joins when its right outcome is reached.
CASES = ("deals_never_credited",)


@pytest.fixture(scope="module")
def marts(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """All cases in one warehouse, built and published once."""
    folders = [cases.CASES / "marts" / name for name in CASES]
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


def test_their_revenue_stands_in_the_marketing_share(marts: str) -> None:
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
