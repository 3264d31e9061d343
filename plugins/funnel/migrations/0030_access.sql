-- Who reads which rows of `bi`: PostgreSQL's row security, and what a new table of `bi` needs at its publication.

create schema access;
revoke all on schema access from public;
comment on schema access is 'Which logins of the dashboards read what. Written by installation.readers from dashboards/access.yaml.';

create table access.regions (
    region text primary key,
    role_name text not null
);
comment on table access.regions is 'One row per region of the seed country_regions, with the role whose members see its rows.';

create table access.datasets (
    dataset text primary key,
    queries text[] not null
);
comment on table access.datasets is 'One row per dataset of the dashboards, with SQL that reads everything it may read.';

create table access.logins (
    login text primary key,
    is_regional boolean not null,
    datasets text[] not null
);
comment on table access.logins is 'One row per login of the dashboards. A regional login reads neither ops nor other tables without a region.';

create table access.open_tables (
    table_name text primary key,
    condition text not null
);
comment on table access.open_tables is 'Tables and views of bi without a region of which regional logins see the rows that meet the condition.';

grant usage on schema access to publisher;
grant select on all tables in schema access to publisher;
grant usage on schema bi, ops to dashboards;

-- Tables that were published before this migration; funnel.publication.row_security completes them.
do $$
declare
    shown record;
begin
    for shown in select tablename from pg_tables where schemaname = 'bi' loop
        execute format('alter table bi.%I enable row level security', shown.tablename);
        execute format(
            'create policy "All regions" on bi.%I for select to bi_reader, builder, "All regions" using (true)',
            shown.tablename
        );
    end loop;
end
$$;
