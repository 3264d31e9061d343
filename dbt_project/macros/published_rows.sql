{#- A table as readers see it (`bi`) or saw it (`bi_history`); empty before the first publication. -#}
{% macro published_rows(schema, mart) -%}
    {%- set published = none -%}
    {%- if execute -%}
        {%- set published = adapter.get_relation(database=target.database, schema=schema, identifier=mart) -%}
    {%- endif -%}
    {%- if published is not none -%}
        {{ published }}
    {%- else -%}
        (select *, null::bigint as publication_id, null::bigint as replaced_by from {{ ref(mart) }} where false)
    {%- endif -%}
{%- endmacro %}

{#- A column of such a table, or an expression if it was published before the mart had the column. -#}
{% macro published_column(schema, mart, column, otherwise) -%}
    {%- set published = none -%}
    {%- if execute -%}
        {%- set published = adapter.get_relation(database=target.database, schema=schema, identifier=mart) -%}
    {%- endif -%}
    {%- if published is none or column in columns_of(published) | map(attribute='name') -%}
        {{ column }}
    {%- else -%}
        {{ otherwise }}
    {%- endif -%}
{%- endmacro %}

{#- Stands for this build's publication, which has no number yet: it sorts after all numbers. -#}
{% macro coming_publication_id() -%}
    9223372036854775807
{%- endmacro %}

{#-
  What each publication added to the sums of a mart: its rows from the publication that brought them on, and negated from
  the one that replaced them on; the rows of this build belong to the coming publication. Sums of `value * sign` by
  publication are the steps from one shown value to the next. Values are in the currency of the publication `valued_by`.
  The first column is that of the scope; `added` has columns that were added to the mart, with a value of older tables;
  `renamed` has columns whose members got another name, with the expression of today's name.
-#}
{% macro shown_steps(mart, columns, added={}, renamed={}) -%}
    {%- set is_shown = 'publication_id < replaced_by' -%}
    {%- set parts = [
        ('bi', 'publication_id', 'publication_id', 1, 'true'),
        ('bi', coming_publication_id(), 'publication_id', -1, 'true'),
        ('bi_history', 'publication_id', 'publication_id', 1, is_shown),
        ('bi_history', 'replaced_by', 'publication_id', -1, is_shown),
        (none, coming_publication_id(), coming_publication_id(), 1, 'true'),
    ] -%}
    {%- for schema, publication, valued_by, sign, condition in parts %}
    select
        {%- for name in columns %}
        {{ renamed[name] ~ ' as ' ~ name if schema and name in renamed else name }},
        {%- endfor %}
        {%- for name, otherwise in added.items() %}
        {{ published_column(schema, mart, name, otherwise) if schema else name }} as {{ name }},
        {%- endfor %}
        {{ publication }} as publication_id,
        {{ valued_by }} as valued_by,
        {{ sign }} as sign
    from {{ published_rows(schema, mart) if schema else ref(mart) }} as part_{{ loop.index }}
    where {{ condition }} and {{ in_scope(columns[0]) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Region of a published row. Releases up to 0.2.0 called spend that is not split `(all)`, which is only a total now. -#}
{% macro published_region() -%}
    case region when '(all)' then '(not split)' else region end
{%- endmacro %}
