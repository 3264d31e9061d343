-- Schemas, the ledger in `ops`, quarantine payloads in `raw`. Roles exist already (funnel.ledger creates them first).

create schema raw authorization loader;
create schema ops;
create schema seeds authorization builder;
create schema staging authorization builder;
create schema intermediate authorization builder;
create schema marts authorization builder;
create schema marts_changes authorization builder;
create schema bi authorization publisher;
create schema bi_history authorization publisher;

create table ops.installation (
    only_row boolean primary key default true check (only_row),
    person_key_fingerprint text,
    created_at timestamptz not null default now()
);
comment on table ops.installation is 'One row: the fingerprint of the key that person keys are made with.';

create table ops.sources (
    source text not null,
    connection_id text not null,
    owner text,
    time_zone text,
    restatement_days integer not null,
    first_day date,
    last_day_complete date,
    updated_at timestamptz not null default now(),
    primary key (source, connection_id)
);
comment on table ops.sources is 'One row per connection of a source: who owns it, its time zone, how long it restates, the last day complete.';

create table ops.loads (
    load_id bigint generated always as identity primary key,
    source text not null,
    connection_id text not null,
    stream text not null,
    window_from date not null,
    window_to date not null,
    rows_read bigint not null,
    rows_loaded bigint not null,
    rows_quarantined bigint not null,
    rows_retracted bigint not null,
    rows_superseded bigint not null,
    rows_duplicated bigint not null,
    bytes bigint not null,
    new_fields text[] not null default '{}',
    fetched_at timestamptz not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    run_id text not null,
    landing text not null unique,
    code_version text not null,
    check (rows_read = rows_loaded + rows_quarantined),
    check (window_from < window_to)
);
create index on ops.loads (source, stream, load_id);
create index on ops.loads (run_id);
comment on table ops.loads is 'One row per committed load of one stream and window.';
comment on column ops.loads.rows_loaded is 'Rows read and understood. Of these, rows_superseded and rows_duplicated are not stored: a newer read or a later page holds the same record.';
comment on column ops.loads.landing is 'Path of the landed files below the landing folder: loading it again is a no-op.';

create table ops.loaded_days (
    source text not null,
    connection_id text not null,
    stream text not null,
    date_day date not null,
    fetched_at timestamptz not null,
    load_id bigint not null,
    primary key (source, connection_id, stream, date_day)
);
comment on table ops.loaded_days is 'One row per day of a stream: the newest read that covers it.';

create table ops.quarantine (
    quarantine_id bigint generated always as identity primary key,
    load_id bigint not null,
    source text not null,
    connection_id text not null,
    stream text not null,
    hashed_key text not null,
    hashed_payload text not null,
    column_name text,
    reason text not null,
    first_seen_at timestamptz not null,
    replayed_at timestamptz,
    unique (source, connection_id, stream, hashed_payload)
);
create index on ops.quarantine (load_id);
comment on table ops.quarantine is 'One row per unreadable row a vendor sent. The payload lies in raw.quarantine.';
comment on column ops.quarantine.load_id is 'The latest load that met the row.';
comment on column ops.quarantine.replayed_at is 'When a later read of the same days no longer held the row in this form.';

create table raw.quarantine (
    quarantine_id bigint primary key,
    payload jsonb not null
);
comment on table raw.quarantine is 'The unreadable row itself, as the vendor sent it.';

create table ops.builds (
    build_id bigint generated always as identity primary key,
    as_of timestamptz not null,
    is_full boolean not null,
    since_load_id bigint not null,
    through_load_id bigint not null,
    reporting_currency text not null,
    reporting_timezone text not null,
    master_crm text not null,
    sources_configured text[] not null,
    sources_late text[] not null,
    status text not null
        check (status in ('building', 'built', 'failed', 'audit_failed', 'published', 'abandoned')),
    failure text,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    project_fingerprint text not null,
    code_version text not null
);
comment on table ops.builds is 'One row per build of the marts: what it had to read and how it ended.';

create table ops.checks (
    check_id bigint generated always as identity primary key,
    suite text not null,
    table_name text not null,
    column_name text,
    expectation text not null,
    severity text not null check (severity in ('critical', 'warning')),
    passed boolean not null,
    observed jsonb,
    unexpected_count bigint,
    sample_keys text[] not null default '{}',
    source text,
    run_id text,
    build_id bigint,
    checked_at timestamptz not null default clock_timestamp()
);
create index on ops.checks (build_id);
create index on ops.checks (run_id);
create index on ops.checks (source, run_id) where not passed and severity = 'critical';
comment on table ops.checks is 'One row per evaluated expectation. Sample keys are hashes.';

create table ops.publications (
    publication_id bigint generated always as identity primary key,
    build_id bigint not null references ops.builds (build_id),
    as_of timestamptz not null,
    through_load_id bigint not null,
    marts text[] not null,
    rows_changed jsonb not null,
    audited_at timestamptz not null,
    published_at timestamptz not null default clock_timestamp(),
    previous_id bigint references ops.publications (publication_id),
    reverted_at timestamptz,
    sources_late text[] not null default '{}'
);
comment on table ops.publications is 'One row per publication. The one in effect is the newest without reverted_at.';

grant usage on schema raw to builder;
alter default privileges for role loader in schema raw grant select on tables to builder;
revoke all on raw.quarantine from public;
alter table raw.quarantine owner to loader;

grant usage on schema ops to loader, builder, publisher, bi_reader;
grant select on all tables in schema ops to loader, builder, publisher, bi_reader;
grant usage on sequence ops.loads_load_id_seq to loader;
grant insert on ops.loads, ops.quarantine, ops.checks to loader;
grant update on ops.quarantine to loader;
grant insert, update, delete on ops.loaded_days to loader;
grant insert, update on ops.sources, ops.installation to loader;
grant insert, update on ops.builds to builder;
grant insert on ops.checks to builder;
grant usage on sequence ops.publications_publication_id_seq to publisher;
grant insert, update on ops.publications to publisher;
grant update (status, failure, finished_at) on ops.builds to publisher;

grant usage on schema marts, marts_changes to publisher;
alter default privileges for role builder in schema marts grant select on tables to publisher;
alter default privileges for role builder in schema marts_changes grant select on tables to publisher;
-- What readers were shown is an input of the restatement report.
grant usage on schema bi, bi_history to builder;
alter default privileges for role publisher in schema bi grant select on tables to builder, bi_reader;
alter default privileges for role publisher in schema bi_history grant select on tables to builder;
grant usage on schema bi to bi_reader;
