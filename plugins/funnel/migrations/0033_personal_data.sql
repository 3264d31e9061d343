-- Persons who were forgotten, as keyed hashes that only the loader compares; and receipts, which hold no personal data.

create schema privacy;
comment on schema privacy is 'Tombstones of forgotten persons, and replaced person keys; for the loader alone.';
revoke all on schema privacy from public;
grant usage on schema privacy to loader;

create table privacy.tombstones (
    tombstone text primary key,
    source text not null,
    connection_id text not null,
    kind text not null,
    forgotten_at timestamptz not null default clock_timestamp()
);
comment on table privacy.tombstones is 'One row per address or vendor id of a forgotten person: its keyed hash. Records that name it are reduced in every read.';
comment on column privacy.tombstones.source is 'Source of a vendor id; empty for an address.';
comment on column privacy.tombstones.kind is 'email, person_id, or the kind of record, such as contacts.';
grant select on privacy.tombstones to loader;

create table privacy.old_person_keys (
    fingerprint text primary key,
    person_key bytea not null,
    replaced_at timestamptz not null default clock_timestamp()
);
comment on table privacy.old_person_keys is 'Replaced person keys, encrypted with LANDING_KEY: tombstones that were made with them still hold.';
grant select on privacy.old_person_keys to loader;

create table ops.forgettings (
    forgetting_id bigint generated always as identity primary key,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    lines_given bigint not null,
    persons_found bigint not null,
    receipt jsonb not null default '{}'
);
comment on table ops.forgettings is 'One row per run of `make forget`: how much was removed of each place. Holds no personal data.';
comment on column ops.forgettings.finished_at is 'Null while it runs, or when it was killed: run it again with the same lines.';
grant select on ops.forgettings to loader, builder, publisher, bi_reader;
