"""The entities and columns of files that fill each mart.

Data only. `make files` prints the lines of empty marts; a test compares them with the marts.
"""

_LEADS = "leads with created_at (mql_at, sql_at and so on for its stages)"
_WON = "opportunities with stage won, closed_at and amount"

FILLED_BY = {
    "dim_accounts": "accounts, or account_id of leads, opportunities or orders",
    "dim_campaigns": "ad_stats",
    "dim_campaigns_history": "ad_stats",
    "dim_channels": "always filled, from seeds",
    "dim_dates": "always filled",
    "dim_people": "leads with email or person_id",
    "dim_products": "products, or product_id of opportunity_lines, order_lines or sell_through",
    "dim_products_history": "price_list, or products with list_price",
    "dim_record_links": "nothing; the seed record_links",
    "dim_sales_reps": "reps, or rep_id or rep_name of leads or opportunities",
    "fct_ad_stats_daily": "ad_stats",
    "fct_attribution": "opportunities whose lead_id or person_id is that of leads or touches",
    "fct_funnel_bridge": _LEADS,
    "fct_funnel_cohorts": _LEADS,
    "fct_funnel_daily": "any of ad_stats, leads, opportunities, orders",
    "fct_funnel_monthly": "any of ad_stats, leads, opportunities, orders",
    "fct_funnel_stages": "any of ad_stats, leads, opportunities, orders",
    "fct_funnel_steps": "any of leads, opportunities",
    "fct_leads": _LEADS,
    "fct_opportunities": "opportunities",
    "fct_opportunities_daily": "opportunities with created_at that are open now, or were on a day that was published",
    "fct_opportunity_lines": "opportunity_lines, or opportunities with product_id",
    "fct_orders": "orders and their order_lines",
    "fct_payments": "payments and their orders",
    "fct_sell_through_weekly": "sell_through",
    "fct_stage_events": "leads or opportunities with dates, or stage_events",
    "fct_targets": "targets",
    "fct_touchpoints": "touches, or leads with created_at",
    "fct_web_sessions_daily": "a GA4 connection; no file can fill it",
    "rpt_alignment_parts": "leads and opportunities with dates, of more than one month",
    "rpt_alignment_scorecard": "leads and opportunities with dates, of more than one month",
    "rpt_channel_removal": f"{_LEADS}; touches, and opportunities with lead_id or orders",
    "rpt_channel_return": "ad_stats or costs, and opportunities with lead_id",
    "rpt_drivers": f"{_WON}, of more than one whole month",
    "rpt_handoff": "leads with mql_at",
    "rpt_identity": "leads with email or person_id",
    "rpt_pipeline_coverage": "opportunities that are open, with amount and expected_close_date; targets of won_amount",
    "rpt_price_leakage": f"{_WON}, list_amount or products with list_price, rep_id",
    "rpt_restatement": "a second publication in which a day has moved",
    "rpt_retail_gap": "sell_through, and orders with order_lines of the same product groups",
    "rpt_sales_velocity": f"{_WON} and created_at",
}
