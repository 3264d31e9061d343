"""The streams of HubSpot."""

from funnel.contract import (
    Column,
    ColumnType,
    Money,
    Reconcile,
    Stream,
)

# Associations have no creation time: records of this many days are read again with theirs.
LINKED_DAYS = 30


# Computed fields of a deal depend on the settings of its pipeline; at most this many deals are read again for them.
WHOLE_DAYS = 7


_OBJECT_FIELDS = ("createdAt", "archivedAt", "url", "properties.hs_object_id", "properties.hs_lastmodifieddate")


# The values that the marts read of each change of a property, and of each associated record.
_CHANGE: tuple[tuple[str, ColumnType], ...] = (("timestamp", "timestamptz"), ("value", "text"))


_LINK: tuple[tuple[str, ColumnType], ...] = (("toObjectId", "text"),)


def _engagement(name: str, key: str, columns: tuple[Column, ...]) -> Stream:
    """A stream of one kind of activity that a seller did or received. Subjects and texts name people and
    are not read.
    """
    return Stream(
        name=name,
        kind="changed",
        key=(key,),
        modified="updated_at",
        removed="is_archived",
        reconcile=Reconcile(),
        linked_days=LINKED_DAYS,
        columns=(
            Column(key, "text", "id", required=True),
            Column("updated_at", "timestamptz", "updatedAt", required=True),
            Column("is_archived", "boolean", "archived"),
            Column("occurred_at", "timestamptz", "properties.hs_timestamp"),
            Column("owner_id", "text", "properties.hubspot_owner_id"),
            *columns,
            Column("contacts", "jsonb", "associations.contacts", holds=_LINK, person=("contacts",)),
        ),
        ignored=(*_OBJECT_FIELDS, "properties.hs_createdate"),
    )


STREAMS = (
    Stream(
        name="contacts",
        kind="changed",
        key=("contact_id",),
        modified="updated_at",
        removed="is_archived",
        reconcile=Reconcile(),
        merged_ids="merged_contact_ids",
        person=True,
        columns=(
            Column("contact_id", "text", "id", required=True, person=("contacts",)),
            Column("updated_at", "timestamptz", "updatedAt", required=True),
            Column("is_archived", "boolean", "archived"),
            Column("email", "email", "properties.email"),
            Column("created_at", "timestamptz", "properties.createdate"),
            Column("last_modified_at", "timestamptz", "properties.lastmodifieddate"),
            Column("lifecycle_stage", "text", "properties.lifecyclestage"),
            Column("lead_status", "text", "properties.hs_lead_status"),
            Column("analytics_source", "text", "properties.hs_analytics_source"),
            Column("analytics_first_at", "timestamptz", "properties.hs_analytics_first_timestamp"),
            Column("utm_source", "text", "properties.utm_source"),
            Column("utm_medium", "text", "properties.utm_medium"),
            Column("utm_campaign", "text", "properties.utm_campaign"),
            Column("utm_id", "text", "properties.utm_id"),
            Column("country", "text", "properties.country"),
            Column("company_id", "text", "properties.associatedcompanyid"),
            Column("owner_id", "text", "properties.hubspot_owner_id"),
            Column("merged_contact_ids", "text", "properties.hs_merged_object_ids", person=("contacts",)),
            Column("salesforce_lead_id", "text", "properties.salesforceleadid", person=("salesforce.leads",)),
            Column(
                *("salesforce_contact_id", "text", "properties.salesforcecontactid"), person=("salesforce.contacts",)
            ),
            Column("lifecycle_stage_history", "jsonb", "propertiesWithHistory.lifecyclestage", holds=_CHANGE),
            Column("lead_status_history", "jsonb", "propertiesWithHistory.hs_lead_status", holds=_CHANGE),
        ),
        ignored=("createdAt", "archivedAt", "url", "properties.hs_object_id"),
    ),
    Stream(
        name="contact_events",
        kind="dated",
        key=("event_id", "occurred_on"),
        day="occurred_on",
        lookups=("contact_id",),
        columns=(
            Column("event_id", "text", "id", required=True),
            Column("occurred_on", "date", "occurredAt", required=True),
            Column("occurred_at", "timestamptz", "occurredAt", required=True),
            Column("event_type", "text", "eventType", required=True),
            Column("contact_id", "text", "objectId", required=True, person=("contacts",)),
            Column("utm_source", "text", "properties.hs_utm_source"),
            Column("utm_medium", "text", "properties.hs_utm_medium"),
            Column("utm_campaign", "text", "properties.hs_utm_campaign"),
            Column("utm_id", "text", "properties.utm_id"),
            Column("page_url", "text", "properties.hs_url", erased="?"),
            Column("email_campaign_id", "text", "properties.hs_email_campaign_id"),
        ),
        ignored=("objectType",),
    ),
    Stream(
        name="companies",
        kind="changed",
        key=("company_id",),
        modified="updated_at",
        removed="is_archived",
        reconcile=Reconcile(),
        merged_ids="merged_company_ids",
        columns=(
            Column("company_id", "text", "id", required=True),
            Column("updated_at", "timestamptz", "updatedAt", required=True),
            Column("is_archived", "boolean", "archived"),
            Column("company_name", "text", "properties.name"),
            Column("domain", "text", "properties.domain"),
            Column("country", "text", "properties.country"),
            Column("industry", "text", "properties.industry"),
            Column("employees", "bigint", "properties.numberofemployees", costs_row=False),
            Column("salesforce_account_id", "text", "properties.salesforceaccountid"),
            Column("merged_company_ids", "text", "properties.hs_merged_object_ids"),
            Column("created_at", "timestamptz", "properties.createdate"),
        ),
        ignored=_OBJECT_FIELDS,
    ),
    Stream(
        name="deals",
        kind="changed",
        key=("deal_id",),
        lookups=("salesforce_opportunity_id",),
        modified="updated_at",
        removed="is_archived",
        reconcile=Reconcile(),
        merged_ids="merged_deal_ids",
        linked_days=LINKED_DAYS,
        whole_days=WHOLE_DAYS,
        columns=(
            Column("deal_id", "text", "id", required=True),
            Column("updated_at", "timestamptz", "updatedAt", required=True),
            Column("is_archived", "boolean", "archived"),
            Column("amount", "numeric", "properties.amount"),
            Column("currency_code", "text", "properties.deal_currency_code"),
            Column("stage", "text", "properties.dealstage"),
            Column("pipeline", "text", "properties.pipeline"),
            Column("deal_type", "text", "properties.dealtype"),
            Column("created_at", "timestamptz", "properties.createdate"),
            Column("closed_at", "timestamptz", "properties.closedate"),
            Column("is_closed", "boolean", "properties.hs_is_closed"),
            Column("is_won", "boolean", "properties.hs_is_closed_won"),
            Column("probability", "numeric", "properties.hs_deal_stage_probability", costs_row=False),
            Column("owner_id", "text", "properties.hubspot_owner_id"),
            Column("company_id", "text", "properties.hs_primary_associated_company"),
            Column("salesforce_opportunity_id", "text", "properties.hs_salesforceopportunityid"),
            Column("lost_reason", "text", "properties.closed_lost_reason"),
            Column("merged_deal_ids", "text", "properties.hs_merged_object_ids"),
            Column("stage_history", "jsonb", "propertiesWithHistory.dealstage", holds=_CHANGE),
            Column("contacts", "jsonb", "associations.contacts", holds=_LINK, person=("contacts",)),
            Column("companies", "jsonb", "associations.companies", holds=_LINK),
        ),
        ignored=_OBJECT_FIELDS,
        money=Money("currency_code", ("amount",)),
    ),
    Stream(
        name="line_items",
        kind="changed",
        key=("line_item_id",),
        lookups=("deal_id",),
        modified="updated_at",
        removed="is_archived",
        reconcile=Reconcile(),
        linked_days=LINKED_DAYS,
        columns=(
            Column("line_item_id", "text", "id", required=True),
            Column("updated_at", "timestamptz", "updatedAt", required=True),
            Column("is_archived", "boolean", "archived"),
            # A line item belongs to one deal; copies are made for quotes and further deals.
            Column("deal_id", "text", "associated.deals"),
            Column("product_id", "text", "properties.hs_product_id"),
            Column("sku", "text", "properties.hs_sku"),
            Column("product_name", "text", "properties.name"),
            Column("quantity", "numeric", "properties.quantity"),
            Column("price", "numeric", "properties.price"),
            Column("amount", "numeric", "properties.amount"),
            Column("currency_code", "text", "properties.hs_line_item_currency_code"),
            Column("created_at", "timestamptz", "properties.createdate"),
        ),
        ignored=_OBJECT_FIELDS,
    ),
    _engagement(
        "calls",
        "call_id",
        (
            Column("direction", "text", "properties.hs_call_direction"),
            Column("status", "text", "properties.hs_call_status"),
        ),
    ),
    _engagement(
        "emails",
        "email_id",
        (
            Column("direction", "text", "properties.hs_email_direction"),
            Column("status", "text", "properties.hs_email_status"),
        ),
    ),
    _engagement(
        "meetings",
        "meeting_id",
        (
            Column("starts_at", "timestamptz", "properties.hs_meeting_start_time"),
            Column("outcome", "text", "properties.hs_meeting_outcome"),
        ),
    ),
    Stream(
        name="pipelines",
        kind="changed",
        key=("pipeline_id",),
        modified="updated_at",
        removed="is_archived",
        columns=(
            Column("pipeline_id", "text", "id", required=True),
            Column("updated_at", "timestamptz", "updatedAt", required=True),
            Column("is_archived", "boolean", "archived"),
            Column("pipeline_name", "text", "label"),
            Column("stages", "jsonb", "stages", holds=(("id", "text"), ("label", "text"))),
            Column("created_at", "timestamptz", "createdAt"),
        ),
        ignored=("displayOrder", "archivedAt"),
    ),
    Stream(
        name="owners",
        kind="changed",
        key=("owner_id",),
        modified="updated_at",
        removed="is_archived",
        columns=(
            Column("owner_id", "text", "id", required=True),
            Column("updated_at", "timestamptz", "updatedAt", required=True),
            Column("is_archived", "boolean", "archived"),
            Column("email", "email", "email"),
            Column("first_name", "text", "firstName"),
            Column("last_name", "text", "lastName"),
            Column("teams", "jsonb", "teams", holds=(("name", "text"),)),
        ),
        ignored=("createdAt", "userId", "userIdIncludingInactive", "type"),
    ),
)
