"""Whatever a vendor sends, a record is either loaded or quarantined, and the others are loaded as without it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.contract import Connection, Source, Stream, Window, raw_table
from funnel.ingest import json_rows, landing, load
from funnel.ingest.errors import LandingError
from funnel.rest.errors import BodyError
from funnel.sources import SOURCES
from tests.sources.odd_bodies import Sample, damaged, samples, struck
from tests.vendors import Company

VENDORS = [name for name in SOURCES if name != "files"]
FEW = 2_000
# Bodies of one load; PostgreSQL takes the records of all of them.
AT_ONCE = 250
# In a report, a row with one filled cell is a line about the report; a row without a value is not a quotation.
MAY_VANISH = {"microsoft_ads", "exchange_rates"}


def lines(sample: Sample, bodies: list[bytes]) -> tuple[list[str], json_rows.Tally]:
    tally = json_rows.Tally()
    source = SOURCES[sample.source]
    texts = json_rows.lines(source, sample.stream, "odd", sample.window, bodies, b"secret", "\n", tally)
    return "".join(texts).split("\n")[:-1], tally


def check_struck(sample: Sample, calm: list[str], body: bytes, victim: int) -> None:
    """One record is changed: every other one gives the same line as before."""
    found, tally = lines(sample, [body])
    others = calm[:victim] + calm[victim + 1 :]
    assert len(found) == tally.readable
    lost = len(calm) - tally.readable - tally.quarantined
    assert lost == 0 or (lost == 1 and sample.source in MAY_VANISH)
    kept = found[:victim] + found[victim + 1 :] if tally.readable == len(calm) else found
    assert kept == others


def check_damaged(sample: Sample, body: bytes) -> bool:
    """A body is changed: all of it is accounted for, or it is refused as a whole."""
    try:
        found, tally = lines(sample, [body])
    except BodyError:
        return False
    assert len(found) == tally.readable
    assert tally.readable + tally.quarantined == len(list(SOURCES[sample.source].records(sample.stream, body)))
    return True


def read(sample: Sample, connection_id: str, bodies: list[bytes], hour: int) -> landing.LandedRead:
    def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
        yield from bodies

    source: Source = replace(SOURCES[sample.source], fetch=fetch)
    connection = Connection(connection_id, "http://vendor.invalid")
    moment = datetime(2026, 11, 23, hour, tzinfo=UTC)
    return landing.land(source, connection, sample.stream, sample.window, f"run {hour}", moment)


def stored(sample: Sample, connection_id: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    table = raw_table(SOURCES[sample.source], sample.stream)
    with psycopg.connect(settings.dsn("loader"), row_factory=psycopg.rows.dict_row) as connection:
        found = connection.execute(
            f"select * from raw.{table} where _connection_id = %s order by _fetched_at".encode(), (connection_id,)
        ).fetchall()
    hidden = {"_connection_id", "_load_id", "_fetched_at", "_record_key"}
    return {
        tuple(row[name] for name in sample.stream.key): {name: row[name] for name in row if name not in hidden}
        for row in found
    }


def check_load(sample: Sample, bodies: list[bytes], name: str) -> load.LoadResult:
    """A load of bodies with and without odd records gives the same good rows."""
    load.load(read(sample, f"calm {name}", [sample.body], 1))
    result = load.load(read(sample, f"odd {name}", [*bodies, sample.body], 2))
    assert result.rows_read == result.rows_loaded + result.rows_quarantined
    calm, odd = stored(sample, f"calm {name}"), stored(sample, f"odd {name}")
    newest = sample.stream.modified
    for key, row in calm.items():
        # A record whose last change was moved to a later time by the mutation is the newest one.
        assert odd[key] == row or (newest and odd[key][newest] > row[newest])
    return result


def fuzz(source: str, company: Company, times: int, in_database: int) -> str:
    random = Random(f"{source} {times}")
    of_source = samples(company, source)
    refused = 0
    waiting: dict[int, list[bytes]] = {number: [] for number in range(len(of_source))}
    unreadable: list[tuple[Sample, bytes]] = []
    calm = [lines(sample, [sample.body])[0] for sample in of_source]
    assert all(len(found) == len(sample.records) for sample, found in zip(of_source, calm, strict=True))
    for time in range(times):
        place = time % len(of_source)
        sample = of_source[place]
        if time % 5 == 4:
            body = damaged(sample, random)
            if not check_damaged(sample, body):
                refused += 1
                unreadable.append((sample, body))
                continue
        else:
            body, victim = struck(sample, random)
            check_struck(sample, calm[place], body, victim)
        if len(waiting[place]) < in_database // len(of_source):
            waiting[place].append(body)
    quarantined = noted = 0
    for place, bodies in waiting.items():
        for start in range(0, len(bodies), AT_ONCE):
            result = check_load(of_source[place], bodies[start : start + AT_ONCE], f"{place} {start}")
            quarantined += result.rows_quarantined
            noted += sum(values for _, _, values in result.noted)
    for number, (sample, body) in enumerate(unreadable[:3]):
        with pytest.raises(LandingError, match=r"000001\.json\.zst cannot be read: record \d+: the body "):
            load.load(read(sample, f"refused {number}", [body], 3))
    return (
        f"{times:,} bodies: 0 failed loads; {quarantined:,} rows quarantined, {noted:,} values noted, "
        f"{refused:,} bodies refused by name"
    )


@pytest.mark.parametrize("source", VENDORS)
def test_odd_bodies_cost_what_is_odd(
    warehouse: str, company: Company, source: str, outcome: Callable[[str, str, str], None]
) -> None:
    outcome("fuzz of bodies", source, fuzz(source, company, FEW, FEW // 4))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("source", VENDORS)
def test_many_odd_bodies_cost_what_is_odd(
    warehouse: str, company: Company, source: str, outcome: Callable[[str, str, str], None]
) -> None:
    outcome("fuzz of bodies, long", source, fuzz(source, company, 20_000, 20_000))
