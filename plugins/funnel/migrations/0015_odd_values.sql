-- Values that a load repaired or left out, because no database can hold them; and an index over the hash of long keys.

alter table ops.loads add column values_noted bigint not null default 0;
comment on column ops.loads.values_noted is 'Values of readable rows that were repaired or left out; ops.noted_values says which.';

create table ops.noted_values (
    load_id bigint not null references ops.loads (load_id) on delete cascade,
    column_name text not null,
    what text not null,
    values_found bigint not null check (values_found > 0),
    primary key (load_id, column_name, what)
);
comment on table ops.noted_values is 'One row per load, raw column and repair: values of readable rows that were repaired (half a letter, NUL) or left out (null in raw), with the reason. The landed file holds what the vendor sent.';
grant select on ops.noted_values to loader, builder, publisher, bi_reader;
grant insert on ops.noted_values to loader;

-- A campaign's name or source may be longer than an index row: new tables have this index from the start.
do $$
begin
    if to_regclass('raw.ga4__sessions') is not null then
        alter table raw.ga4__sessions drop constraint if exists ga4__sessions_pkey;
        create unique index on raw.ga4__sessions (
            date, _connection_id, property_id, md5(
                md5(channel_group) || md5(session_source) || md5(session_medium) || md5(campaign_id)
                || md5(campaign_name) || md5(country_id)
            )
        );
    end if;
end
$$;
