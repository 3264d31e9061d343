"""Orders, refunds and retailers' sales equal the truth."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal

from sandbox import retailing, truth
from sandbox.scenario import Scenario
from tests.end_to_end.company.conftest import ANCHOR, DAYS
from tests.end_to_end.company.rates import Rates
from tests.end_to_end.pipeline import Pipeline, rows
from tests.rounding import half_up


def test_what_retailers_sell(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """Each week is spread evenly over its days, whatever weekday it begins on; campaigns spent in each of them."""
    spending = {
        row.day
        for row in truth.spend(scenario, now, ANCHOR - timedelta(days=DAYS), ANCHOR - timedelta(days=1))
        if row.amount
    }
    sold: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    advertised: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for sale in retailing.sales(ANCHOR):
        week = [sale.week_start + timedelta(days=number) for number in range(7)]
        for day in week:
            part = Decimal(sale.sales_cents) / 700
            sold[day.replace(day=1), sale.region] += part
            if spending & set(week):
                advertised[day.replace(day=1), sale.region] += part
    shown = rows(
        """
        select
            month_start, region, sum(sell_through_amount) as amount, sum(advertised_amount) as advertised,
            sum(regional_campaigns_amount) as regional, sum(own_ecommerce_amount) as own,
            bool_and(has_advertising) as has_advertising
        from bi.rpt_retail_gap
        group by month_start, region
        """
    )
    found = {(row["month_start"], row["region"]): row for row in shown if row["amount"]}
    assert {key: row["amount"] for key, row in found.items()} == sold
    assert {key: row["advertised"] for key, row in found.items()} == advertised
    assert len(sold) == 6
    assert {(row["regional"], row["has_advertising"]) for row in found.values()} == {(0, True)}
    in_funnel = rows(
        "select month_start, region, sum(retail_amount) as amount from bi.fct_funnel_monthly "
        "group by 1, 2 having sum(retail_amount) <> 0"
    )
    assert {(row["month_start"], row["region"]): row["amount"] for row in in_funnel} == sold
    own = rows("select sum(order_amount) as amount from bi.fct_funnel_monthly")[0]["amount"]
    assert sum(row["own"] for row in shown) == own
    for row in rows("select * from bi.rpt_retail_gap"):
        all_sales = row["own_ecommerce_amount"] + row["sell_through_amount"]
        assert row["covered_rate"] == (half_up(row["own_ecommerce_amount"] / all_sales, 12) if all_sales else None)


def test_every_order(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = {
        one.order_id: (
            one.net,
            one.is_counted,
            one.person_id is not None,
            one.opportunity_id,
            one.channel,
            one.campaign_id or "(no campaign)",
            one.region if one.is_revenue else None,
        )
        for one in truth.orders(scenario, now)
    }
    found = {
        row["order_id"]: (
            row["net"],
            row["is_counted"],
            row["has_person"],
            row["opportunity_id"],
            row["channel"],
            row["campaign_id"],
            row["region"],
        )
        for row in rows(
            """
            select
                orders.order_id,
                sum(orders.amount_local) as net,
                bool_and(orders.is_counted) as is_counted,
                bool_and(orders.person_key is not null) as has_person,
                min(opportunities.opportunity_id) as opportunity_id,
                min(orders.channel) as channel,
                min(campaigns.campaign_id) as campaign_id,
                min(orders.region) filter (where orders.is_counted and orders.opportunity_key is null) as region
            from bi.fct_orders as orders
            inner join bi.dim_campaigns as campaigns using (campaign_key)
            left join bi.fct_opportunities as opportunities using (opportunity_key)
            group by orders.order_id
            """
        )
    }
    assert len(expected) > 1_000
    assert sum(one[2] for one in expected.values()) > 200
    assert sum(one[3] is not None for one in expected.values()) > 3
    assert found == expected
    [of_products] = rows(
        """
        select count(product_key) as lines, count(*) filter (where orders.product_key is not null and product is null)
            as unnamed
        from bi.fct_orders as orders left join bi.dim_products as product using (product_key)
        """
    )
    assert of_products["lines"] > 1_000
    assert of_products["unnamed"] == 0


def test_orders_and_their_net_amount_of_every_month(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    rates = Rates()
    count: dict[date, int] = defaultdict(int)
    amount: dict[date, Decimal] = defaultdict(Decimal)
    for order in truth.orders(scenario, now):
        if order.is_revenue:
            day = order.ordered_at.date()
            month = day.replace(day=1)
            count[month] += 1
            amount[month] += rates.convert(order.paid, order.currency, day)
            amount[month] -= sum(
                (rates.convert(back.amount, back.currency, back.rate_day) for back in order.back), Decimal()
            )
    found = rows(
        "select date_trunc('month', date_day)::date as month, sum(orders)::int as orders, "
        "sum(order_amount) as amount from bi.fct_funnel_daily group by 1 having sum(orders) > 0"
    )
    assert {row["month"]: (row["orders"], row["amount"]) for row in found} == {
        month: (count[month], amount[month]) for month in count
    }
    (credited,) = rows(
        "select sum(credited_amount) as amount, count(distinct conversion_id)::int as orders "
        "from bi.fct_attribution where conversion_type = 'order' and model = 'linear'"
    )
    assert credited == {"amount": sum(amount.values()), "orders": sum(count.values())}
