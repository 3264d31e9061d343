-- Two different rows of one key and day in one read: one is kept, and both are told.

alter table ops.loads add column rows_conflicting bigint not null default 0, add column conflicts jsonb not null default '[]';
comment on column ops.loads.rows_conflicting is 'Keys of a dated stream of which this read held different rows. The row received last is kept.';
comment on column ops.loads.conflicts is 'The first of them: hashed key, day and the numbers of each row in the order received.';
