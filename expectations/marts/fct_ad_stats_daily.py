"""Checks of marts.fct_ad_stats_daily before its publication: above all that the landed spend equals the shown spend."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="spend",
            description="every spend has a rate into the reporting currency",
            notes="Without a rate the spend would be in no sum. Add the currency to seeds/currency_rates.csv.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="campaign_key",
            description="every row has a campaign",
            notes="Rows without a campaign have (no campaign), never null.",
        ),
    ],
    # Landed minus shown, per platform, currency and day loaded since the last publication.
    "landed": [
        gxe.ExpectColumnValuesToBeBetween(
            column="spend_lost",
            min_value=0,
            max_value=0,
            description="spend landed = spend shown",
            notes="To the last digit, in the account's currency. A difference is a lost, doubled or stale row: "
            "`make build FULL=1` repairs a stale one.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="rows_lost",
            min_value=0,
            max_value=0,
            description="campaign days landed = campaign days shown",
            notes="This also counts rows without spend.",
        ),
    ],
}

# Corrections and credits of a platform are negative: they are shown unchanged, and give a warning.
WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(column="spend", min_value=0, description="spend is never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="impressions", min_value=0, description="impressions are never negative"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="clicks", min_value=0, description="clicks are never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="clicks_over_impressions",
            max_value=0,
            mostly=0.98,
            description="clicks do not exceed impressions",
            notes="Single rows may, where a click follows on the next day.",
        ),
    ],
}

BATCHES = {
    "rows": """
        select mart.*, mart.clicks - mart.impressions as clicks_over_impressions
        from {{ changed('fct_ad_stats_daily') }} as mart
    """,
    # Two connections may read the same account: its newest row counts, as everywhere.
    "landed": """
        select
            platform,
            currency_code,
            date_day,
            coalesce(landed.spend, 0) - coalesce(shown.spend, 0) as spend_lost,
            coalesce(landed.campaign_days, 0) - coalesce(shown.campaign_days, 0) as rows_lost
        from (
            select platform, currency_code, date_day, sum(spend) as spend, count(*) as campaign_days
            from (
                select distinct on (platform, ad_account_id, campaign_id, date_day) *
                from (
                    select
                        'google_ads' as platform,
                        customer_id as ad_account_id,
                        campaign_id,
                        currency_code,
                        date as date_day,
                        cost_micros / 1000000.0 as spend,
                        _load_id
                    from {{ source('google_ads', 'google_ads__campaign_stats') }}
                    where date = any({{ loaded_days() }})

                    union all

                    select
                        'meta_ads' as platform,
                        account_id as ad_account_id,
                        campaign_id,
                        account_currency as currency_code,
                        date_start as date_day,
                        spend,
                        _load_id
                    from {{ source('meta_ads', 'meta_ads__insights') }}
                    where date_start = any({{ loaded_days() }})

                    union all

                    select
                        'microsoft_ads' as platform,
                        account_id as ad_account_id,
                        campaign_id,
                        currency_code,
                        date as date_day,
                        spend,
                        _load_id
                    from {{ source('microsoft_ads', 'microsoft_ads__campaign_stats') }}
                    where date = any({{ loaded_days() }})

                    union all

                    select
                        'linkedin_ads' as platform,
                        coalesce(stats.account_id, campaigns.account_id) as ad_account_id,
                        stats.campaign_id,
                        accounts.currency_code,
                        stats.date as date_day,
                        stats.cost_in_local_currency as spend,
                        stats._load_id
                    from {{ source('linkedin_ads', 'linkedin_ads__campaign_stats') }} as stats
                    left join (
                        select distinct _connection_id, account_id, campaign_id
                        from {{ source('linkedin_ads', 'linkedin_ads__campaigns') }}
                    ) as campaigns using (_connection_id, campaign_id)
                    left join {{ source('linkedin_ads', 'linkedin_ads__accounts') }} as accounts
                        on
                            stats._connection_id = accounts._connection_id
                            and coalesce(stats.account_id, campaigns.account_id) = accounts.account_id
                    where stats.date = any({{ loaded_days() }})
                ) as unioned
                order by platform, ad_account_id, campaign_id, date_day, _load_id desc
            ) as counted
            group by platform, currency_code, date_day
        ) as landed
        full join (
            select platform, currency_code, date_day, sum(spend_local) as spend, count(*) as campaign_days
            from {{ ref('fct_ad_stats_daily') }}
            where date_day = any({{ loaded_days() }}) and source_system = platform
            group by platform, currency_code, date_day
        ) as shown using (platform, currency_code, date_day)
    """,
}
KEYS = {"landed": ["platform", "currency_code", "date_day"]}

PASSING = [
    {
        "date_day": "2026-01-05",
        "platform": "google_ads",
        "ad_account_id": "1",
        "campaign_id": "11",
        "campaign_key": "c11",
        "channel": "Paid Search",
        "region": "(not split)",
        "source_system": "google_ads",
        "currency_code": "EUR",
        "impressions": 1000,
        "clicks": 50,
        "spend": 99,
        "spend_local": 90,
    }
]

POISON = {
    "every spend has a rate into the reporting currency": [{"spend": None}],
    "spend is never negative": [{"spend": -99}],
    "impressions are never negative": [{"impressions": -1, "clicks": None}],
    "clicks are never negative": [{"clicks": -1}],
    "every row has a campaign": [{"campaign_key": None}],
    "spend landed = spend shown": [{"spend_local": 89.99}],
    "campaign days landed = campaign days shown": [{}, {"campaign_id": "12", "spend_local": 0, "spend": 0}],
    "clicks do not exceed impressions": [{"clicks": 1001}],
}
