"""Attempts to read or do more than a role may, as SQL of a session: each is tried by each role.

`{secret}` is a query for one text that the role must not see, `{table}` the table it reads. A text that is in the
answer or in an error is a leak, and so is an action that succeeds.
"""

import re
from dataclasses import dataclass

# Values of tests.publication.shown_company: one word of letters, which survives full text search and XML.
MARK = re.compile(
    r"secretx(bihistory|bi|raw|marts)x([a-z]+?)x(emea|apac|americas|all|notsplit|unknown)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Attempt:
    """One way around. `is_act`: success alone is a leak. `allowed`: roles whose work it is."""

    name: str
    sql: str
    is_act: bool = False
    allowed: tuple[str, ...] = ()


def mark(schema: str, table: str, region: str) -> str:
    """The text in the rows of a region."""
    return re.sub("[^a-zA-Z]", "", f"secretx{schema}x{table}x{region}").lower()


READS = [
    Attempt(
        "ts_rewrite(tsquery, text)",
        "select ts_rewrite('a'::tsquery, $q$select 'a'::tsquery, plainto_tsquery('simple', ({secret}))$q$)::text",
    ),
    Attempt("ts_stat(text)", "select word from ts_stat($q$select to_tsvector('simple', ({secret}))$q$)"),
    Attempt("ts_stat(text, text)", "select word from ts_stat($q$select to_tsvector('simple', ({secret}))$q$, 'abcd')"),
    Attempt("query_to_xml", "select query_to_xml($q${secret}$q$, true, false, '')::text"),
    Attempt("query_to_xml_and_xmlschema", "select query_to_xml_and_xmlschema($q${secret}$q$, true, false, '')::text"),
    Attempt("table_to_xml", "select table_to_xml('{table}'::regclass, true, false, '')::text"),
    Attempt("schema_to_xml", "select schema_to_xml('bi', true, false, '')::text"),
    Attempt("database_to_xml", "select database_to_xml(true, false, '')::text"),
    Attempt(
        "cursor_to_xml",
        "begin; declare c cursor for {secret}; select cursor_to_xml('c', 9, true, false, '')::text",
    ),
    Attempt("the query itself", "{secret}"),
    Attempt("a subquery in a select list", "select ({secret})"),
    Attempt("a union with own rows", "select 'own' union all {secret}"),
    Attempt("a lateral join", "select found.* from (values (1)) as one cross join lateral ({secret}) as found"),
    Attempt("a sample of the table", "select to_jsonb(read)::text from {table} as read tablesample system (100)"),
    Attempt("a whole row as text", "select read::text from {table} as read"),
    Attempt("a whole row as JSON", "select row_to_json(read)::text from {table} as read"),
    Attempt("XML of rows", "select xmlagg(xmlelement(name e, read))::text from {table} as read"),
    Attempt("copy to the client", "copy ({secret}) to stdout"),
    Attempt("a table copied to the client", "copy {table} to stdout"),
    Attempt("an error that quotes hidden rows", "select channel::integer from {table}"),
    Attempt("row security off", "set row_security = off; {secret}"),
    Attempt("set role publisher", "set role publisher; {secret}"),
    Attempt("set role builder", "set role builder; {secret}"),
    Attempt("set role of all regions", 'set role "All regions"; {secret}'),
    Attempt("set role of people", "set role bi_reader; {secret}", allowed=("analyst",)),
    Attempt("session authorization", "set session authorization postgres; {secret}"),
    Attempt("the options of a login", "set session_preload_libraries = 'x'; {secret}"),
    Attempt("most common values in pg_stats", "select most_common_vals::text, histogram_bounds::text from pg_stats"),
    Attempt("pg_statistic", "select stavalues1::text from pg_statistic"),
    Attempt("pg_stats_ext", "select most_common_vals::text from pg_stats_ext"),
    Attempt("pg_statistic_ext_data", "select stxdmcv::text from pg_statistic_ext_data"),
    Attempt("queries of other sessions", "select query from pg_stat_activity"),
    Attempt("the history of bi", "select to_jsonb(read)::text from bi_history.fct_funnel_daily as read"),
    Attempt("raw", "select to_jsonb(read)::text from raw.hidden as read", allowed=("loader",)),
    Attempt("marts", "select to_jsonb(read)::text from marts.hidden as read"),
    Attempt("a prepared statement", "prepare p as {secret}; execute p"),
    Attempt("a cursor", "begin; declare c cursor with hold for {secret}; commit; fetch all from c"),
    Attempt(
        "a large object",
        "select lo_from_bytea(1, ({secret})::bytea); select convert_from(lo_get(1), 'utf8'); select lo_unlink(1)",
    ),
]

ACTS = [
    Attempt(name, sql, is_act=True, allowed=allowed)
    for name, sql, *rest in (
        ("a file of the server", "select pg_read_file('/etc/passwd')"),
        ("a folder of the server", "select pg_ls_dir('/')"),
        ("a file copied from the server", "create temporary table t (t text); copy t from '/etc/passwd'"),
        ("a program of the server", "copy (select 1) to program 'id'"),
        ("a file written by the server", "copy (select 1) to '/tmp/written'"),
        ("lo_import", "select lo_import('/etc/passwd')"),
        ("lo_create", "select lo_create(0)"),
        ("lo_export", "select lo_export(1, '/tmp/written')"),
        ("an extension", "create extension dblink"),
        ("a foreign server", "create server s foreign data wrapper postgres_fdw"),
        ("load a library", "load '/tmp/x.so'"),
        ("pg_sleep", "select pg_sleep(0)"),
        ("pg_sleep_for", "select pg_sleep_for('0 seconds')"),
        ("the lock of builds", "select pg_advisory_lock(7205759)", "loader"),
        ("a shared advisory lock", "select pg_try_advisory_lock_shared(7205759)", "loader"),
        ("another's advisory lock undone", "select pg_advisory_unlock_all()", "loader"),
        ("end another session", "select pg_terminate_backend(pg_backend_pid() + 1)"),
        ("cancel another query", "select pg_cancel_backend(pg_backend_pid() + 1)"),
        ("a notification", "select pg_notify('a', 'b')"),
        ("an exported snapshot", "begin; select pg_export_snapshot()"),
        ("set_config", "select set_config('statement_timeout', '0', false)"),
        ("statistics reset", "select pg_stat_reset()"),
        ("a replication slot", "select pg_create_physical_replication_slot('s')"),
        ("a log file rotated", "select pg_rotate_logfile()"),
        ("a transaction id used up", "select pg_current_xact_id()"),
        ("an exclusive lock", "begin; lock table {table} in access exclusive mode"),
        ("a share lock", "begin; lock table {table} in share mode"),
        ("a lock of rows", "select 1 from {table} for update"),
        ("a shared lock of rows", "select 1 from {table} for key share"),
        ("rows inserted", "insert into {table} default values"),
        ("rows updated", "update {table} set channel = null"),
        ("rows deleted", "delete from {table}"),
        ("rows merged", "merge into {table} as t using (select 1) as s on true when matched then delete"),
        ("a table emptied", "truncate {table}"),
        ("a check of the ledger", "update ops.builds set status = 'published'"),
        ("a temporary table", "create temporary table t (t text)", "loader"),
        ("a table in public", "create table public.t (t text)"),
        ("a table in bi", "create table bi.t (t text)"),
        ("a schema", "create schema s"),
        ("code in a block", "do $b$ begin perform 1; end $b$"),
        ("a function", "create function pg_temp.f() returns int language sql as 'select 1'", "loader"),
        ("row security switched off", "alter table {table} disable row level security"),
        ("a policy dropped", 'drop policy "All regions" on {table}'),
        ("a policy added", "create policy p on {table} using (true)"),
        ("a grant", "grant select on {table} to public"),
        ("a role that bypasses", "alter role current_user bypassrls"),
        ("a membership", "grant publisher to current_user"),
        ("another login's password", "alter role pipeline password 'x'"),
        ("a new login", "create role thief login"),
        ("the server's settings", "alter system set log_statement = 'all'"),
        ("the database's settings", "alter database postgres set statement_timeout = 0"),
        ("logins of vendors", "select login from logins.kept", "loader"),
        ("who reads what", "select * from access.logins"),
        ("password hashes", "select rolpassword from pg_authid"),
        ("a sequence", "select nextval('ops.loads_load_id_seq')", "loader"),
    )
    for allowed in [tuple(rest)]
]
