"""Undo that stays: a roll-back returns readers to the publication before and holds publication; `resume` releases it.

Each is one transaction. A roll-back does not wait for a build that is under way: it reads and changes `bi` only.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel import ledger, warehouse
from funnel.publication import contracts, holds, publication
from funnel.publication.errors import PublishError
from funnel.publication.holds import Hold
from funnel.publication.mart_tables import Mart, published


@dataclass(frozen=True)
class RollBack:
    """A finished roll-back. `rows_changed` maps each mart to {"shown": rows brought back, "withdrawn": n}."""

    withdrawn_id: int
    shown: dict[str, Any]
    rows_changed: dict[str, dict[str, int]]
    hold: Hold | None

    def __str__(self) -> str:
        rows = {kind: sum(each[kind] for each in self.rows_changed.values()) for kind in ("shown", "withdrawn")}
        moved = sum(any(each.values()) for each in self.rows_changed.values())
        counted = (
            f"{rows['withdrawn']:,} rows withdrawn and {rows['shown']:,} brought back in {moved} of "
            f"{len(self.rows_changed)} marts"
            if self.rows_changed
            else "this run had done it already"
        )
        shown = f"publication {self.shown['publication_id']} of {holds.local(self.shown['published_at'])}"
        return (
            f"Readers see {shown} again; publication {self.withdrawn_id} is withdrawn ({counted}).\n"
            f"Publication is {self.hold or 'released since'}. "
            "Builds go on and wait; `make resume` publishes the newest audited one."
        )


@dataclass(frozen=True)
class Resumption:
    """A finished `resume`: the hold that ended, the build that was published at once, or else what comes next."""

    hold: Hold | None
    published: publication.Publication | None
    next_step: str

    def __str__(self) -> str:
        released = f"Publication is released; it was {self.hold}." if self.hold else "Publication was not held."
        return f"{released}\n{self.published or self.next_step}"


def roll_back(by: str, reason: str | None = None, requested_as: str | None = None) -> RollBack:
    """Return readers to exactly the rows of the publication before the one in effect, and hold publication.

    `requested_as` names a request, such as an Airflow run: repeated, it changes nothing. The next build will be a full
    one. Raises PublishError if there is no earlier publication.
    """
    with warehouse.connect("publisher") as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (ledger.PUBLICATION_LOCK,))
        current = ledger.publication_in_effect(connection)
        done = connection.execute(
            "select publication_id from ops.holds where requested_as = %s", (requested_as,)
        ).fetchone()
        if done is None:
            if current is None or current["previous_id"] is None:
                raise PublishError("There is no earlier publication to return to; readers see what they saw.")
            identity = current["publication_id"]
            rows_changed = {mart.name: _withdraw(connection, mart, identity) for mart in published(connection)}
            connection.execute(
                """
                update ops.publications
                set reverted_at = clock_timestamp(), reverted_after_build_id = ops.newest_build_id()
                where publication_id = %s
                """,
                (identity,),
            )
            holds.place(connection, identity, by, reason, requested_as)
        else:
            identity, rows_changed = done[0], {}
        shown = ledger.publication_in_effect(connection)
        hold = holds.in_effect(connection)
    return RollBack(identity, shown or {}, rows_changed, hold)


def _withdraw(connection: psycopg.Connection[Any], mart: Mart, publication_id: int) -> dict[str, int]:
    """Move what a publication brought to the history, and what it replaced back from there."""
    names = mart.identifiers
    # Shown and withdrawn by the same publication: an empty interval, which reports of the past ignore.
    withdrawn = connection.execute(
        sql.SQL(
            """
            with withdrawn as (delete from {shown} where publication_id = %(id)s returning {columns})
            insert into {history} ({columns}, publication_id, replaced_by)
            select {columns}, %(id)s, %(id)s from withdrawn
            """
        ).format(**names),
        {"id": publication_id},
    ).rowcount
    contracts.admit_returning_rows(connection, mart, publication_id)
    shown = connection.execute(
        sql.SQL(
            """
            with restored as (
                delete from {history} where replaced_by = %(id)s and publication_id <> %(id)s
                returning {columns}, publication_id
            )
            insert into {shown} ({columns}, publication_id) select {columns}, publication_id from restored
            """
        ).format(**names),
        {"id": publication_id},
    ).rowcount
    return {"shown": shown, "withdrawn": withdrawn}


def resume(by: str) -> Resumption:
    """Release publication, and publish the newest audited build if it waits and no build is under way."""
    with warehouse.connect("publisher") as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (ledger.PUBLICATION_LOCK,))
        hold = holds.release(connection, by)
        newest = connection.execute("select build_id, status from ops.builds order by build_id desc limit 1").fetchone()
        waiting = connection.execute("select build_id from ops.waiting_build").fetchone()
    if waiting:
        try:
            return Resumption(hold, publication.publish(waiting[0]), "")
        except PublishError as error:
            return Resumption(hold, None, str(error))
    if newest and newest[1] == "building":
        return Resumption(
            hold, None, f"Build {newest[0]} is under way: it is published when it has passed its audit in its run."
        )
    return Resumption(
        hold, None, "No audited build waits: the next one is published. To start it now, trigger `build_funnel`."
    )
