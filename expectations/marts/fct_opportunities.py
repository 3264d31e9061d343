"""Checks of marts.fct_opportunities before its publication."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="currency_code",
            row_condition=Column("amount_local").is_not_null(),
            description="every amount has a currency",
            notes="Loaded before its currency was known: write currency into its connection's extra and ingest. "
            "Deals that were loaded before get it as well.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="amount",
            row_condition=Column("amount_local").is_not_null(),
            description="every amount has a rate into the reporting currency",
            notes="Without a rate the deal would be in no sum. Add the currency to seeds/currency_rates.csv.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="states",
            min_value=1,
            max_value=1,
            description="an opportunity is open, won or lost",
            notes="Exactly one of the three; otherwise win rates do not add up.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="closed_at",
            row_condition=Column("is_won") == True,  # noqa: E712 builds a condition, compares nothing
            description="a won opportunity has a closing time",
            notes="Without a close date its revenue is on no day.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="probability",
            min_value=0,
            max_value=1,
            description="the probability lies between 0 and 1",
            notes="Per cent would inflate the pipeline a hundredfold.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="weight_over_amount",
            max_value=0,
            description="the weighted amount is never more than the amount",
            notes="It is amount times probability.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="source_type",
            value_set=["marketing", "sales", "partner", "unknown"],
            description="every opportunity has a source type we know",
            notes="It decides which team owns the revenue. Correct seeds/channels.csv.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="opportunity_type",
            value_set=["new_business", "expansion", "renewal", "unknown"],
            description="every opportunity has a type we know",
            notes="Renewals are left out of the funnel by it. Correct seeds/opportunity_types.csv.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="region",
            description="every opportunity has a region",
            notes="Roles limited to a region would see it in none; without an account it belongs to Unknown.",
        ),
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Readers of bi may not see persons. A source or stage holds an address: correct it in the CRM.",
        ),
    ],
    # Deals of the master CRM loaded since the last publication. Copies in the other CRM are left out.
    "landed": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="opportunity_key",
            description="every deal landed is shown",
            notes="A deal of the master CRM that is neither deleted nor archived was lost on the way.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="amount_lost",
            min_value=0,
            max_value=0,
            description="amount landed = amount shown",
            notes="To the last digit, in the deal's own currency.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="won_lost",
            min_value=0,
            max_value=0,
            description="won landed = won shown",
            notes="Deals are won exactly if the CRM says so and the close is not after as_of.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="discount_rate",
            min_value=0,
            max_value=1,
            mostly=0.95,
            description="discounts lie between 0 and 1",
            notes="Below 0 the deal was sold above list price, above 1 for a negative amount: usually a typing error.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="amount",
            min_value=0,
            description="no amount is negative",
            notes="People enter credits as negative deals: legitimate, but they lower the revenue shown.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="has_sequence_anomaly",
            value_set=[False],
            mostly=0.9,
            description="deals close after they were created",
            notes="A few are entered after the fact. Many: check who imports deals.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="closed_date",
            max_value={"$PARAMETER": "as_of_date"},
            description="no deal is closed in the future",
            notes="A closed deal whose close date is in the future; it counts on that day.",
        ),
    ],
}

BATCHES = {
    "rows": """
        select
            mart.*,
            cast(mart.is_open as integer) + cast(mart.is_won as integer) + cast(mart.is_lost as integer) as states,
            abs(mart.weighted_amount) - abs(mart.amount) as weight_over_amount
        from {{ changed('fct_opportunities') }} as mart
    """,
    "landed": """
        select
            landed.source_system,
            landed.opportunity_id,
            shown.opportunity_key,
            case
                when shown.opportunity_key is not null
                    then coalesce(landed.amount, 0) - coalesce(shown.amount_local, 0)
            end as amount_lost,
            cast(landed.is_won and not coalesce(shown.has_future_close, false) as integer)
            - cast(shown.is_won as integer) as won_lost
        from (
            select
                'salesforce' as source_system,
                opportunity_id,
                amount,
                coalesce(is_won, false) as is_won
            from {{ source('salesforce', 'salesforce__opportunities') }}
            where
                {{ is_loaded_since('_load_id') }}
                and _load_id <= {{ through_load_id() }}
                and not coalesce(is_deleted, false)
                and _removed_at is null
                and (
                    {{ master_crm() }} = 'salesforce'
                    or opportunity_id not in (
                        select salesforce_opportunity_id from {{ source('hubspot', 'hubspot__deals') }}
                        where salesforce_opportunity_id is not null
                    )
                )

            union all

            select
                'hubspot' as source_system,
                deal_id as opportunity_id,
                amount,
                coalesce(is_won, false) as is_won
            from {{ source('hubspot', 'hubspot__deals') }} as deals
            where
                {{ is_loaded_since('_load_id') }}
                and _load_id <= {{ through_load_id() }}
                and not coalesce(is_archived, false)
                and _removed_at is null
                -- What was merged into another deal counts as that one.
                and (_connection_id, deal_id) not in (
                    select _connection_id, unnest(string_to_array(replace(merged_deal_ids, ' ', ''), ';'))
                    from {{ source('hubspot', 'hubspot__deals') }}
                    where merged_deal_ids is not null
                )
                and (
                    {{ master_crm() }} = 'hubspot'
                    or salesforce_opportunity_id is null
                    -- A deal that took a copy is a copy, also through another merge.
                    and not exists (
                        select from {{ source('hubspot', 'hubspot__deals') }} as losers
                        where losers._connection_id = deals._connection_id
                            and losers.deal_id = any(string_to_array(replace(deals.merged_deal_ids, ' ', ''), ';'))
                            and (losers.salesforce_opportunity_id is not null or losers.merged_deal_ids is not null)
                    )
                )
        ) as landed
        left join {{ ref('fct_opportunities') }} as shown
            on landed.source_system = shown.source_system and landed.opportunity_id = shown.opportunity_id
    """,
}
KEYS = {"landed": ["source_system", "opportunity_id"]}

PASSING = [
    {
        "opportunity_key": "o1",
        "opportunity_id": "0061",
        "lead_key": "l1",
        "account_key": "a1",
        "region": "EMEA",
        "opportunity_type": "new_business",
        "source_type": "marketing",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "stage": "Closed Won",
        "is_open": False,
        "is_won": True,
        "is_lost": False,
        "created_at": "2026-01-05 12:00+00",
        "created_date": "2026-01-05",
        "closed_at": "2026-01-05 18:00+00",
        "closed_date": "2026-01-05",
        "amount": 1100,
        "amount_local": 1000,
        "currency_code": "EUR",
        "probability": 1,
        "weighted_amount": 1100,
        "list_amount": 1375,
        "discount_rate": 0.2,
        "has_sequence_anomaly": False,
        "has_future_close": False,
        "source_system": "salesforce",
    }
]

POISON = {
    "every amount has a currency": [{"currency_code": None}],
    "every amount has a rate into the reporting currency": [{"amount": None}],
    "an opportunity is open, won or lost": [{"is_open": True}],
    "a won opportunity has a closing time": [{"closed_at": None}],
    "the probability lies between 0 and 1": [{"probability": 100}],
    "the weighted amount is never more than the amount": [{"weighted_amount": 1100.01}],
    "every opportunity has a source type we know": [{"source_type": "agency"}],
    "every opportunity has a type we know": [{"opportunity_type": "gift"}],
    "every opportunity has a region": [{"region": None}],
    "no text holds an e-mail address": [{"stage": "waits for ana@example.com"}],
    "every deal landed is shown": [{"opportunity_id": "0062"}],
    "amount landed = amount shown": [{"amount_local": 999}],
    "won landed = won shown": [{"is_won": False, "is_lost": True}],
    "discounts lie between 0 and 1": [{"discount_rate": -0.1}],
    "no amount is negative": [{"amount": -1100}],
    "deals close after they were created": [{"has_sequence_anomaly": True}],
    "no deal is closed in the future": [{"closed_date": "2062-01-05"}],
}
