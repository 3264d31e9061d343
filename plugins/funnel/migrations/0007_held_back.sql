-- One source never stops another: what was held back of an inbox, and which checks had nothing to ask.

alter table ops.checks add column connection_id text;
alter table ops.checks alter column passed drop not null;
comment on column ops.checks.connection_id is 'Source of an inbox that was checked by itself, before its rows reached raw; null for a whole run or a build.';
comment on column ops.checks.passed is 'Null when the check was skipped: the manifest maps no column that it speaks of.';

create table ops.held_back (
    source text not null,
    connection_id text not null,
    run_id text not null,
    reason text not null,
    held_back_at timestamptz not null default clock_timestamp(),
    primary key (source, connection_id, run_id)
);
comment on table ops.held_back is 'One row per source of an inbox of which a run loaded nothing, with the reason. What was loaded before stays.';

alter table ops.files drop constraint files_status_check;
alter table ops.files add constraint files_status_check check (status in ('loaded', 'refused', 'withdrawn'));

grant select on ops.held_back to loader, builder, publisher, bi_reader;
grant insert, update, delete on ops.held_back to loader;
grant update (status) on ops.files to loader;
