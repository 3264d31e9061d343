-- File drops: what became of each file, and where in it a bad row stands.

create table ops.files (
    load_id bigint not null,
    source text not null,
    connection_id text not null,
    stream text not null,
    path text not null,
    fingerprint text not null,
    bytes bigint not null,
    modified_at timestamptz,
    status text not null check (status in ('loaded', 'refused')),
    reason text,
    reasons text[] not null default '{}',
    rows_read bigint not null,
    rows_loaded bigint not null,
    rows_quarantined bigint not null,
    first_day date,
    last_day date,
    settings jsonb not null,
    unmapped text[] not null default '{}',
    fetched_at timestamptz not null,
    primary key (load_id, path),
    check (status = 'refused' or rows_read = rows_loaded + rows_quarantined)
);
create index on ops.files (source, connection_id, stream, path);
comment on table ops.files is 'One row per file that a load took in or refused. Reasons name line, column and rule, never what a cell says.';
comment on column ops.files.fingerprint is 'Hash of the file''s bytes and of how the manifest reads them: a file whose newest fingerprint is this one is not read again.';

alter table ops.quarantine add column file text, add column line_no bigint;
comment on column ops.quarantine.file is 'File of an inbox that holds the row; null for vendors.';
comment on column ops.quarantine.line_no is 'Line of the file, counted from 1, the header included.';

grant select on ops.files to loader, builder, publisher, bi_reader;
grant insert on ops.files to loader;
