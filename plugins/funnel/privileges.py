"""What a reader of the warehouse may not do: run text as SQL inside a query, hold locks, touch files, stay for ever.

Functions that PostgreSQL grants to PUBLIC are granted to the roles of the pipeline that need them, and to no other. Row
security does not depend on it: it holds where an administrator without superuser rights may not revoke.
"""

from typing import Any, LiteralString

import psycopg
from psycopg import sql

# Functions of pg_catalog, as regular expressions over their names.
REVOKED = {
    "they run text as SQL": "ts_rewrite|ts_stat|(query|table|cursor|schema|database)_to_xml.*",
    "they write": "lo_.*|lowrite|loread|be_lo_.*|pg_notify|pg_export_snapshot|txid_current|pg_current_xact_id",
    "they block or end others": "pg_(try_)?advisory_.*|pg_sleep.*|pg_cancel_backend|pg_terminate_backend",
    "they change limits of a session": "set_config",
    "they read or control the server": (
        "pg_read_.*|pg_ls_.*|pg_stat_file|pg_current_logfile|pg_rotate_logfile.*|pg_reload_conf|pg_log_.*|pg_stat_reset.*|"
        "pg_(create|drop|copy|sync)_.*slot.*|pg_replication_.*|pg_logical_.*|pg_switch_wal|pg_create_restore_point|"
        "pg_backup_.*|pg_promote|pg_import_system_collations"
    ),
}
LOCKS = "pg_(try_)?advisory_.*"
# Logins of the dashboards are members of the first, and of the second or of a role for each of their regions.
READER_GROUPS = ("dashboards", "All regions")
PIPELINE = ("pipeline", "loader", "builder", "publisher")
# The signature of each of them that PUBLIC may call.
FUNCTIONS: LiteralString = """
    select
        oid::regprocedure::text as signature,
        proname ~ %(locks)s as is_lock
    from pg_proc
    where
        pronamespace = 'pg_catalog'::regnamespace
        and proname ~ %(revoked)s
        and exists (
            select from aclexplode(coalesce(proacl, acldefault('f', proowner))) as given
            where given.grantee = 0 and given.privilege_type = 'EXECUTE'
        )
"""

# Limits of each role. A session can raise its own; publication ends the sessions that stay longer (OPS-8).
PEOPLE = {
    "statement_timeout": "15min",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10min",
    "transaction_timeout": "30min",
    "temp_file_limit": "10GB",
}
DASHBOARDS = {
    "statement_timeout": "1min",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "1min",
    "transaction_timeout": "5min",
    "temp_file_limit": "4GB",
}
# Superset opens at most 16 connections: two processes with eight threads.
CONNECTIONS = {"people": 40, "dashboards": 20}


def restrict(admin: psycopg.Connection[Any]) -> None:
    """Revoke from PUBLIC what no reader needs, and limit the sessions of `bi_reader`. Changes nothing that is
    already so; what the administrator may not revoke stays, see `open_functions`.
    """
    for signature, is_lock in _granted_to_everyone(admin):
        # The name comes from the catalogue, with its types.
        function = sql.SQL(signature)  # type: ignore[arg-type]
        _try(admin, sql.SQL("revoke execute on function {} from public").format(function))
        if is_lock:
            roles = sql.SQL(", ").join(map(sql.Identifier, PIPELINE))
            _try(admin, sql.SQL("grant execute on function {} to {}").format(function, roles))
    _try(admin, sql.SQL("revoke usage on language plpgsql from public"))
    # Publication ends readers that block it.
    for grant in (
        "alter role publisher inherit",
        "grant execute on function pg_terminate_backend(integer, bigint) to publisher",
        "grant pg_signal_backend, pg_read_all_stats to publisher",
    ):
        _try(admin, sql.SQL(grant))  # type: ignore[arg-type]
    for role in PIPELINE:
        reserve_connections(admin, role)
    limit(admin, "bi_reader", PEOPLE, CONNECTIONS["people"])


def reserve_connections(admin: psycopg.Connection[Any], role: str) -> None:
    """Let a role of the pipeline or of a service use the connections that readers leave free. PostgreSQL 15 reserves
    none.
    """
    if admin.info.server_version >= 160_000:
        statement = sql.SQL("grant pg_use_reserved_connections to {} with inherit true").format(sql.Identifier(role))
        _try(admin, statement)


def open_functions(admin: psycopg.Connection[Any]) -> list[str]:
    """The functions of `REVOKED` that PUBLIC may still call: the administrator does not own them."""
    return [signature for signature, _ in _granted_to_everyone(admin)]


def limit(admin: psycopg.Connection[Any], role: str, limits: dict[str, str], connections: int) -> None:
    """Set a role's number of connections and its limits, where this server knows them and the administrator may."""
    found = admin.execute(
        "select rolconnlimit, coalesce(setting.setconfig, '{}') from pg_roles "
        "left join pg_db_role_setting as setting on setting.setrole = pg_roles.oid and setting.setdatabase = 0 "
        "where rolname = %s",
        (role,),
    ).fetchone()
    held, present = found or (None, [])
    name = sql.Identifier(role)
    if held != connections:
        admin.execute(sql.SQL("alter role {} connection limit {}").format(name, sql.Literal(connections)))
    known = {row[0] for row in admin.execute("select name from pg_settings where name = any(%s)", (list(limits),))}
    for setting, value in limits.items():
        if setting in known and f"{setting}={value}" not in present:
            _try(
                admin,
                sql.SQL("alter role {} set {} = {}").format(name, sql.Identifier(setting), sql.Literal(value)),
            )


def _granted_to_everyone(admin: psycopg.Connection[Any]) -> list[tuple[str, bool]]:
    parameters = {"locks": f"^({LOCKS})$", "revoked": f"^({'|'.join(REVOKED.values())})$"}
    return admin.execute(FUNCTIONS, parameters).fetchall()


def _try(admin: psycopg.Connection[Any], statement: sql.SQL | sql.Composed) -> None:
    """Run a statement that an administrator without superuser rights may not run."""
    try:
        with admin.transaction():
            admin.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        pass
