-- Listings of ids: records that a vendor deleted without a word are found by comparing its ids with the stored ones.

create table ops.listings (
    load_id bigint primary key,
    source text not null,
    connection_id text not null,
    stream text not null,
    taken_at timestamptz not null,
    since timestamptz,
    ids_listed bigint not null,
    rows_compared bigint not null,
    rows_removed bigint not null,
    rows_returned bigint not null,
    run_id text not null,
    landing text not null unique,
    loaded_at timestamptz not null default clock_timestamp()
);
create index on ops.listings (source, connection_id, stream, taken_at);
comment on table ops.listings is 'One row per listing of a stream''s ids that was compared with the stored records.';
comment on column ops.listings.load_id is 'The load that marked the removed rows: raw rows have it as _load_id, and _removed_at = taken_at.';
comment on column ops.listings.since is 'Records created before are not in the listing and were not compared; null: all were.';
comment on column ops.listings.rows_removed is 'Stored records that were not in the listing any more. They stay in raw, marked, and leave the counts.';
comment on column ops.listings.rows_returned is 'Records marked as removed that this listing holds again.';

grant select on ops.listings to loader, builder, publisher, bi_reader;
grant insert on ops.listings to loader;

alter table ops.loads add column is_whole boolean not null default false;
comment on column ops.loads.is_whole is 'The read took all records of the stream, whenever they changed: computed fields change without their record.';
