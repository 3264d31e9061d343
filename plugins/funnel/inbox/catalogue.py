"""Every entity of files with its fields."""

from funnel.inbox.entities import Entity, Field

LEAD_STAGES = ("lead", "mql", "sal", "sql", "opportunity", "won", "lost", "disqualified", "recycled")
DEAL_STAGES = ("opportunity", "won", "lost")


def _text(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name) for name in names)


def _number(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "number") for name in names)


def _moment(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "moment") for name in names)


_UTM = _text("utm_source", "utm_medium", "utm_campaign")
_CURRENCY = Field("currency_code", "currency")

_ENTITIES = (
    Entity(
        "leads",
        (
            Field("lead_id", required=True),
            *_moment("created_at"),
            Field("email", "email"),
            Field("person_id", "person"),
            *_text("account_id", "lead_source", "channel"),
            *_UTM,
            *_text("landing_page", "campaign_id", "rep_id", "rep_name", "region"),
            Field("status", "stage", values=LEAD_STAGES),
            *_moment("mql_at", "sal_at", "sql_at", "disqualified_at"),
            *_text("disqualify_reason"),
            *_moment("first_response_at"),
        ),
        key=("lead_id",),
        is_fixed=True,
        is_person=True,
    ),
    Entity(
        "opportunities",
        (
            Field("opportunity_id", required=True),
            Field("stage", "stage", required=True, values=DEAL_STAGES),
            *_moment("created_at", "closed_at"),
            *_number("amount"),
            _CURRENCY,
            *_text("lead_id"),
            Field("person_id", "person"),
            *_text("account_id", "rep_id", "rep_name", "product_id", "opportunity_type"),
            *_number("list_amount", "discount_amount", "cost_amount"),
            Field("probability", "share"),
            *_text("lead_source", "channel", "campaign_id", "region"),
            Field("expected_close_date", "date"),
        ),
        key=("opportunity_id",),
        is_fixed=True,
        lookups=("lead_id", "product_id"),
    ),
    Entity(
        "opportunity_lines",
        (
            Field("opportunity_id", required=True),
            Field("line_no", required=True),
            *_text("product_id"),
            *_number("units", "list_amount", "discount_amount", "amount"),
            _CURRENCY,
        ),
        key=("opportunity_id", "line_no"),
        is_fixed=True,
        lookups=("opportunity_id",),
    ),
    Entity(
        "orders",
        (
            Field("order_id", required=True),
            Field("ordered_at", "moment", required=True),
            *_text("status", "customer_id", "account_id"),
            Field("email", "email"),
            *_text("opportunity_id", "opportunities_of", "channel"),
            *_UTM,
            *_text("campaign_id"),
            _CURRENCY,
        ),
        key=("order_id",),
        is_fixed=True,
        lookups=("order_id", "customer_id", "email_key"),
    ),
    Entity(
        "order_lines",
        (
            Field("order_id", required=True),
            Field("order_line", required=True),
            *_text("product_id", "account_id"),
            *_number("units"),
            Field("amount", "number", required=True),
            *_number("freight_amount", "discount_amount"),
        ),
        key=("order_id", "order_line"),
        is_fixed=True,
        lookups=("order_id", "account_id"),
    ),
    Entity(
        "payments",
        (
            Field("order_id", required=True),
            *_text("payment_no", "payment_type"),
            Field("amount", "number", required=True),
            _CURRENCY,
        ),
        key=("order_id", "payment_no"),
        lookups=("order_id",),
    ),
    Entity(
        "ad_stats",
        (
            Field("date_day", "date", required=True),
            *_text("platform", "channel", "ad_account_id", "campaign_id", "campaign_name"),
            Field("impressions", "integer"),
            Field("clicks", "integer"),
            Field("spend", "number", required=True),
            _CURRENCY,
            *_number("platform_conversions"),
            Field("leads", "number"),
            Field("orders", "number"),
            Field("revenue", "number"),
        ),
        # A campaign may run in several channels; a channel from the manifest's `channels` is not part of the key.
        key=("date_day", "platform", "ad_account_id", "campaign_id", "campaign_name", "channel"),
        any_of=(("campaign_id", "campaign_name"),),
        lookups=("date_day",),
    ),
    Entity(
        "sell_through",
        (
            Field("week_start", "date", is_week=True),
            Field("date_day", "date"),
            Field("retailer", required=True),
            *_text("store_id", "region", "product_id"),
            *_number("units_sold", "sales_amount", "units_on_hand"),
            _CURRENCY,
        ),
        key=("week_start", "date_day", "retailer", "store_id", "region", "product_id"),
        any_of=(("week_start", "date_day"),),
    ),
    Entity(
        "touches",
        (
            Field("touched_at", "moment", required=True),
            Field("email", "email"),
            Field("person_id", "person"),
            *_text("lead_id", "touch_type", "channel"),
            *_UTM,
            *_text("campaign_id"),
        ),
        # The channel is part of the key if the file states it; one from the manifest's `channels` is not.
        key=(
            *("touched_at", "email", "person_id", "lead_id", "touch_type"),
            *("utm_source", "utm_medium", "utm_campaign", "campaign_id", "channel"),
        ),
        any_of=(("email", "person_id", "lead_id"),),
        is_personal_key=True,
        lookups=("lead_id",),
    ),
    Entity(
        "stage_events",
        (
            *_text("lead_id", "opportunity_id"),
            Field("stage", "stage", required=True, values=LEAD_STAGES),
            Field("entered_at", "moment", required=True),
            *_text("owner", "reason"),
        ),
        key=("lead_id", "opportunity_id", "stage", "entered_at"),
        any_of=(("lead_id", "opportunity_id"),),
        lookups=("lead_id", "opportunity_id"),
    ),
    Entity(
        "accounts",
        (
            Field("account_id", required=True),
            *_text("account_name", "industry", "country", "region", "website"),
            *_number("employees"),
            *_moment("created_at"),
        ),
        key=("account_id",),
        is_fixed=True,
    ),
    Entity(
        "reps",
        (
            Field("rep_id", required=True),
            *_text("rep_name", "team", "region", "manager_name"),
            Field("email", "email"),
        ),
        key=("rep_id",),
        fallbacks=(("rep_id", "rep_name"),),
        is_fixed=True,
    ),
    Entity(
        "products",
        (
            Field("product_id", required=True),
            *_text("product_name", "product_group"),
            *_number("list_price", "unit_cost"),
            _CURRENCY,
            Field("valid_from", "date"),
        ),
        key=("product_id", "valid_from"),
        is_fixed=True,
    ),
    Entity(
        "costs",
        (
            Field("month", "month", required=True),
            *_text("team", "channel", "cost_type"),
            Field("amount", "number", required=True),
            _CURRENCY,
        ),
        key=("month", "team", "channel", "cost_type"),
        any_of=(("team", "channel"),),
    ),
    Entity(
        "targets",
        (
            Field("period_start", "month", required=True),
            *_text("period_grain", "team"),
            Field("metric", required=True),
            *_text("region"),
            Field("target", "number", required=True),
            _CURRENCY,
        ),
        key=("period_start", "period_grain", "team", "metric", "region"),
    ),
    Entity(
        "price_list",
        (
            Field("product_id", required=True),
            Field("list_price", "number", required=True),
            _CURRENCY,
            *(Field(name, "date") for name in ("valid_from", "valid_to")),
        ),
        key=("product_id", "valid_from"),
        is_fixed=True,
    ),
    Entity(
        "commission_plans",
        (
            Field("plan", required=True),
            # If empty: every rep without a plan.
            *_text("team"),
            Field("step_from", "number", required=True),
            Field("commission_rate", "share", required=True),
            *(Field(name, "date") for name in ("valid_from", "valid_to")),
        ),
        key=("plan", "team", "step_from", "valid_from"),
        is_fixed=True,
    ),
    Entity(
        "alignment_baselines",
        (
            Field("component", required=True),
            # If empty: the whole company.
            *_text("region"),
            Field("baseline", "number", required=True),
            # A baseline needs an approver.
            Field("approved_by", required=True),
            *(Field(name, "date") for name in ("approved_on", "valid_from")),
        ),
        key=("component", "region", "valid_from"),
        is_fixed=True,
    ),
    Entity(
        "exchange_rates",
        (
            Field("rate_date", "date", required=True),
            Field("base_currency", required=True),
            # If empty: dollars, in which the seeds are quoted.
            *_text("quote_currency"),
            Field("rate", "number", required=True),
        ),
        key=("rate_date", "base_currency", "quote_currency"),
        is_fixed=True,
    ),
)

ENTITIES = {entity.name: entity for entity in _ENTITIES}
