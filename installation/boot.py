"""Starting this installation with the machine: a systemd user unit that runs supervisord."""

import hashlib
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from funnel import settings
from installation import supervision

UNIT = """\
# Written by `make service`; starts what ran when the machine went down.
[Unit]
Description=Funnel warehouse in {home}
After=network-online.target

[Service]
Type=exec
ExecStart={command}
# supervisord starts its processes again, and systemd starts supervisord.
Restart=on-failure
RestartSec=5
TimeoutStopSec=180

[Install]
WantedBy=default.target
"""


def write_unit() -> list[str]:
    """Write the unit and enable it if systemd runs here; returns what was done and what is left to do, as lines."""
    unit = unit_file()
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text(unit_text())
    lines = [f"written: {unit}"]
    if not _has_systemd():
        return [
            *lines,
            "not enabled: systemd does not run here. Where it does, run `make service` again; elsewhere, have the",
            f"machine run this at its start, as {_user()}: {shlex.join(supervision.command())}",
        ]
    for command in (["daemon-reload"], ["enable", unit.name]):
        subprocess.run(["systemctl", "--user", *command], check=True)  # noqa: S607
    return [
        *lines,
        "enabled: from the next boot on, systemd starts what ran when the machine went down",
        f"a user's units run without a login only after: sudo loginctl enable-linger {_user()}",
    ]


def unit_file() -> Path:
    """Path of the unit; each home has its own."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    digest = hashlib.sha256(str(settings.read().home).encode()).hexdigest()[:8]
    return folder / f"funnel-{digest}.service"


def unit_text() -> str:
    """The unit. systemd has rules of its own for quotes, % and $."""
    home = str(settings.read().home).replace("%", "%%")
    return UNIT.format(home=home, command=" ".join(_quoted(part) for part in supervision.command()))


def _quoted(part: str) -> str:
    for character, replacement in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        part = part.replace(character, replacement)
    return f'"{part}"'


def _has_systemd() -> bool:
    """True if systemd manages this user's services."""
    systemctl = shutil.which("systemctl")
    if not systemctl:
        return False
    asked = [systemctl, "--user", "show-environment"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _user() -> str:
    import getpass

    return getpass.getuser()
