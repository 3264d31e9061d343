"""HubSpot's objects and their properties, stages, event types and association types, as this portal has them."""

from __future__ import annotations

from sandbox.clock import moment

VENDOR = "hubspot"
MIGRATED = moment("2025-01-01")
OBJECT_TYPES = {
    **dict.fromkeys(("contacts", "contact", "0-1"), "contacts"),
    **dict.fromkeys(("companies", "company", "0-2"), "companies"),
    **dict.fromkeys(("deals", "deal", "0-3"), "deals"),
    **dict.fromkeys(("line_items", "line_item", "0-8"), "line_items"),
    **dict.fromkeys(("calls", "call", "0-48"), "calls"),
    **dict.fromkeys(("emails", "email", "0-49"), "emails"),
    **dict.fromkeys(("meetings", "meeting", "0-47"), "meetings"),
}
ENGAGEMENTS = ("calls", "emails", "meetings")
MODIFIED = {
    "contacts": "lastmodifieddate",
    **dict.fromkeys(("companies", "deals", "line_items", *ENGAGEMENTS), "hs_lastmodifieddate"),
}
DEFAULTS = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    "deals": (
        "amount",
        "closedate",
        "createdate",
        "dealname",
        "dealstage",
        "hs_lastmodifieddate",
        "hs_object_id",
        "pipeline",
    ),
    "line_items": ("amount", "createdate", "hs_lastmodifieddate", "hs_object_id", "hs_product_id", "quantity"),
    # HubSpot returns only the times of engagements, unless more is requested.
    **dict.fromkeys(ENGAGEMENTS, ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")),
}
SHARED_PROPERTIES = {
    "createdate": "datetime",
    "hs_object_id": "number",
    "hubspot_owner_id": "enumeration",
    "hs_merged_object_ids": "enumeration",
}
PROPERTIES: dict[str, dict[str, str]] = {
    "contacts": {
        **SHARED_PROPERTIES,
        "lastmodifieddate": "datetime",
        "email": "string",
        "firstname": "string",
        "lastname": "string",
        "phone": "string",
        "country": "string",
        "company": "string",
        "lifecyclestage": "enumeration",
        "hs_lead_status": "enumeration",
        "hs_analytics_source": "enumeration",
        "hs_analytics_first_timestamp": "datetime",
        "utm_source": "string",
        "utm_medium": "string",
        "utm_campaign": "string",
        "utm_id": "string",
        "associatedcompanyid": "number",
        "salesforceleadid": "string",
        "salesforcecontactid": "string",
    },
    "companies": {
        **SHARED_PROPERTIES,
        "hs_lastmodifieddate": "datetime",
        "name": "string",
        "domain": "string",
        "country": "string",
        "industry": "enumeration",
        "numberofemployees": "number",
        "salesforceaccountid": "string",
    },
    "deals": {
        **SHARED_PROPERTIES,
        "hs_lastmodifieddate": "datetime",
        "dealname": "string",
        "amount": "number",
        "deal_currency_code": "enumeration",
        "dealstage": "enumeration",
        "pipeline": "enumeration",
        "dealtype": "enumeration",
        "closed_lost_reason": "string",
        "closedate": "datetime",
        "hs_is_closed": "bool",
        "hs_is_closed_won": "bool",
        "hs_deal_stage_probability": "number",
        "hs_primary_associated_company": "number",
        "hs_salesforceopportunityid": "string",
    },
    "line_items": {
        **SHARED_PROPERTIES,
        "hs_lastmodifieddate": "datetime",
        "hs_product_id": "number",
        "hs_sku": "string",
        "name": "string",
        "quantity": "number",
        "price": "number",
        "hs_discount_percentage": "number",
        "amount": "number",
        "hs_line_item_currency_code": "enumeration",
    },
    "calls": {
        **SHARED_PROPERTIES,
        "hs_createdate": "datetime",
        "hs_lastmodifieddate": "datetime",
        "hs_timestamp": "datetime",
        "hs_call_title": "string",
        "hs_call_direction": "enumeration",
        "hs_call_status": "enumeration",
    },
    "emails": {
        **SHARED_PROPERTIES,
        "hs_createdate": "datetime",
        "hs_lastmodifieddate": "datetime",
        "hs_timestamp": "datetime",
        "hs_email_subject": "string",
        "hs_email_direction": "enumeration",
        "hs_email_status": "enumeration",
    },
    "meetings": {
        **SHARED_PROPERTIES,
        "hs_createdate": "datetime",
        "hs_lastmodifieddate": "datetime",
        "hs_timestamp": "datetime",
        "hs_meeting_title": "string",
        "hs_meeting_start_time": "datetime",
        "hs_meeting_end_time": "datetime",
        "hs_meeting_outcome": "enumeration",
    },
}
STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
PROBABILITIES = {stage: probability for stage, _, probability in STAGES}
EVENT_TYPES = (
    "e_clicked_link_in_email_v2",
    "e_form_submission_v2",
    "e_opened_email_v2",
    "e_replied_email_v2",
    "e_visited_page",
    "pe4242_ad_landing_visit",
    "pe4242_trade_show_visited",
    "pe4242_webinar_attended",
)
# (type id, name on v3 lists) of the unlabelled association; numbers of HubSpot's documentation.
ASSOCIATION_TYPES = {
    ("contacts", "companies"): (279, "contact_to_company_unlabeled"),
    ("companies", "contacts"): (280, "company_to_contact_unlabeled"),
    ("deals", "companies"): (341, "deal_to_company_unlabeled"),
    ("companies", "deals"): (342, "company_to_deal_unlabeled"),
    ("deals", "contacts"): (3, "deal_to_contact"),
    ("contacts", "deals"): (4, "contact_to_deal"),
    ("deals", "line_items"): (19, "deal_to_line_item"),
    ("line_items", "deals"): (20, "line_item_to_deal"),
    ("contacts", "calls"): (193, "contact_to_call"),
    ("calls", "contacts"): (194, "call_to_contact"),
    ("contacts", "emails"): (197, "contact_to_email"),
    ("emails", "contacts"): (198, "email_to_contact"),
    ("contacts", "meetings"): (199, "contact_to_meeting"),
    ("meetings", "contacts"): (200, "meeting_event_to_contact"),
}
# A record's first company is its primary one too, under a type of its own.
PRIMARY_TYPES = {
    ("contacts", "companies"): (1, "contact_to_company"),
    ("companies", "contacts"): (2, "company_to_contact"),
    ("deals", "companies"): (5, "deal_to_company"),
    ("companies", "deals"): (6, "company_to_deal"),
}
# Labels that this portal's users made for a deal's contacts.
LABEL_TYPES = {"Primary": 11, "Evaluator": 13}
