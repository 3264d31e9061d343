"""Checks of marts.fct_touchpoints before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="owner_team",
            value_set=["marketing", "sales", "partner", "unknown"],
            description="every touch has an owner we know",
            notes="It decides which team generated a person. Correct seeds/channels.csv.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="touched_at",
            description="every touch has a time",
            notes="First and last are decided by it.",
        ),
    ],
    "touches": [
        gxe.ExpectColumnValuesToBeBetween(
            column="touches_lost",
            min_value=0,
            max_value=0,
            description="touches in = touches out",
            notes="Of the people touched by this build. One lost is a touch whose person is not in dim_people.",
        ),
    ],
    "people": [
        gxe.ExpectColumnValuesToBeBetween(
            column="creating_touches",
            max_value=1,
            description="a person is created by one touch at most",
            notes="With two, two teams would both have generated the person.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="touched_on",
            max_value={"$PARAMETER": "as_of_date"},
            description="no touch comes from the future",
            notes="A time entered by hand or a wrong clock. It does not count until that day.",
        ),
        gxe.ExpectColumnValuesToNotBeInSet(
            column="channel",
            value_set=["Unknown"],
            mostly=0.8,
            description="most touches have a channel",
            notes="New utm values that seeds/channel_rules.csv does not know.",
        ),
    ],
}

BATCHES = {
    "rows": """
        select mart.*, cast(mart.touched_at at time zone {{ reporting_timezone() }} as date) as touched_on
        from {{ changed('fct_touchpoints') }} as mart
    """,
    "touches": """
        select
            (
                select count(*) from {{ ref('int_touches') }}
                where {{ is_touched('person_key', ['int_touches', 'fct_touchpoints']) }}
            ) - (
                select count(*) from {{ ref('fct_touchpoints') }}
                where {{ is_touched('person_key', ['int_touches', 'fct_touchpoints']) }}
            ) as touches_lost
    """,
    "people": """
        select person_key, count(*) filter (where is_person_creating) as creating_touches
        from {{ ref('fct_touchpoints') }}
        where {{ is_touched('person_key', 'fct_touchpoints') }} and person_key is not null
        group by person_key
    """,
}
KEYS = {"people": ["person_key"]}

PASSING = [
    {
        "touch_id": "t1",
        "person_key": "p1",
        "account_key": "a1",
        "lead_key": "l1",
        "touched_at": "2026-01-05 10:00+00",
        "touch_type": "form_submission",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "owner_team": "marketing",
        "is_person_creating": True,
        "source_system": "hubspot",
    }
]

POISON = {
    "every touch has an owner we know": [{"owner_team": "agency"}],
    "every touch has a time": [{"touched_at": None}],
    "touches in = touches out": [],
    "a person is created by one touch at most": {
        "marts.fct_touchpoints": [{}, {"touch_id": "t2"}],
        "intermediate.int_touches": [{}, {"touch_id": "t2"}],
    },
    "no touch comes from the future": [{"touched_at": "2062-01-05 10:00+00"}],
    "most touches have a channel": [{"channel": "Unknown"}],
}
