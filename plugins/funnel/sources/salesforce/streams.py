"""The streams of Salesforce and their objects."""

from funnel.contract import Column, Money, Reconcile, Stream

# Formula fields change without their record: all records are read at this interval in days, of objects with at most …
WHOLE_DAYS = 7


def _sobject(
    name: str,
    key: str,
    columns: tuple[Column, ...],
    *,
    modified: str = "SystemModstamp",
    person: bool = False,
    deletable: bool = True,
    purgeable: bool = True,
    whole_days: int = 0,
    lookups: tuple[str, ...] = (),
    money: Money | None = None,
) -> Stream:
    # Users and currencies are never deleted. Histories are kept for 18 months: their old rows are gone, but happened.
    deleted = (Column("is_deleted", "boolean", "IsDeleted"),) if deletable else ()
    return Stream(
        name=name,
        kind="changed",
        key=(key,),
        modified="modified_at",
        removed="is_deleted" if deletable else None,
        person=person,
        lookups=lookups,
        reconcile=Reconcile() if deletable and purgeable else None,
        whole_days=whole_days,
        columns=(
            Column(key, "text", "Id", required=True, person=(name,) if person else ()),
            Column("modified_at", "timestamptz", modified, required=True),
            *deleted,
            *columns,
        ),
        ignored=("attributes",),
        money=money,
    )


STREAMS = (
    _sobject(
        "leads",
        "lead_id",
        lookups=("converted_contact_id",),
        person=True,
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("email", "email", "Email"),
            Column("status", "text", "Status"),
            Column("lead_source", "text", "LeadSource"),
            Column("owner_id", "text", "OwnerId"),
            Column("country", "text", "Country"),
            Column("is_converted", "boolean", "IsConverted"),
            Column("converted_contact_id", "text", "ConvertedContactId", person=("contacts",)),
            Column("converted_account_id", "text", "ConvertedAccountId"),
            Column("converted_opportunity_id", "text", "ConvertedOpportunityId"),
            Column("merged_into_id", "text", "MasterRecordId", person=("leads",)),
        ),
    ),
    _sobject(
        "contacts",
        "contact_id",
        person=True,
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("email", "email", "Email"),
            Column("account_id", "text", "AccountId"),
            Column("lead_source", "text", "LeadSource"),
            Column("owner_id", "text", "OwnerId"),
            Column("merged_into_id", "text", "MasterRecordId", person=("contacts",)),
        ),
    ),
    _sobject(
        "accounts",
        "account_id",
        whole_days=WHOLE_DAYS,
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("account_name", "text", "Name"),
            Column("industry", "text", "Industry"),
            Column("employees", "bigint", "NumberOfEmployees", costs_row=False),
            Column("country", "text", "BillingCountry"),
            Column("website", "text", "Website"),
            Column("merged_into_id", "text", "MasterRecordId"),
        ),
    ),
    _sobject(
        "opportunities",
        "opportunity_id",
        whole_days=WHOLE_DAYS,
        lookups=("primary_contact_id",),
        money=Money("currency_code", ("amount", "list_amount")),
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("account_id", "text", "AccountId"),
            Column("opportunity_type", "text", "Type"),
            Column("lead_source", "text", "LeadSource"),
            Column("stage", "text", "StageName"),
            Column("is_closed", "boolean", "IsClosed"),
            Column("is_won", "boolean", "IsWon"),
            Column("close_date", "date", "CloseDate"),
            Column("amount", "numeric", "Amount"),
            Column("currency_code", "text", "CurrencyIsoCode"),
            Column("list_amount", "numeric", "List_Amount__c"),
            Column("probability", "numeric", "Probability", costs_row=False),
            Column("owner_id", "text", "OwnerId"),
            Column("primary_contact_id", "text", "ContactId", person=("contacts",)),
        ),
    ),
    _sobject(
        "opportunity_contact_roles",
        "role_id",
        lookups=("opportunity_id", "contact_id"),
        columns=(
            Column("opportunity_id", "text", "OpportunityId"),
            Column("contact_id", "text", "ContactId", person=("contacts",)),
            Column("is_primary", "boolean", "IsPrimary"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "opportunity_history",
        "history_id",
        purgeable=False,
        lookups=("opportunity_id",),
        columns=(
            Column("opportunity_id", "text", "OpportunityId"),
            Column("stage", "text", "StageName"),
            Column("amount", "numeric", "Amount"),
            Column("probability", "numeric", "Probability", costs_row=False),
            Column("close_date", "date", "CloseDate"),
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("created_by_id", "text", "CreatedById"),
        ),
    ),
    _sobject(
        "lead_history",
        "history_id",
        purgeable=False,
        lookups=("lead_id",),
        modified="CreatedDate",
        columns=(
            Column("lead_id", "text", "LeadId", person=("leads",)),
            Column("field", "text", "Field"),
            Column("old_value", "text", "OldValue"),
            Column("new_value", "text", "NewValue"),
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("created_by_id", "text", "CreatedById"),
        ),
    ),
    # Sellers' activities. Subjects and notes name people and are not read; a converted lead's activities move to its
    # contact.
    _sobject(
        "tasks",
        "task_id",
        lookups=("who_id",),
        columns=(
            Column("who_id", "text", "WhoId", person=("leads", "contacts")),
            Column("what_id", "text", "WhatId"),
            Column("owner_id", "text", "OwnerId"),
            Column("task_subtype", "text", "TaskSubtype"),
            Column("status", "text", "Status"),
            Column("is_closed", "boolean", "IsClosed"),
            Column("completed_at", "timestamptz", "CompletedDateTime"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "events",
        "event_id",
        lookups=("who_id",),
        columns=(
            Column("who_id", "text", "WhoId", person=("leads", "contacts")),
            Column("what_id", "text", "WhatId"),
            Column("owner_id", "text", "OwnerId"),
            Column("event_subtype", "text", "EventSubtype"),
            Column("starts_at", "timestamptz", "StartDateTime"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "opportunity_line_items",
        "line_item_id",
        lookups=("opportunity_id",),
        columns=(
            Column("opportunity_id", "text", "OpportunityId"),
            Column("product_id", "text", "Product2Id"),
            Column("product_code", "text", "ProductCode"),
            Column("quantity", "numeric", "Quantity"),
            Column("list_price", "numeric", "ListPrice"),
            Column("total_price", "numeric", "TotalPrice"),
            Column("currency_code", "text", "CurrencyIsoCode"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "products",
        "product_id",
        whole_days=WHOLE_DAYS,
        columns=(
            Column("product_code", "text", "ProductCode"),
            Column("product_name", "text", "Name"),
            Column("product_group", "text", "Family"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "campaigns",
        "campaign_id",
        whole_days=WHOLE_DAYS,
        columns=(
            Column("campaign_name", "text", "Name"),
            Column("campaign_type", "text", "Type"),
            Column("status", "text", "Status"),
            Column("start_date", "date", "StartDate"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    # A converted lead's membership names its contact too.
    _sobject(
        "campaign_members",
        "member_id",
        lookups=("lead_id", "contact_id", "campaign_id"),
        columns=(
            Column("campaign_id", "text", "CampaignId"),
            Column("lead_id", "text", "LeadId", person=("leads",)),
            Column("contact_id", "text", "ContactId", person=("contacts",)),
            Column("status", "text", "Status"),
            Column("has_responded", "boolean", "HasResponded"),
            Column("first_responded_on", "date", "FirstRespondedDate"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "currency_types",
        "currency_type_id",
        deletable=False,
        columns=(
            Column("currency_code", "text", "IsoCode"),
            Column("conversion_rate", "numeric", "ConversionRate"),
            Column("is_corporate", "boolean", "IsCorporate"),
        ),
    ),
    _sobject(
        "currency_rates",
        "rate_id",
        deletable=False,
        columns=(
            Column("currency_code", "text", "IsoCode"),
            Column("conversion_rate", "numeric", "ConversionRate"),
            Column("starts_on", "date", "StartDate"),
            Column("ends_before", "date", "NextStartDate"),
        ),
    ),
    # Users are never deleted, only deactivated: the object has no IsDeleted.
    _sobject(
        "users",
        "user_id",
        whole_days=WHOLE_DAYS,
        deletable=False,
        columns=(
            Column("user_name", "text", "Name"),
            Column("email", "email", "Email"),
            Column("is_active", "boolean", "IsActive"),
            Column("manager_id", "text", "ManagerId"),
            Column("team", "text", "Department"),
            Column("region", "text", "Division"),
        ),
    ),
)


OBJECTS = {
    "leads": "Lead",
    "contacts": "Contact",
    "accounts": "Account",
    "opportunities": "Opportunity",
    "opportunity_contact_roles": "OpportunityContactRole",
    "opportunity_history": "OpportunityHistory",
    "lead_history": "LeadHistory",
    "tasks": "Task",
    "events": "Event",
    "opportunity_line_items": "OpportunityLineItem",
    "products": "Product2",
    "campaigns": "Campaign",
    "campaign_members": "CampaignMember",
    "currency_types": "CurrencyType",
    "currency_rates": "DatedConversionRate",
    "users": "User",
}


# These exist only in organisations with several currencies, dated rates only with advanced currency management.
MULTI_CURRENCY = {"currency_types", "currency_rates"}


# Objects that an org may not use, or the integration user not see: left out if the connection sets them to false.
OPTIONAL = {
    **dict.fromkeys(("opportunity_line_items", "products"), "products"),
    **dict.fromkeys(("campaigns", "campaign_members"), "campaigns"),
}


# CurrencyIsoCode exists only in multi-currency orgs, List_Amount__c only if the org created it. Any other missing field
# is a missing permission, and nulls in its place would be wrong numbers.
OPTIONAL_FIELDS = {"CurrencyIsoCode", "List_Amount__c"}


# Histories of other fields hold old names, phones and addresses of people.
CONDITIONS = {"lead_history": "Field IN ('created', 'leadConverted', 'leadMerged', 'Owner', 'Status')"}
