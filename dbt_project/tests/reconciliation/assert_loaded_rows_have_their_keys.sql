-- One row per key of every view of raw rows that states one as grain_of_loaded_rows. Full builds only: raw tables
-- enforce the vendors' keys, so only a change of the project can break a view's key.
-- depends_on: {{ ref('stg_statistics__frictions') }}
{{ config(tags=['full_build']) }}

select *
from ({{ loaded_rows_without_key() }}) as found
