-- Several streams of a manifest may read one file, such as a wide table that is taken apart.
alter table ops.files add column stream_no smallint not null default 1;
comment on column ops.files.stream_no is 'Which of the manifest''s streams of this entity read the file, counted from 1 among those whose path matches it.';
alter table ops.files drop constraint files_pkey, add primary key (load_id, path, stream_no);
comment on column ops.files.fingerprint is 'Hash of the file''s bytes and of how all streams of the entity read them: a file whose newest fingerprint is this one, and which was not refused, is not read again.';

alter table ops.files add column if not exists notes text[] not null default '{}';
comment on column ops.files.notes is 'What was dropped, merged, inferred, left unread or passed over; never what a cell says.';
