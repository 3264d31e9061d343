"""`make ingest … PLAN=1`: what reading days would ask of a vendor and may change, as far as the ledger knows.

Nothing is read and nothing is stored.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg

from funnel import settings, warehouse
from funnel.contract import Source, Stream
from funnel.sources import SOURCES

QUERY = """
    with reads as (
        select
            sum(cardinality(body_hashes)) filter (where body_hashes is not null) as responses,
            sum(bytes) filter (where body_hashes is not null) as bytes,
            sum(window_to - window_from) filter (where body_hashes is not null) as days,
            max(fetched_at) as any_read_at
        from ops.loads
        where source = %(source)s and connection_id = %(connection)s and stream = %(stream)s
    ),
    known as (
        select count(distinct date_day) as days_known, max(fetched_at) as last_read_at
        from ops.loaded_days
        where
            source = %(source)s and connection_id = %(connection)s and stream = %(stream)s
            and date_day >= %(first)s and date_day <= %(last)s
    ),
    again as (
        select count(*) as days_again, count(*) filter (where rows_changed > 0) as days_moved
        from ops.day_changes
        where
            source = %(source)s and connection_id = %(connection)s and stream = %(stream)s and age_days >= %(age)s
    )
    select * from reads cross join known cross join again
"""


@dataclass(frozen=True)
class Forecast:
    """What reading `days` of one stream is expected to be. `responses` and `size` (bytes) are None if none was read.

    `days_known` of the days were read before, last at `last_read_on`; for a stream that has no days of its own
    (`is_dated` is false) that is its last read of any day. Of `days_again` days of at least that age which were read
    again, `days_moved` had changed.
    """

    connection_id: str
    stream: str
    is_dated: bool
    days: int
    responses: int | None
    size: int | None
    days_known: int
    last_read_on: date | None
    days_again: int
    days_moved: int


def forecast(source: Source, first: date, last: date) -> list[Forecast]:
    """One forecast for each connection and stream of a source; both days are included."""
    with warehouse.connect("bi_reader") as connection:
        return [
            _of(connection, source, stream, connection_id, first, last)
            for connection_id in settings.connection_ids(source.name)
            for stream in source.streams
        ]


def _of(
    connection: psycopg.Connection[Any], source: Source, stream: Stream, connection_id: str, first: date, last: date
) -> Forecast:
    days = (last - first).days + 1
    # A day has the age 0 on the morning after it.
    age = (settings.now().date() - last).days - 1
    asked = {"source": source.name, "connection": connection_id, "stream": stream.name}
    [found] = warehouse.dicts(connection, QUERY, asked | {"first": first, "last": last, "age": age})
    read = int(found["days"] or 0)
    read_at = found["last_read_at" if stream.kind == "dated" else "any_read_at"]
    return Forecast(
        connection_id=connection_id,
        stream=stream.name,
        is_dated=stream.kind == "dated",
        days=days,
        responses=-(-int(found["responses"]) * days // read) if read else None,
        size=int(found["bytes"]) * days // read if read else None,
        days_known=found["days_known"],
        last_read_on=read_at.date() if read_at else None,
        days_again=found["days_again"],
        days_moved=found["days_moved"],
    )


def show(name: str, first: date, last: date) -> None:
    """Print what reading these days of a source, both included, would ask and may change."""
    print("\n".join(lines(SOURCES[name], first, last)))


def lines(source: Source, first: date, last: date) -> list[str]:
    """The forecast as text."""
    days = (last - first).days + 1
    said = [f"{source.name}, {first} to {last}: {days} days in one run. Nothing has been read."]
    if source.is_inbox:
        return [
            *said,
            "Files are read as their manifests say, not by days: `make inbox-check` shows what they would load.",
        ]
    for each in forecast(source, first, last):
        said.append(f"  {each.connection_id} {each.stream}: {_cost(each)}; {_known(each)}")
    oldest = settings.now().date() - timedelta(days=source.restatement_days)
    if last < oldest:
        said.append(f"The vendor changes days for {source.restatement_days} days; all of these are older.")
    else:
        said.append(f"The vendor still changes days from {oldest} on ({source.restatement_days} days).")
    said.append("After the load `make plan` shows what a build of it would change in every mart.")
    return said


def _cost(each: Forecast) -> str:
    if each.responses is None:
        return "requests unknown, since it was never read"
    return f"about {each.responses:,} response{'s' if each.responses > 1 else ''}, {(each.size or 0) / 1e6:,.1f} MB"


def _known(each: Forecast) -> str:
    if not each.is_dated:
        return f"records changed in these days; last read on {each.last_read_on}" if each.last_read_on else "never read"
    if not each.days_known:
        return "no day was read before: all rows are new"
    known = f"{each.days_known} of {each.days} days were read before, last on {each.last_read_on}"
    if not each.days_again:
        return f"{known}; no day of this age was read twice yet, so what moves is unknown"
    return (
        f"{known}; of {each.days_again} days of this age or older that were read again, {each.days_moved} had changed"
    )
