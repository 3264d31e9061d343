-- Restatement: how much a day that was read before had changed when it was read again, and at which age.

create table ops.day_changes (
    load_id bigint not null,
    source text not null,
    connection_id text not null,
    stream text not null,
    date_day date not null,
    age_days integer not null,
    age_before integer not null,
    rows_before bigint not null,
    rows_after bigint not null,
    rows_changed bigint not null,
    measures jsonb not null,
    fetched_at timestamptz not null,
    primary key (load_id, date_day)
);
create index on ops.day_changes (source, connection_id, fetched_at);
comment on table ops.day_changes is 'One row per load and day of a dated stream that had been read before: what this read found changed.';
comment on column ops.day_changes.age_days is 'Whole days since the day ended, when it was read: 0 on the morning after. UTC.';
comment on column ops.day_changes.age_before is 'The same of the read before: what changed, changed between the two.';
comment on column ops.day_changes.rows_changed is 'Rows that are new, gone, or different in any column.';
comment on column ops.day_changes.measures is 'The day''s sum of each number, {"cost_micros": [before, after]}.';

-- A change between two reads that lie far apart has no age of its own: it is left out here.
create view ops.restatement as
select
    changes.source,
    changes.connection_id,
    changes.stream,
    measures.measure,
    changes.age_days,
    count(*) as days_read,
    count(*) filter (where measures.moved) as days_moved,
    round(avg(measures.moved::integer), 4) as share_moved,
    round(
        sum(abs(measures.after - measures.before)) / nullif(sum(abs(measures.before)), 0), 6
    ) as relative_change,
    round(
        max(abs(measures.after - measures.before) / nullif(abs(measures.before), 0)), 6
    ) as largest_relative_change,
    max(changes.fetched_at) as last_read_at
from ops.day_changes as changes
cross join lateral (
    select
        'rows' as measure,
        changes.rows_before::numeric as before,
        (changes.rows_before + changes.rows_changed)::numeric as after,
        changes.rows_changed > 0 as moved
    union all
    select
        each.key as measure,
        (each.value ->> 0)::numeric as before,
        (each.value ->> 1)::numeric as after,
        each.value -> 0 <> each.value -> 1 as moved
    from jsonb_each(changes.measures) as each
) as measures
where changes.age_before >= 0 and changes.age_days - changes.age_before <= 7
group by changes.source, changes.connection_id, changes.stream, measures.measure, changes.age_days;
comment on view ops.restatement is 'One row per stream, measure and age in days: how often days of this age had moved since they were read last, and by how much. Measure "rows" counts rows that differ in anything.';
comment on column ops.restatement.relative_change is 'Of all days read at this age together: what moved, up or down, as a share of what stood.';

alter table ops.sources add column measured_restatement_days integer, add column reread_days integer;
comment on column ops.sources.restatement_days is 'For how many days the vendor says it still changes a day.';
comment on column ops.sources.measured_restatement_days is 'The age up to which days were really seen to change, in the last 90 days of reads; null when nothing changed.';
comment on column ops.sources.reread_days is 'How many days before its own a scheduled run reads again: what the vendor says and what was measured, or what FUNNEL_RESTATEMENT says.';

grant select on ops.day_changes, ops.restatement to loader, builder, publisher, bi_reader;
grant insert on ops.day_changes to loader;
