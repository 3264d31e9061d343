{{ config(materialized='view') }}

select
    pipelines.connection_id,
    pipelines.pipeline_id,
    stages.stage ->> 'id' as stage_id,
    pipelines.load_id,
    stages.stage ->> 'label' as stage_name,
    substring(stages.stage #>> '{metadata,probability}' from '^[0-9]*[.]?[0-9]+$')::numeric as probability,
    (stages.stage #>> '{metadata,isClosed}') = 'true' as is_closed
from {{ ref('stg_hubspot__pipelines') }} as pipelines
cross join lateral jsonb_array_elements(pipelines.stages) as stages (stage)
