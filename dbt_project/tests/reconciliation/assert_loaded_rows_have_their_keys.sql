-- One row per key of every view of raw rows that states one as grain_of_loaded_rows. Full builds only: loads hold raw rows
-- to the vendors' own keys, so what a view can break, the project breaks.
-- depends_on: {{ ref('stg_statistics__frictions') }}
{{ config(tags=['full_build']) }}

select *
from ({{ loaded_rows_without_key() }}) as found
