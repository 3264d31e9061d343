"""Checks of the records that Salesforce delivered.

One list per stream, over the records that the run loaded. People type into a CRM: a mistake that a person can make
gives a warning; a fault that only a changed interface, or a field hidden from the integration user, can cause is
critical.
"""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

_HIDDEN = "Mostly null: the integration user may no longer see the field."
_SET = f"Salesforce sets it. {_HIDDEN}"
_REQUIRED = f"Salesforce requires one. {_HIDDEN}"
_COMPUTED = f"Salesforce computes it. {_HIDDEN}"


def _mostly_stated(column: str, description: str, notes: str) -> gxe.ExpectColumnValuesToNotBeNull:
    """Half of the records may lack a value before the field counts as missing: people leave fields empty."""
    return gxe.ExpectColumnValuesToNotBeNull(column=column, mostly=0.5, description=description, notes=notes)


CRITICAL = {
    "leads": [
        _mostly_stated("created_at", "leads have a creation time", _SET),
        _mostly_stated("status", "leads have a status", _REQUIRED),
    ],
    "contacts": [
        _mostly_stated("created_at", "contacts have a creation time", _SET),
    ],
    "accounts": [
        gxe.ExpectColumnValuesToBeBetween(
            column="employees", min_value=0, description="head counts are never negative"
        ),
        _mostly_stated("account_name", "accounts have names", _REQUIRED),
    ],
    "opportunities": [
        _mostly_stated("stage", "opportunities have a stage", _REQUIRED),
        _mostly_stated(
            "close_date",
            "opportunities have a close date",
            "Salesforce requires one. Mostly null: nothing would be won on any day.",
        ),
        _mostly_stated(
            "is_closed",
            "opportunities say whether they are closed",
            "Salesforce computes it. Mostly null: every opportunity would look open.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="probability",
            min_value=0,
            max_value=100,
            description="the probability is a percentage",
            notes="Salesforce states 40 for 40 %, and refuses more than 100.",
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code",
            regex="^[A-Z]{3}$",
            description="the currency is an ISO 4217 code",
            notes="Null in an org with one currency; anything else finds no rate.",
        ),
    ],
    "opportunity_contact_roles": [
        _mostly_stated(
            "contact_id",
            "contact roles name their contact",
            "Opportunities reach their leads through it; without it marketing loses the credit.",
        ),
    ],
    "opportunity_history": [
        _mostly_stated(
            "stage",
            "history rows have a stage",
            "The moment of winning is read from here. Mostly null: the field may be hidden.",
        ),
    ],
    "lead_history": [
        _mostly_stated(
            "field",
            "history rows name their field",
            "Acceptance and rejection are read from here. Mostly null: the field may be hidden.",
        ),
        _mostly_stated("lead_id", "history rows name their lead", "Mostly null: no stage finds its lead."),
    ],
    "tasks": [
        _mostly_stated(
            "is_closed",
            "tasks say whether they are done",
            "Salesforce computes it. Mostly null: no lead would have been answered.",
        ),
    ],
    "events": [
        _mostly_stated("starts_at", "events have a beginning", _REQUIRED),
    ],
    "opportunity_line_items": [
        _mostly_stated("total_price", "lines have a price", _COMPUTED),
        _mostly_stated("opportunity_id", "lines name their opportunity", "Mostly null: no line finds its deal."),
    ],
    "products": [
        _mostly_stated("product_name", "products have names", _REQUIRED),
    ],
    "campaigns": [
        _mostly_stated("campaign_name", "campaigns have names", _REQUIRED),
    ],
    "campaign_members": [
        _mostly_stated("campaign_id", "members name their campaign", "Mostly null: no response finds its channel."),
        _mostly_stated(
            "has_responded",
            "members say whether they responded",
            "Salesforce computes it from the status. Mostly null: all responses would vanish.",
        ),
    ],
    **{
        name: [
            gxe.ExpectColumnValuesToBeBetween(
                column="conversion_rate",
                min_value=0,
                strict_min=True,
                description=f"{name} are positive",
                notes="A currency worth nothing cannot be converted.",
            ),
            gxe.ExpectColumnValuesToMatchRegex(
                column="currency_code",
                regex="^[A-Z]{3}$",
                description=f"{name} name an ISO 4217 code",
                notes="Anything else finds no amount.",
            ),
        ]
        for name in ("currency_types", "currency_rates")
    },
    "users": [
        _mostly_stated("user_name", "users have names", _REQUIRED),
    ],
}

WARNING = {
    "leads": [
        _mostly_stated(
            "lead_source", "leads have a source", "Without one and without a touch the lead lands in channel Unknown."
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="converted_contact_id",
            row_condition=Column("is_converted") == True,  # noqa: E712 builds a condition, compares nothing
            description="converted leads name their contact",
            notes="The contact may have been deleted since; the chain from lead to deal is cut there.",
        ),
    ],
    "campaigns": [
        _mostly_stated(
            "campaign_type",
            "campaigns have a type",
            "Responses get their channel by it; without one they are in channel Unknown.",
        ),
    ],
    "contacts": [
        _mostly_stated(
            "email_key",
            "contacts have an e-mail address",
            "Records of other systems are joined by it; half without one means many people are counted twice.",
        ),
    ],
    "accounts": [
        _mostly_stated("country", "accounts have a country", "Without one they are in region Unknown."),
    ],
    "opportunities": [
        gxe.ExpectColumnValuesToBeBetween(
            column="amount",
            min_value=0,
            description="no opportunity has a negative amount",
            notes="People enter credits as negative deals: legitimate, but they lower the revenue shown.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="amount",
            row_condition=Column("is_won") == True,  # noqa: E712 builds a condition, compares nothing
            description="won opportunities have an amount",
            notes="Won for nothing lowers the average deal; usually it was forgotten.",
        ),
    ],
    "tasks": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="completed_at",
            mostly=0.5,
            row_condition=Column("is_closed") == True,  # noqa: E712 builds a condition, compares nothing
            description="tasks that are done say when",
            notes="Without it the time of entry stands for it, which is later than the call.",
        ),
    ],
    "users": [
        _mostly_stated("team", "users have a department", "Teams of the reps are taken from it."),
    ],
}

# One row per stream that passes every expectation.
PASSING = {
    "leads": {
        "lead_id": "00Q1",
        "modified_at": "2026-01-05 10:00+00",
        "created_at": "2026-01-05 09:00+00",
        "status": "Closed - Converted",
        "lead_source": "Web",
        "is_converted": True,
        "converted_contact_id": "0031",
    },
    "contacts": {
        "contact_id": "0031",
        "modified_at": "2026-01-05 10:00+00",
        "created_at": "2026-01-05 10:00+00",
        "email_key": "0f" * 16,
    },
    "accounts": {
        "account_id": "0011",
        "modified_at": "2026-01-05 10:00+00",
        "account_name": "X",
        "employees": 12,
        "country": "Germany",
    },
    "opportunities": {
        "opportunity_id": "0061",
        "modified_at": "2026-01-05 10:00+00",
        "created_at": "2026-01-02 10:00+00",
        "stage": "Closed Won",
        "is_closed": True,
        "is_won": True,
        "close_date": "2026-01-05",
        "amount": 1000,
        "currency_code": "EUR",
        "probability": 100,
    },
    "opportunity_contact_roles": {
        "role_id": "00K1",
        "modified_at": "2026-01-05 10:00+00",
        "opportunity_id": "0061",
        "contact_id": "0031",
    },
    "opportunity_history": {
        "history_id": "0081",
        "modified_at": "2026-01-05 10:00+00",
        "opportunity_id": "0061",
        "stage": "Closed Won",
    },
    "lead_history": {"history_id": "0171", "modified_at": "2026-01-05 10:00+00", "lead_id": "00Q1", "field": "Status"},
    "tasks": {
        "task_id": "00T1",
        "modified_at": "2026-01-05 10:00+00",
        "who_id": "00Q1",
        "is_closed": True,
        "completed_at": "2026-01-05 10:00+00",
    },
    "events": {
        "event_id": "00U1",
        "modified_at": "2026-01-05 10:00+00",
        "who_id": "00Q1",
        "starts_at": "2026-01-06 10:00+00",
    },
    "opportunity_line_items": {
        "line_item_id": "00k1",
        "modified_at": "2026-01-05 10:00+00",
        "opportunity_id": "0061",
        "product_code": "SEAT",
        "quantity": 2,
        "total_price": 500,
    },
    "products": {"product_id": "01t1", "modified_at": "2026-01-05 10:00+00", "product_name": "Seats"},
    "campaigns": {
        "campaign_id": "7011",
        "modified_at": "2026-01-05 10:00+00",
        "campaign_name": "Fair",
        "campaign_type": "Trade Show",
    },
    "campaign_members": {
        "member_id": "00v1",
        "modified_at": "2026-01-05 10:00+00",
        "campaign_id": "7011",
        "lead_id": "00Q1",
        "has_responded": True,
        "first_responded_on": "2026-01-05",
    },
    "currency_types": {
        "currency_type_id": "01L1",
        "modified_at": "2026-01-05 10:00+00",
        "currency_code": "EUR",
        "conversion_rate": 0.86,
        "is_corporate": False,
    },
    "currency_rates": {
        "rate_id": "04w1",
        "modified_at": "2026-01-05 10:00+00",
        "currency_code": "EUR",
        "conversion_rate": 0.86,
        "starts_on": "2026-01-01",
    },
    "users": {"user_id": "0051", "modified_at": "2026-01-05 10:00+00", "user_name": "Ada Okafor", "team": "Sales"},
}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "leads": {
        "leads have a creation time": [{"created_at": None}],
        "leads have a status": [{"status": None}],
        "leads have a source": [{"lead_source": None}],
        "converted leads name their contact": [{"converted_contact_id": None}],
    },
    "contacts": {
        "contacts have a creation time": [{"created_at": None}],
        "contacts have an e-mail address": [{"email_key": None}],
    },
    "accounts": {
        "head counts are never negative": [{"employees": -5}],
        "accounts have names": [{"account_name": None}],
        "accounts have a country": [{"country": None}],
    },
    "opportunities": {
        "opportunities have a stage": [{"stage": None}],
        "opportunities have a close date": [{"close_date": None}],
        "opportunities say whether they are closed": [{"is_closed": None}],
        "the probability is a percentage": [{"probability": 101}],
        "the currency is an ISO 4217 code": [{"currency_code": "Euro"}],
        "no opportunity has a negative amount": [{"amount": -500}],
        "won opportunities have an amount": [{"amount": None}],
    },
    "opportunity_contact_roles": {"contact roles name their contact": [{"contact_id": None}]},
    "opportunity_history": {"history rows have a stage": [{"stage": None}]},
    "lead_history": {
        "history rows name their field": [{"field": None}],
        "history rows name their lead": [{"lead_id": None}],
    },
    "tasks": {
        "tasks say whether they are done": [{"is_closed": None}],
        "tasks that are done say when": [{"completed_at": None}],
    },
    "events": {"events have a beginning": [{"starts_at": None}]},
    "opportunity_line_items": {
        "lines have a price": [{"total_price": None}],
        "lines name their opportunity": [{"opportunity_id": None}],
    },
    "products": {"products have names": [{"product_name": None}]},
    "campaigns": {
        "campaigns have names": [{"campaign_name": None}],
        "campaigns have a type": [{"campaign_type": None}],
    },
    "campaign_members": {
        "members name their campaign": [{"campaign_id": None}],
        "members say whether they responded": [{"has_responded": None}],
    },
    **{
        name: {
            f"{name} are positive": [{"conversion_rate": 0}],
            f"{name} name an ISO 4217 code": [{"currency_code": "Euro"}],
        }
        for name in ("currency_types", "currency_rates")
    },
    "users": {"users have names": [{"user_name": None}], "users have a department": [{"team": None}]},
}
