{{ config(materialized='view') }}

select
    'files' as origin,
    connection_id,
    component,
    coalesce(region, '(all)') as region,
    baseline,
    approved_by,
    approved_on,
    coalesce(valid_from, '2000-01-01') as valid_from
from {{ ref('stg_files__alignment_baselines') }}

union all

select
    'seed' as origin,
    'seed' as connection_id,
    component,
    region,
    baseline,
    approved_by,
    approved_on,
    valid_from
from {{ ref('alignment_baselines') }}
