-- What the pipeline computes between two runs of dbt: tables of funnel.build.computations.engine, made and filled by the builder.

create schema statistics authorization builder;
comment on schema statistics is 'What SQL cannot compute well: written by funnel.build.computations.engine between two runs of dbt, read by staging.';
