-- What was removed because it was older than its retention.

create table ops.retention (
    kind text not null check (kind in ('landed', 'quarantine', 'details', 'history', 'logs')),
    removed_at timestamptz not null default clock_timestamp(),
    keep_days integer not null,
    rows_removed bigint not null,
    files_removed bigint not null,
    bytes_removed bigint not null,
    oldest_kept timestamptz,
    primary key (kind, removed_at)
);
comment on table ops.retention is 'One row per kind of data and run of `retention` that removed something: how much, and the oldest that is left.';
grant select on ops.retention to loader, builder, publisher, bi_reader;
