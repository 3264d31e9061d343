-- Logins at the vendors, kept between tasks and runs. The loader alone sees them, and only as a cipher text.

create schema logins;
comment on schema logins is 'Logins at the vendors, encrypted; for the loader alone.';

create table logins.kept (
    began_with text primary key,
    source text not null,
    connection_id text not null,
    login text not null,
    kept_at timestamptz not null default clock_timestamp()
);
comment on table logins.kept is 'One row per login: the newest access and refresh token that its vendor gave.';
comment on column logins.kept.began_with is 'Digest of the refresh token in the connection, or of the connection''s id where the login needs none.';
comment on column logins.kept.connection_id is 'Connection that logged in last.';
comment on column logins.kept.login is 'Tokens as JSON, encrypted with AIRFLOW_FERNET_KEY.';

revoke all on schema logins from public;
grant usage on schema logins to loader;
grant select, insert, update, delete on logins.kept to loader;
