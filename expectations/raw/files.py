"""Checks of the rows of files.

Every cell was checked when its file was read. These checks find what only the rows together show: a column mapped to
the wrong field, day and month exchanged, an inverted sign.
"""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column


def _never_negative(column: str, what: str, notes: str) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=0, mostly=0.9, description=f"{what} are hardly ever negative", notes=notes
    )


_CREDITS = "Single credit notes are legitimate. One row in ten means another column or the wrong sign."
_WRONG_COLUMN = "Nearly all empty: the manifest names a column that the export no longer fills."

CRITICAL = {
    "alignment_baselines": [
        gxe.ExpectColumnValuesToBeBetween(
            column="baseline",
            min_value=0,
            strict_min=True,
            description="baselines are above zero",
            notes="A baseline needs a value: leave the line out until there is an agreed number.",
        ),
    ],
}

WARNING = {
    "costs": [
        _never_negative("amount", "costs", _CREDITS),
    ],
    "sell_through": [
        _never_negative("units_sold", "sales", "Returns exceed sales in single stores only."),
    ],
    "ad_stats": [
        _never_negative("spend", "spends", "Platforms correct invalid clicks now and then, not every day."),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="impressions",
            column_B="clicks",
            or_equal=True,
            mostly=0.9,
            ignore_row_if="either_value_is_missing",
            description="nobody clicks what was not shown",
            notes="Impressions and clicks are mapped the wrong way round.",
        ),
    ],
    "payments": [
        _never_negative("amount", "amounts", "Refunds are negative payments, but never one in ten."),
    ],
    "order_lines": [
        _never_negative("amount", "amounts", _CREDITS),
    ],
    "opportunity_lines": [
        _never_negative("amount", "amounts", _CREDITS),
    ],
    "leads": [
        gxe.ExpectColumnValuesToBeBetween(
            column="created_on",
            min_value="1990-01-01",
            mostly=0.9,
            description="leads are of this age",
            notes="Years such as 1900 come from empty cells that a spreadsheet took for dates.",
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="_fetched_at",
            column_B="created_at",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="no lead comes from the future",
            notes="Day and month are the wrong way round, or the manifest's time zone is wrong.",
        ),
    ],
    "opportunities": [
        _never_negative("amount", "amounts", _CREDITS),
        gxe.ExpectColumnValuesToNotBeNull(
            column="amount",
            mostly=0.1,
            row_condition=Column("stage") == "won",
            description="won deals have amounts",
            notes=_WRONG_COLUMN,
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="closed_on",
            column_B="created_on",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="no deal is closed before it is created",
            notes="People correct dates by hand. Many at once: two date columns are mapped the wrong way round.",
        ),
    ],
    "orders": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="_fetched_at",
            column_B="ordered_at",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="no order comes from the future",
            notes="Day and month are the wrong way round, or the manifest's time zone is wrong.",
        ),
    ],
    "touches": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="_fetched_at",
            column_B="touched_at",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="no touch comes from the future",
            notes="Day and month are the wrong way round, or the manifest's time zone is wrong.",
        ),
    ],
    "stage_events": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="_fetched_at",
            column_B="entered_at",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="no stage is entered in the future",
            notes="Day and month are the wrong way round, or the manifest's time zone is wrong.",
        ),
    ],
    "accounts": [
        gxe.ExpectColumnValuesToBeBetween(
            column="employees", min_value=0, description="head counts are never negative"
        ),
    ],
    "reps": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="rep_name", mostly=0.5, description="reps have names", notes=_WRONG_COLUMN
        ),
    ],
    "products": [
        gxe.ExpectColumnValuesToBeBetween(
            column="list_price", min_value=0, description="list prices are never negative"
        ),
    ],
    "targets": [
        gxe.ExpectColumnValuesToBeBetween(column="target", min_value=0, description="targets are never negative"),
        gxe.ExpectColumnValuesToMatchRegex(
            column="period_grain",
            regex="(?i)^(month|quarter|year)$",
            description="targets are of a month, a quarter or a year",
            notes="Those of other periods are left out.",
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="metric",
            regex="(?i)^(spend|sessions|leads|mqls|sals|sqls|opportunities|pipeline_amount|won|won_amount|orders"
            "|order_amount)$",
            description="targets are of a measure of the funnel",
            notes="Those of other measures are left out: nothing could be held against them.",
        ),
    ],
    "price_list": [
        gxe.ExpectColumnValuesToBeBetween(column="list_price", min_value=0, description="prices are never negative"),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="valid_to",
            column_B="valid_from",
            ignore_row_if="either_value_is_missing",
            description="a price ends after it begins",
            notes="The two dates are mapped the wrong way round.",
        ),
    ],
    "commission_plans": [
        gxe.ExpectColumnValuesToBeBetween(
            column="commission_rate",
            min_value=0,
            max_value=1,
            description="commissions are a share of the amount",
            notes="5 % is 0.05, or 5 % with its sign.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="step_from",
            min_value=0,
            max_value=10,
            description="steps begin at a share of the quota",
            notes="A step from 50 is fifty times the quota: percentages without their sign?",
        ),
    ],
    "alignment_baselines": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="component",
            regex="^(marketing_revenue_share|unanswered_rate|sent_back_rate|moves_per_lead|wait_share"
            "|disagreement_rate)$",
            description="baselines are of a part of the scorecard",
            notes="Those of another name are compared with nothing.",
        ),
    ],
    "exchange_rates": [
        gxe.ExpectColumnValuesToBeBetween(
            column="rate",
            min_value=0,
            strict_min=True,
            description="rates are above zero",
            notes="A rate that is not is left out; the one before is carried.",
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="base_currency",
            regex="^[A-Za-z]{3}$",
            description="the currency is an ISO 4217 code",
            notes=_WRONG_COLUMN,
        ),
    ],
}

_ROW = {"row_key": "1", "_file_order": "|a"}
PASSING = {
    "leads": {**_ROW, "lead_id": "1", "created_at": "2026-01-05 10:00+00", "created_on": "2026-01-05"},
    "opportunities": {
        **_ROW,
        "opportunity_id": "1",
        "stage": "won",
        "created_on": "2026-01-02",
        "closed_on": "2026-01-05",
        "amount": 500,
        "currency_code": "USD",
    },
    "opportunity_lines": {**_ROW, "opportunity_id": "1", "line_no": "1", "amount": 5},
    "orders": {**_ROW, "order_id": "1", "ordered_at": "2026-01-05 10:00+00"},
    "order_lines": {**_ROW, "order_id": "1", "order_line": "1", "amount": 5},
    "payments": {**_ROW, "order_id": "1", "amount": 5},
    "ad_stats": {**_ROW, "date_day": "2026-01-05", "campaign_name": "x", "spend": 1, "impressions": 10, "clicks": 1},
    "sell_through": {**_ROW, "week_start": "2026-01-05", "retailer": "x", "units_sold": 3},
    "touches": {**_ROW, "touched_at": "2026-01-05 10:00+00", "lead_id": "1"},
    "stage_events": {**_ROW, "lead_id": "1", "stage": "mql", "entered_at": "2026-01-05 10:00+00"},
    "accounts": {**_ROW, "account_id": "1", "employees": 5},
    "reps": {**_ROW, "rep_id": "1", "rep_name": "Ada Okafor"},
    "products": {**_ROW, "product_id": "1", "list_price": 5},
    "costs": {**_ROW, "month": "2026-01-01", "team": "sales", "amount": 5},
    "targets": {**_ROW, "period_start": "2026-01-01", "metric": "won_amount", "target": 5},
    "price_list": {
        **_ROW,
        "product_id": "1",
        "list_price": 5,
        "currency_code": "USD",
        "valid_from": "2026-01-01",
        "valid_to": "2026-02-01",
    },
    "commission_plans": {**_ROW, "plan": "flat", "step_from": 0.5, "commission_rate": 0.05},
    "alignment_baselines": {**_ROW, "component": "wait_share", "baseline": 0.3, "approved_by": "Ada Okafor"},
    "exchange_rates": {**_ROW, "rate_date": "2026-01-05", "base_currency": "EUR", "rate": 1.1},
}

POISON = {
    "leads": {
        "leads are of this age": [{"created_on": "1900-01-01"}],
        "no lead comes from the future": [{"created_at": "2062-01-05 10:00+00"}],
    },
    "opportunities": {
        "amounts are hardly ever negative": [{"amount": -1}],
        "won deals have amounts": [{"amount": None}],
        "no deal is closed before it is created": [{"closed_on": "2026-01-01"}],
    },
    "opportunity_lines": {"amounts are hardly ever negative": [{"amount": -1}]},
    "orders": {"no order comes from the future": [{"ordered_at": "2062-01-05 10:00+00"}]},
    "order_lines": {"amounts are hardly ever negative": [{"amount": -1}]},
    "payments": {"amounts are hardly ever negative": [{"amount": -1}]},
    "ad_stats": {
        "spends are hardly ever negative": [{"spend": -1}],
        "nobody clicks what was not shown": [{"impressions": 1, "clicks": 10}],
    },
    "sell_through": {"sales are hardly ever negative": [{"units_sold": -1}]},
    "touches": {"no touch comes from the future": [{"touched_at": "2062-01-05 10:00+00"}]},
    "stage_events": {"no stage is entered in the future": [{"entered_at": "2062-01-05 10:00+00"}]},
    "accounts": {"head counts are never negative": [{"employees": -1}]},
    "reps": {"reps have names": [{"rep_name": None}]},
    "products": {"list prices are never negative": [{"list_price": -1}]},
    "costs": {"costs are hardly ever negative": [{"amount": -1}]},
    "targets": {
        "targets are never negative": [{"target": -1}],
        "targets are of a month, a quarter or a year": [{"period_grain": "week"}],
        "targets are of a measure of the funnel": [{"metric": "happiness"}],
    },
    "price_list": {
        "prices are never negative": [{"list_price": -1}],
        "a price ends after it begins": [{"valid_to": "2025-12-31"}],
    },
    "commission_plans": {
        "commissions are a share of the amount": [{"commission_rate": 5}],
        "steps begin at a share of the quota": [{"step_from": 50}],
    },
    "alignment_baselines": {
        "baselines are above zero": [{"baseline": 0}],
        "baselines are of a part of the scorecard": [{"component": "happiness"}],
    },
    "exchange_rates": {
        "rates are above zero": [{"rate": 0}],
        "the currency is an ISO 4217 code": [{"base_currency": "dollar"}],
    },
}
