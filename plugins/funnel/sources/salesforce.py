"""Salesforce: leads, contacts, accounts, opportunities, their histories and users, over REST queries."""

from funnel.contract import Column, Stream


def _sobject(
    name: str, key: str, columns: tuple[Column, ...], *, modified: str = "SystemModstamp", person: bool = False
) -> Stream:
    return Stream(
        name=name,
        kind="changed",
        key=(key,),
        modified="modified_at",
        removed="is_deleted",
        person=person,
        columns=(
            Column(key, "text", "Id", required=True),
            Column("modified_at", "timestamptz", modified, required=True),
            Column("is_deleted", "boolean", "IsDeleted"),
            *columns,
        ),
        ignored=("attributes",),
    )


STREAMS = (
    _sobject(
        "leads",
        "lead_id",
        person=True,
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("email", "email", "Email"),
            Column("status", "text", "Status"),
            Column("lead_source", "text", "LeadSource"),
            Column("owner_id", "text", "OwnerId"),
            Column("country", "text", "Country"),
            Column("is_converted", "boolean", "IsConverted"),
            Column("converted_contact_id", "text", "ConvertedContactId"),
            Column("converted_account_id", "text", "ConvertedAccountId"),
            Column("converted_opportunity_id", "text", "ConvertedOpportunityId"),
            Column("merged_into_id", "text", "MasterRecordId"),
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
            Column("merged_into_id", "text", "MasterRecordId"),
        ),
    ),
    _sobject(
        "accounts",
        "account_id",
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("account_name", "text", "Name"),
            Column("industry", "text", "Industry"),
            Column("employees", "bigint", "NumberOfEmployees"),
            Column("country", "text", "BillingCountry"),
            Column("website", "text", "Website"),
            Column("merged_into_id", "text", "MasterRecordId"),
        ),
    ),
    _sobject(
        "opportunities",
        "opportunity_id",
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
            Column("probability", "numeric", "Probability"),
            Column("owner_id", "text", "OwnerId"),
            Column("primary_contact_id", "text", "ContactId"),
        ),
    ),
    _sobject(
        "opportunity_contact_roles",
        "role_id",
        columns=(
            Column("opportunity_id", "text", "OpportunityId"),
            Column("contact_id", "text", "ContactId"),
            Column("is_primary", "boolean", "IsPrimary"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "opportunity_history",
        "history_id",
        columns=(
            Column("opportunity_id", "text", "OpportunityId"),
            Column("stage", "text", "StageName"),
            Column("amount", "numeric", "Amount"),
            Column("close_date", "date", "CloseDate"),
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("created_by_id", "text", "CreatedById"),
        ),
    ),
    _sobject(
        "lead_history",
        "history_id",
        modified="CreatedDate",
        columns=(
            Column("lead_id", "text", "LeadId"),
            Column("field", "text", "Field"),
            Column("old_value", "text", "OldValue"),
            Column("new_value", "text", "NewValue"),
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("created_by_id", "text", "CreatedById"),
        ),
    ),
    _sobject(
        "users",
        "user_id",
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
