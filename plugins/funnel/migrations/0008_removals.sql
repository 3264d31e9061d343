-- Rows that were taken out of `raw` because an export is all there is, or because a source was withdrawn.

create table ops.removals (
    removal_id bigint generated always as identity primary key,
    load_id bigint,
    source text not null,
    connection_id text not null,
    stream text not null,
    reason text not null,
    rows_removed bigint not null check (rows_removed > 0),
    removed_at timestamptz not null default clock_timestamp()
);
create index on ops.removals (removed_at);
comment on table ops.removals is 'One row per removal of raw rows that no vendor announced. A build after a removal is a full one.';
comment on column ops.removals.load_id is 'The load that removed the rows; null for a withdrawal.';

alter table ops.files
    add column replaces text check (replaces in ('whole', 'window')),
    add column file_order text,
    add column time_zone text,
    add column replaced_from date,
    add column replaced_to date;
comment on column ops.files.replaces is 'Set when the manifest declares the export complete: whole (all rows of its stream) or window (all rows of its days).';
comment on column ops.files.file_order is 'Place of a complete export among the files of its stream. An export that comes earlier brings nothing back.';
comment on column ops.files.replaced_from is 'First day of a complete export that replaces its days, in time_zone; replaced_to is the last one.';

grant select on ops.removals to loader, builder, publisher, bi_reader;
grant insert on ops.removals to loader;
grant update (replaces, file_order, time_zone, replaced_from, replaced_to) on ops.files to loader;
