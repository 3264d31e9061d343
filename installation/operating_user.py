"""The unprivileged user that runs PostgreSQL if we run as root, which PostgreSQL refuses."""

import pwd
import shutil
import subprocess
import time

from installation.errors import ServerError

OS_USER = "funnel-postgres"


def ordinary_user() -> str:
    """Name of the unprivileged user: our own, created if necessary, otherwise a system user. Raises ServerError."""
    for _ in range(5):
        if _user_exists(OS_USER):
            return OS_USER
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if not useradd:
            break
        home_and_shell = ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
        subprocess.run(
            [useradd, "--system", "--no-create-home", *home_and_shell, OS_USER], capture_output=True, check=False
        )
        if not _user_exists(OS_USER):
            # Another process may hold the lock of /etc/passwd.
            time.sleep(0.5)
    if _user_exists("nobody"):
        return "nobody"
    raise ServerError(
        "PostgreSQL refuses to run as root, and this machine has no other user and no useradd. Run as an ordinary "
        f"user, or create a user named {OS_USER}."
    )


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
