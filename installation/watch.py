"""Reports each process that ended by itself, and guards supervisord: its event listener, started by supervisord.

supervisord has started the process again by the time the alert is sent. Ends of one moment are one alert: without a
database all processes of Airflow end.
"""

import json
import os
import select
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from funnel import settings
from funnel.reporting import alerts
from installation import launch, supervision

STANDARD_INPUT = 0
GATHER_SECONDS = 5.0
# supervisord has tried this often to start a process.
TRIES = 3


def main() -> None:
    """Read events until supervisord is gone, and start supervisord again then. It ends the watch itself in order."""
    # The watch must outlive supervisord.
    launch.end_with_parent(0)
    gathered: list[dict[str, str]] = []
    for event in events():
        if event is None:
            report(gathered)
            gathered = []
        elif is_worth_reporting(event):
            gathered.append(event)
    # The next supervisord ends this watch when it starts its own.
    alerts.send("Supervisor ended", "supervisord ended. It is started again, with every process that it ran.")
    supervision.start_again()


def events() -> Iterator[dict[str, str] | None]:
    """The events of supervisord, by its protocol; None when none has come for a while. Ends with supervisord."""
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([STANDARD_INPUT], [], [], GATHER_SECONDS)
        if not ready:
            yield None
            continue
        header = _words(_line())
        if not header:
            return
        body = _words(os.read(STANDARD_INPUT, int(header["len"])).decode().partition("\n")[0])
        yield {"event": header["eventname"], **body}
        sys.stdout.write("RESULT 2\nOKREADY\n")
        sys.stdout.flush()


def _line() -> str:
    """One line of the unbuffered input: `select` does not see what a buffer holds."""
    found = b""
    while not found.endswith(b"\n"):
        byte = os.read(STANDARD_INPUT, 1)
        if not byte:
            return ""
        found += byte
    return found.decode()


def _words(text: str) -> dict[str, str]:
    return dict(word.split(":", 1) for word in text.split() if ":" in word)  # type: ignore[misc]


def is_worth_reporting(event: dict[str, str]) -> bool:
    """True for a process that ended by itself, and for one that does not start even after some tries."""
    if event["event"] == "PROCESS_STATE_BACKOFF":
        return int(event["tries"]) == TRIES
    # PostgreSQL ends in order when its port changes.
    return not (event["processname"] == "postgresql" and event["expected"] == "1")


def report(gathered: list[dict[str, str]]) -> None:
    """Send one alert for the events and append them to `<home>/logs/ended.jsonl`."""
    if not gathered:
        return
    at = datetime.now(UTC).isoformat(timespec="seconds")
    with (settings.read().home / "logs" / "ended.jsonl").open("a") as file:
        for event in gathered:
            file.write(json.dumps({"at": at, "process": event["processname"], "event": event["event"]}) + "\n")
    alerts.send(*alert(gathered))


def alert(gathered: list[dict[str, str]]) -> tuple[str, str]:
    """Title and text of the alert for some events."""
    stuck = sorted({event["processname"] for event in gathered if event["event"] == "PROCESS_STATE_BACKOFF"})
    ended = sorted({event["processname"] for event in gathered} - set(stuck))
    lines = []
    if ended:
        lines.append(
            f"{', '.join(ended)} ended and was started again."
            if len(ended) == 1
            else f"{', '.join(ended)} ended and were started again."
        )
        lines.append("Running tasks are repeated by their retries; no data is lost.")
    for name in stuck:
        lines.append(f"{name} does not start after {TRIES} tries; further tries follow at growing intervals.")
    logs = ", ".join(str(supervision.log_file(name)) for name in [*stuck, *ended])
    lines.append(f"See {logs}; `make status` shows what runs.")
    return (
        "Process does not start: " + ", ".join(stuck) if stuck else "Process ended: " + ", ".join(ended),
        "\n".join(lines),
    )


if __name__ == "__main__":
    main()
