"""Checks of the records that HubSpot delivered.

One list per stream, over the records that the run loaded. People type into a CRM: a mistake that a person can make
gives a warning, a fault that only a changed interface can cause is critical.
"""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "contacts": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="created_at",
            mostly=0.5,
            description="contacts have a creation time",
            notes="HubSpot sets createdate itself. Mostly null: the property was not asked for or was withdrawn.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="lifecycle_stage_history",
            mostly=0.5,
            row_condition=Column("lifecycle_stage").is_not_null(),
            description="contacts with a stage have its history",
            notes="MQLs are counted from the history; without it they would all vanish without an error.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="lead_status_history",
            mostly=0.5,
            row_condition=Column("lead_status").is_not_null(),
            description="contacts with a status have its history",
            notes="Rejections and recycling are counted from the history.",
        ),
    ],
    "companies": [
        gxe.ExpectColumnValuesToBeBetween(
            column="employees", min_value=0, description="head counts are never negative"
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="created_at",
            mostly=0.5,
            description="companies have a creation time",
            notes="HubSpot sets createdate itself. Mostly null: the property was not asked for or was withdrawn.",
        ),
    ],
    "deals": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="stage",
            mostly=0.5,
            description="deals have a stage",
            notes="HubSpot requires one. Mostly null: the property was not asked for or was withdrawn.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="probability",
            min_value=0,
            max_value=1,
            description="the probability is a share",
            notes="HubSpot states 0.4 for 40 %. Per cent would inflate the pipeline a hundredfold.",
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code",
            regex="^[A-Z]{3}$",
            description="the currency is an ISO 4217 code",
            notes="Without a currency there is no rate and the deal has no value.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="is_closed",
            mostly=0.5,
            description="deals say whether they are closed",
            notes="HubSpot computes it. Mostly null: the property was not asked for; every deal would look open.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="contacts",
            mostly=0.5,
            row_condition=Column("is_archived") == False,  # noqa: E712 builds a condition, compares nothing
            description="deals come with their contacts",
            notes="A deal without any has an empty list. Without the list no deal finds its lead.",
        ),
    ],
    "line_items": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="amount",
            mostly=0.5,
            description="line items have an amount",
            notes="HubSpot computes it. Mostly null: the property was not asked for or was withdrawn.",
        ),
    ],
    **{
        name: [
            gxe.ExpectColumnValuesToNotBeNull(
                column="occurred_at",
                mostly=0.5,
                description=f"{name} have a time",
                notes="HubSpot requires one. Mostly null: first responses to leads would disappear without an error.",
            ),
            gxe.ExpectColumnValuesToNotBeNull(
                column="contacts",
                mostly=0.5,
                row_condition=Column("is_archived") == False,  # noqa: E712 builds a condition, compares nothing
                description=f"{name} come with their contacts",
                notes="Without associations it is unknown whom a seller answered.",
            ),
        ]
        for name in ("calls", "emails", "meetings")
    },
    "pipelines": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="stages",
            description="pipelines have stages",
            notes="A pipeline without stages holds no deals; the response may have changed its format.",
        ),
    ],
    "owners": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="last_name",
            mostly=0.1,
            description="owners have names",
            notes="Integration users have none; nearly all without means that the field went missing.",
        ),
    ],
}

WARNING = {
    "contacts": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="email_key",
            mostly=0.5,
            description="contacts have an e-mail address",
            notes="Records of other systems are joined by it; half without one means many people are counted twice.",
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="_fetched_at",
            column_B="created_at",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="no contact comes from the future",
            notes="An import with a wrong date column, or a clock that is wrong.",
        ),
    ],
    "contact_events": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="_fetched_at",
            column_B="occurred_at",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="no event comes from the future",
            notes="A webinar entered in advance is not an attendance yet.",
        ),
    ],
    "companies": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="company_name",
            mostly=0.5,
            description="companies have names",
            notes="HubSpot makes companies from domains and names them later.",
        ),
    ],
    "deals": [
        gxe.ExpectColumnValuesToBeBetween(
            column="amount",
            min_value=0,
            description="no deal has a negative amount",
            notes="People enter credits as negative deals: legitimate, but they lower the revenue shown.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="closed_at",
            row_condition=Column("is_closed") == True,  # noqa: E712 builds a condition, compares nothing
            description="closed deals have a closing date",
            notes="Without one a won deal is on no day of the funnel.",
        ),
    ],
    "line_items": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="deal_id",
            mostly=0.5,
            row_condition=Column("is_archived") == False,  # noqa: E712 builds a condition, compares nothing
            description="line items belong to a deal",
            notes="Those of quotes do not. Nearly all without means that associations are not read.",
        ),
    ],
    "owners": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="email_key",
            mostly=0.9,
            description="owners have an e-mail address",
            notes="They are matched with Salesforce users by it.",
        ),
    ],
}

# One row per stream that passes every expectation.
PASSING = {
    "contacts": {
        "contact_id": "101",
        "updated_at": "2026-01-05 10:00+00",
        "is_archived": False,
        "email_key": "0f" * 16,
        "email_domain": "example.com",
        "created_at": "2026-01-05 10:00+00",
        "lifecycle_stage": "lead",
        "lead_status": "OPEN",
        "lifecycle_stage_history": [{"value": "lead", "timestamp": "2026-01-05T10:00:00Z"}],
        "lead_status_history": [{"value": "OPEN", "timestamp": "2026-01-05T10:00:00Z"}],
    },
    "contact_events": {
        "event_id": "e1",
        "occurred_on": "2026-01-05",
        "occurred_at": "2026-01-05 12:00+00",
        "event_type": "e_clicked_email",
        "contact_id": "101",
    },
    "companies": {
        "company_id": "201",
        "updated_at": "2026-01-05 10:00+00",
        "company_name": "X",
        "employees": 12,
        "created_at": "2026-01-05 10:00+00",
    },
    "deals": {
        "deal_id": "301",
        "updated_at": "2026-01-05 10:00+00",
        "amount": 500,
        "currency_code": "USD",
        "stage": "closedwon",
        "created_at": "2026-01-02 10:00+00",
        "closed_at": "2026-01-05 10:00+00",
        "is_closed": True,
        "is_won": True,
        "probability": 1,
        "is_archived": False,
        "contacts": [{"toObjectId": "101", "associationTypes": [{"typeId": 3, "category": "HUBSPOT_DEFINED"}]}],
    },
    "line_items": {
        "line_item_id": "501",
        "updated_at": "2026-01-05 10:00+00",
        "is_archived": False,
        "deal_id": "301",
        "quantity": 2,
        "amount": 500,
    },
    **{
        name: {
            f"{name.removesuffix('s')}_id": "601",
            "updated_at": "2026-01-05 10:00+00",
            "is_archived": False,
            "occurred_at": "2026-01-05 10:00+00",
            "contacts": [{"toObjectId": "101"}],
        }
        for name in ("calls", "emails", "meetings")
    },
    "pipelines": {
        "pipeline_id": "default",
        "updated_at": "2026-01-05 10:00+00",
        "stages": [{"id": "closedwon", "label": "Closed Won"}],
    },
    "owners": {"owner_id": "401", "updated_at": "2026-01-05 10:00+00", "email_key": "1f" * 16, "last_name": "Okafor"},
}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "contacts": {
        "contacts have a creation time": [{"created_at": None}],
        "contacts with a stage have its history": [{"lifecycle_stage_history": None}],
        "contacts with a status have its history": [{"lead_status_history": None}],
        "contacts have an e-mail address": [{"email_key": None}],
        "no contact comes from the future": [{"created_at": "2062-01-05 10:00+00"}],
    },
    "contact_events": {
        "no event comes from the future": [{"occurred_at": "2062-01-05 12:00+00"}],
    },
    "companies": {
        "head counts are never negative": [{"employees": -5}],
        "companies have a creation time": [{"created_at": None}],
        "companies have names": [{"company_name": None}],
    },
    "deals": {
        "deals have a stage": [{"stage": None}],
        "the probability is a share": [{"probability": 40}],
        "the currency is an ISO 4217 code": [{"currency_code": "Euro"}],
        "deals say whether they are closed": [{"is_closed": None}],
        "no deal has a negative amount": [{"amount": -500}],
        "closed deals have a closing date": [{"closed_at": None}],
        "deals come with their contacts": [{"contacts": None}],
    },
    "line_items": {
        "line items have an amount": [{"amount": None}],
        "line items belong to a deal": [{"deal_id": None}],
    },
    **{
        name: {
            f"{name} have a time": [{"occurred_at": None}],
            f"{name} come with their contacts": [{"contacts": None}],
        }
        for name in ("calls", "emails", "meetings")
    },
    "pipelines": {"pipelines have stages": [{"stages": None}]},
    "owners": {
        "owners have names": [{"last_name": None}],
        "owners have an e-mail address": [{"email_key": None}],
    },
}
