-- Rows of one key in one file are added up or taken once: read = loaded + quarantined + merged.
alter table ops.files
    add column rows_merged bigint not null default 0,
    drop constraint files_check,
    add constraint files_check check (status = 'refused' or rows_read = rows_loaded + rows_quarantined + rows_merged);
comment on column ops.files.rows_merged is 'Rows that were added to another row of the same key, or that only repeated it.';

alter table ops.loads
    add column rows_merged bigint not null default 0,
    drop constraint loads_check,
    add constraint loads_check check (rows_read = rows_loaded + rows_quarantined + rows_merged);
comment on column ops.loads.rows_merged is 'Rows of files that were added to another row of the same key, or that only repeated it.';
