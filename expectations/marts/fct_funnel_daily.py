"""Checks of marts.fct_funnel_daily before its publication: above all that it holds everything in the facts."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="channel",
            value_set={"$PARAMETER": "channels"},
            description="every channel is in dim_channels",
            notes="It would be in no team's sum. Correct seeds/channel_rules.csv.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="leads", min_value=0, description="counts of leads are never negative"
        ),
    ],
    # What the facts say minus what is shown, per day that anything touched since the last publication.
    "days": [
        gxe.ExpectColumnValuesToBeBetween(
            column="spend_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="spend in = spend out",
            notes="Per day, fct_ad_stats_daily against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="clicks_lost",
            min_value=0,
            max_value=0,
            description="clicks in = clicks out",
            notes="Per day, fct_ad_stats_daily against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="sessions_lost",
            min_value=0,
            max_value=0,
            description="sessions in = sessions out",
            notes="Per day, fct_web_sessions_daily against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="leads_lost",
            min_value=0,
            max_value=0,
            description="leads in = leads out",
            notes="Per day, fct_leads against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="mqls_lost",
            min_value=0,
            max_value=0,
            description="MQLs in = MQLs out",
            notes="Per day, fct_leads against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="sals_lost",
            min_value=0,
            max_value=0,
            description="SALs in = SALs out",
            notes="Per day, fct_leads against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="sqls_lost",
            min_value=0,
            max_value=0,
            description="SQLs in = SQLs out",
            notes="Per day, fct_leads against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="opportunities_lost",
            min_value=0,
            max_value=0,
            description="opportunities in = opportunities out",
            notes="Per day, fct_opportunities against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="pipeline_amount_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="pipeline in = pipeline out",
            notes="Per day, fct_opportunities against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="won_lost",
            min_value=0,
            max_value=0,
            description="won deals in = won deals out",
            notes="Per day, fct_opportunities against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="won_amount_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="won revenue in = won revenue out",
            notes="Per day, fct_opportunities against this mart. `make build FULL=1` repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="orders_lost",
            min_value=0,
            max_value=0,
            description="orders in = orders out",
            notes="Per day, counted orders of fct_orders without an opportunity against this mart. `make build FULL=1` "
            "repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="order_amount_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="order amounts in = order amounts out",
            notes="Per day, counted orders of fct_orders without an opportunity against this mart. `make build FULL=1` "
            "repairs a stale day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="lost_lost",
            min_value=0,
            max_value=0,
            description="lost deals in = lost deals out",
            notes="Per day, fct_opportunities against this mart. `make build FULL=1` repairs a stale day.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(column="spend", min_value=0, description="spend is never negative"),
    ],
    # The last 28 complete days together.
    "recent": [
        gxe.ExpectColumnValuesToBeBetween(
            column="unknown_share",
            max_value=0.2,
            row_condition=Column("leads") >= 20,
            description="at most 20 % of the leads have channel Unknown",
            notes="Above a fifth, channels can no longer be compared. Extend seeds/channel_rules.csv; staging shows "
            "what the vendors wrote.",
        ),
    ],
    "sources": [
        gxe.ExpectColumnValuesToBeBetween(
            column="days_behind",
            max_value=1,
            description="every source is up to date",
            notes="Its days are missing from the newest rows; data_status names it. Look at its ingest DAG.",
        ),
    ],
}

BATCHES = {
    "days": """
        select
            date_day,
            coalesce(ads.spend, 0) - coalesce(shown.spend, 0) as spend_lost,
            coalesce(ads.clicks, 0) - coalesce(shown.clicks, 0) as clicks_lost,
            coalesce(web.sessions, 0) - coalesce(shown.sessions, 0) as sessions_lost,
            coalesce(lead.leads, 0) - coalesce(shown.leads, 0) as leads_lost,
            coalesce(lead.mqls, 0) - coalesce(shown.mqls, 0) as mqls_lost,
            coalesce(lead.sals, 0) - coalesce(shown.sals, 0) as sals_lost,
            coalesce(lead.sqls, 0) - coalesce(shown.sqls, 0) as sqls_lost,
            coalesce(opened.opportunities, 0) - coalesce(shown.opportunities, 0) as opportunities_lost,
            coalesce(opened.pipeline_amount, 0) - coalesce(shown.pipeline_amount, 0) as pipeline_amount_lost,
            coalesce(closed.won, 0) - coalesce(shown.won, 0) as won_lost,
            coalesce(closed.won_amount, 0) - coalesce(shown.won_amount, 0) as won_amount_lost,
            coalesce(ordered.orders, 0) - coalesce(shown.orders, 0) as orders_lost,
            coalesce(ordered.order_amount, 0) - coalesce(shown.order_amount, 0) as order_amount_lost,
            coalesce(closed.lost, 0) - coalesce(shown.lost, 0) as lost_lost
        from (
            select date_day from {{ touched('fct_funnel_daily') }}
            union
            select date_day from {{ touched('fct_ad_stats_daily') }}
            union
            select date_day from {{ touched('fct_web_sessions_daily') }}
            union
            select unnest(array[created_date, mql_date, sal_date, sql_date]) from {{ touched('fct_leads') }}
            union
            select unnest(array[created_date, closed_date]) from {{ touched('fct_opportunities') }}
            union
            select ordered_date from {{ touched('fct_orders') }}
        ) as day
        left join lateral (
            select sum(spend) as spend, sum(clicks) as clicks
            from {{ ref('fct_ad_stats_daily') }}
            where date_day = day.date_day
        ) as ads on true
        left join lateral (
            select sum(sessions) as sessions
            from {{ ref('fct_web_sessions_daily') }}
            where date_day = day.date_day
        ) as web on true
        left join lateral (
            select
                count(*) filter (where created_date = day.date_day) as leads,
                count(*) filter (where mql_date = day.date_day) as mqls,
                count(*) filter (where sal_date = day.date_day) as sals,
                count(*) filter (where sql_date = day.date_day) as sqls
            from {{ ref('fct_leads') }}
            where
                created_date = day.date_day
                or mql_date = day.date_day
                or sal_date = day.date_day
                or sql_date = day.date_day
        ) as lead on true
        left join lateral (
            select count(*) as opportunities, sum(amount) as pipeline_amount
            from {{ ref('fct_opportunities') }}
            where created_date = day.date_day and opportunity_type <> 'renewal'
        ) as opened on true
        left join lateral (
            select
                count(*) filter (where is_won) as won,
                sum(amount) filter (where is_won) as won_amount,
                count(*) filter (where is_lost) as lost
            from {{ ref('fct_opportunities') }}
            where closed_date = day.date_day and not is_open and opportunity_type <> 'renewal'
        ) as closed on true
        left join lateral (
            select count(distinct order_key) as orders, sum(net_amount) as order_amount
            from {{ ref('fct_orders') }}
            where ordered_date = day.date_day and is_revenue
        ) as ordered on true
        left join lateral (
            select
                sum(spend) as spend,
                sum(clicks) as clicks,
                sum(sessions) as sessions,
                sum(leads) as leads,
                sum(mqls) as mqls,
                sum(sals) as sals,
                sum(sqls) as sqls,
                sum(opportunities) as opportunities,
                sum(pipeline_amount) as pipeline_amount,
                sum(won) as won,
                sum(won_amount) as won_amount,
                sum(orders) as orders,
                sum(order_amount) as order_amount,
                sum(lost) as lost
            from {{ ref('fct_funnel_daily') }}
            where date_day = day.date_day
        ) as shown on true
        where date_day is not null
    """,
    "recent": """
        select
            sum(leads) as leads,
            coalesce(sum(leads) filter (where channel = 'Unknown'), 0) / nullif(sum(leads), 0) as unknown_share
        from {{ ref('fct_funnel_daily') }}
        where date_day >= {{ as_of_date() }} - 28 and date_day < {{ as_of_date() }}
    """,
    "sources": """
        select source, connection_id, {{ as_of_date() }} - 1 - last_day_complete as days_behind
        from {{ source('ops', 'sources') }}
        where first_day is not null
    """,
}
KEYS = {"days": ["date_day"], "sources": ["source", "connection_id"]}

PASSING = [
    {
        "date_day": "2026-01-05",
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "region": "(all)",
        "spend": 99,
        "impressions": 1000,
        "clicks": 50,
        "sessions": 0,
        "leads": 0,
        "mqls": 0,
        "sals": 0,
        "sqls": 0,
        "opportunities": 0,
        "pipeline_amount": 0,
        "won": 0,
        "won_amount": 0,
        "lost": 0,
        "orders": 0,
        "order_amount": 0,
    },
    {
        "date_day": "2026-01-05",
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "region": "EMEA",
        "spend": 0,
        "impressions": 0,
        "clicks": 0,
        "sessions": 42,
        "leads": 1,
        "mqls": 1,
        "sals": 0,
        "sqls": 0,
        "opportunities": 1,
        "pipeline_amount": 1100,
        "won": 1,
        "won_amount": 1100,
        "lost": 0,
        "orders": 1,
        "order_amount": 66,
    },
]

_ADS, _CRM = PASSING
POISON = {
    "every channel is in dim_channels": [{**_ADS, "channel": "Radio"}, _CRM],
    "spend is never negative": [{**_ADS, "spend": 100}, {**_CRM, "spend": -1}],
    "counts of leads are never negative": [{**_ADS, "leads": -1}, {**_CRM, "leads": 2}],
    "spend in = spend out": [{**_ADS, "spend": 98.99}, _CRM],
    "clicks in = clicks out": [{**_ADS, "clicks": 49}, _CRM],
    "sessions in = sessions out": [_ADS, {**_CRM, "sessions": 41}],
    "leads in = leads out": [_ADS, {**_CRM, "leads": 2}],
    "MQLs in = MQLs out": [_ADS, {**_CRM, "mqls": 0}],
    "SALs in = SALs out": [_ADS, {**_CRM, "sals": 1}],
    "SQLs in = SQLs out": [_ADS, {**_CRM, "sqls": 1}],
    "opportunities in = opportunities out": [_ADS, {**_CRM, "opportunities": 0}],
    "pipeline in = pipeline out": [_ADS, {**_CRM, "pipeline_amount": 1099.99}],
    "won deals in = won deals out": [_ADS, {**_CRM, "won": 2}],
    "won revenue in = won revenue out": [_ADS, {**_CRM, "won_amount": 1100.01}],
    "orders in = orders out": [_ADS, {**_CRM, "orders": 0}],
    "order amounts in = order amounts out": [_ADS, {**_CRM, "order_amount": 65.99}],
    "lost deals in = lost deals out": [_ADS, {**_CRM, "lost": 1}],
    "at most 20 % of the leads have channel Unknown": [_ADS, {**_CRM, "channel": "Unknown", "leads": 20}],
    "every source is up to date": {"ops.sources": [{"last_day_complete": "2026-01-02"}]},
}
