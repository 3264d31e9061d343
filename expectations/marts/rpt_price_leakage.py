"""Checks of marts.rpt_price_leakage before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="miscounted",
            min_value=-0.000001,
            max_value=0.000001,
            description="leakage is the excess rate times the list amount",
            notes="The three figures are shown together.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="days_to_quarter_end",
            min_value=0,
            max_value=92,
            description="a quarter ends within its days",
            notes="fiscal_year_start_month of dbt_project.yml decides where.",
        ),
    ],
    # Won deals that changed, and whether each is shown.
    "won": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="shown_key",
            description="every won deal is judged",
            notes="A won deal has no row: a rep's discounts would not be seen.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="leakage_amount",
            min_value=0,
            description="no leakage is negative",
            notes="A discount below that of the peers is not leakage.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="expected_discount_rate",
            min_value=0,
            max_value=1,
            description="peers give discounts between nothing and all",
            notes="Only these discounts count for peers.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="commission_over_amount",
            max_value=0.5,
            description="commission is less than half of a deal",
            notes="Commission rates are shares: 0.04, not 4.",
        ),
    ],
}

BATCHES = {
    "rows": """
        select
            mart.*,
            mart.leakage_amount - greatest(0, mart.discount_rate - mart.expected_discount_rate) * mart.list_amount
                as miscounted,
            mart.commission_amount / nullif(abs(mart.list_amount - mart.discount_amount), 0) as commission_over_amount
        from {{ changed('rpt_price_leakage') }} as mart
    """,
    "won": """
        select
            won.opportunity_key,
            shown.opportunity_key as shown_key
        from {{ changed('fct_opportunities') }} as won
        left join {{ ref('rpt_price_leakage') }} as shown on won.opportunity_key = shown.opportunity_key
        where won.is_won
    """,
}
KEYS = {"won": ["opportunity_key"]}

PASSING = [
    {
        "opportunity_key": "o1",
        "rep_key": "r1",
        "region": "EMEA",
        "opportunity_type": "new_business",
        "peers_by": "type",
        "list_amount": 1375,
        "discount_amount": 275,
        "discount_rate": 0.2,
        "expected_discount_rate": 0.1,
        "leakage_amount": 137.5,
        "commission_amount": 55,
        "n_peers": 12,
        "days_to_quarter_end": 85,
        "closed_at": "2026-01-05 18:00+00",
        "closed_date": "2026-01-05",
    }
]

POISON = {
    "no leakage is negative": [{"leakage_amount": -137.5, "list_amount": None}],
    "leakage is the excess rate times the list amount": [{"leakage_amount": 13.75}],
    "peers give discounts between nothing and all": [{"expected_discount_rate": -10, "leakage_amount": 14025}],
    "a quarter ends within its days": [{"days_to_quarter_end": -1}],
    "every won deal is judged": [{"opportunity_key": "o9"}],
    "commission is less than half of a deal": [{"commission_amount": 5500}],
}
