"""Holds: after a roll-back nothing is published until publication is released (BLD-12)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from funnel import ledger, settings, warehouse
from funnel.publication.errors import PublicationHeld

NO_REASON = "no reason given"
# An alert about waiting builds is repeated after this time.
REMINDER_HOURS = 20


@dataclass(frozen=True)
class Hold:
    """The roll-backs that are not released: the moment of the first, all persons and all reasons."""

    since: datetime
    by: str
    reason: str

    def __str__(self) -> str:
        return f"held by {self.by} since {local(self.since)} because: {self.reason}"


def in_effect(connection: psycopg.Connection[Any]) -> Hold | None:
    """The hold on publication, or None."""
    row = connection.execute("select held_since, held_by, held_reason from ops.hold_in_effect").fetchone()
    return Hold(*row) if row else None


def require_none(connection: psycopg.Connection[Any], build_id: int) -> None:
    """Raises PublicationHeld while publication is held."""
    hold = in_effect(connection)
    if hold:
        raise PublicationHeld(
            f"Build {build_id} waits: publication is {hold}.\n"
            "Readers keep what they see; `make resume` publishes the newest audited build."
        )


def place(
    connection: psycopg.Connection[Any], publication_id: int, by: str, reason: str | None, requested_as: str | None
) -> None:
    """Hold publication because a publication was rolled back."""
    connection.execute(
        "insert into ops.holds (publication_id, held_by, reason, requested_as) values (%s, %s, %s, %s)",
        (publication_id, by, " ".join((reason or "").split()) or NO_REASON, requested_as),
    )


def release(connection: psycopg.Connection[Any], by: str) -> Hold | None:
    """Release publication; returns the hold that ended, or None if it was not held."""
    hold = in_effect(connection)
    connection.execute(
        "update ops.holds set released_by = %s, released_at = clock_timestamp() where released_at is null", (by,)
    )
    return hold


def is_reminder_due() -> bool:
    """True for the first build that waits under a hold, and then once a day; the caller sends the alert."""
    with warehouse.connect("publisher") as connection:
        return bool(
            connection.execute(
                """
                update ops.holds set reminded_at = clock_timestamp()
                where released_at is null
                    and not exists (
                        select from ops.holds as reminded
                        where reminded.released_at is null
                            and reminded.reminded_at > clock_timestamp() - make_interval(hours => %s)
                    )
                """,
                (REMINDER_HOURS,),
            ).rowcount
        )


def waiting_words() -> str | None:
    """Why the newest audited build is not published, if it holds everything that was loaded; else None."""
    with warehouse.connect("publisher") as connection:
        row = connection.execute("select build_id, approval_reasons from ops.waiting_build").fetchone()
        hold = in_effect(connection)
    if row is None or not (hold or row[1]) or ledger.has_unbuilt_loads():
        return None
    if hold:
        return f"Build {row[0]} is audited and waits: publication is {hold}. `make resume` publishes it."
    return f"Build {row[0]} is audited and waits for approval: {'; '.join(row[1])}. `make publish` approves it."


def local(moment: datetime) -> str:
    """A moment in the reporting time zone, as 30 Nov 2026, 02:48."""
    return f"{moment.astimezone(ZoneInfo(settings.read().reporting_timezone)):%-d %b %Y, %H:%M}"
