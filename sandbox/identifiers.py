"""Identifiers in the formats of the vendors."""

from __future__ import annotations

import string

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHECK_ALPHABET = string.ascii_uppercase + "012345"

PREFIXES = {
    "Account": "001",
    "Contact": "003",
    "User": "005",
    "Opportunity": "006",
    "OpportunityHistory": "008",
    "Lead": "00Q",
    "LeadHistory": "017",
    "Task": "00T",
    "Event": "00U",
    "OpportunityContactRole": "00K",
    "OpportunityLineItem": "00k",
    "Product2": "01t",
    "Campaign": "701",
    "CampaignMember": "00v",
    "CurrencyType": "01L",
    "DatedConversionRate": "04w",
}


def salesforce_id(sobject: str, number: int) -> str:
    """An 18-character id; the last three letters encode which of the first fifteen are capitals."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = ALPHABET[rest] + digits
    short = PREFIXES[sobject] + "Kx" + digits.rjust(10, "0")
    check = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper())
        check += CHECK_ALPHABET[bits]
    return short + check
