{{ config(materialized='view') }}

select
    'files' as origin,
    connection_id,
    component,
    coalesce(region, '(all)') as region,
    baseline,
    coalesce(valid_from, '2000-01-01') as valid_from
from {{ ref('stg_files__alignment_baselines') }}

union all

select
    'seed' as origin,
    'seed' as connection_id,
    component,
    region,
    baseline,
    valid_from
from {{ ref('alignment_baselines') }}
