"""What users are shown instead of a traceback, for errors that a user can mend."""

import errno

import httpx
import psycopg

from funnel.errors import is_ours

DATABASE_GONE = (
    "PostgreSQL stopped answering during this command. "
    "Start it by `make up` (`make status` shows what runs), then repeat the command. docs/runbook.md, section "
    "`PostgreSQL stopped answering`."
)
# What the operating system refuses for a reason that a user can change.
SYSTEM_REFUSALS = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk quota is used up",
    errno.EROFS: "The file system is read-only",
    errno.EACCES: "The user of this command may not use this file",
    errno.EPERM: "The user of this command may not change this file",
    errno.EMFILE: "Too many files are open",
}


def sentence_of(error: BaseException) -> str | None:
    """What a user is shown instead of a traceback: our own message, or which service is down and how to start it; None
    for a bug.
    """
    if is_ours(error):
        return f"{type(error).__name__}: {error}"
    # SQLAlchemy wraps the driver's error.
    database = getattr(error, "orig", None) or error
    if isinstance(database, (psycopg.OperationalError, psycopg.InterfaceError)):
        if isinstance(database, psycopg.errors.DiskFull):
            return "The disk of PostgreSQL is full. Free some space, then repeat the command; nothing is half done."
        return DATABASE_GONE
    if isinstance(error, httpx.HTTPStatusError):
        url = error.request.url.copy_with(query=None, username=None, password=None)
        return _service_down(f"The service at {url} answered HTTP {error.response.status_code}.")
    if isinstance(error, httpx.HTTPError):
        return _service_down(f"A service does not answer ({type(error).__name__}: {error}).")
    if isinstance(error, OSError) and error.errno in SYSTEM_REFUSALS:
        where = f": {error.filename}" if error.filename else ""
        return f"{SYSTEM_REFUSALS[error.errno]}{where}. Correct it, then repeat the command; nothing is half done."
    return None


def _service_down(what: str) -> str:
    return (
        f"{what} `make status` shows what runs, `make up` starts what has stopped; then repeat the command. "
        "The logs are in FUNNEL_HOME/logs."
    )
