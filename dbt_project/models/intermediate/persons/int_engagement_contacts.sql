{{
    config(
        unique_key=['engagement_key', 'contact_id'],
        scope_column='engagement_key',
        track=['connection_id'],
        indexes=[{'columns': ['contact_id']}],
    )
}}

{% call scope() %}
select {{ surrogate_key(["'call'", 'connection_id', 'call_id']) }}
from {{ ref('stg_hubspot__calls') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(["'email'", 'connection_id', 'email_id']) }}
from {{ ref('stg_hubspot__emails') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(["'meeting'", 'connection_id', 'meeting_id']) }}
from {{ ref('stg_hubspot__meetings') }}
where {{ is_loaded_since('load_id') }}
{% endcall %}

with

-- Seller's activities only: not the contact's, and not failed or cancelled ones.
acts as (
    select
        'call' as activity_type,
        connection_id,
        call_id as activity_id,
        contacts,
        occurred_at
    from {{ ref('stg_hubspot__calls') }}
    where
        {% if not is_full_build() %}load_id > {{ since_load_id() }} and{% endif %}
        not coalesce(is_archived, false)
        and coalesce(direction, 'OUTBOUND') <> 'INBOUND'
        and coalesce(status, 'COMPLETED') not in ('CANCELED', 'FAILED', 'MISSED', 'QUEUED')

    union all

    select
        'email' as activity_type,
        connection_id,
        email_id as activity_id,
        contacts,
        occurred_at
    from {{ ref('stg_hubspot__emails') }}
    where
        {% if not is_full_build() %}load_id > {{ since_load_id() }} and{% endif %}
        not coalesce(is_archived, false)
        and coalesce(direction, 'EMAIL') = 'EMAIL'
        and coalesce(status, 'SENT') = 'SENT'

    union all

    select
        'meeting' as activity_type,
        connection_id,
        meeting_id as activity_id,
        contacts,
        occurred_at
    from {{ ref('stg_hubspot__meetings') }}
    where
        {% if not is_full_build() %}load_id > {{ since_load_id() }} and{% endif %}
        not coalesce(is_archived, false)
        and coalesce(outcome, 'COMPLETED') not in ('CANCELED', 'RESCHEDULED')
),

final as (
    select distinct
        {{ surrogate_key(['acts.activity_type', 'acts.connection_id', 'acts.activity_id']) }} as engagement_key,
        acts.connection_id,
        acts.activity_id,
        links.link ->> 'toObjectId' as contact_id,
        acts.activity_type,
        acts.occurred_at
    from acts
    cross join lateral jsonb_array_elements(acts.contacts) as links (link)
    where acts.occurred_at is not null
)

select * from final
