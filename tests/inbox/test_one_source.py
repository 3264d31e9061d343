"""One source of an inbox never stops another: a failing source is held back by itself, earlier rows stay."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from funnel import ledger, settings, warehouse
from funnel.contract import Connection, Window
from funnel.gate import acceptance, deliveries, suites
from funnel.gate.errors import GateClosed, RateMissing
from funnel.ingest import landing, notes, withdrawal
from funnel.ingest.errors import WithdrawalRefused
from funnel.sources import SOURCES, files
from installation import exports

FILES = SOURCES["files"]
DAY = date(2026, 11, 29)


def ask(query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.dsn("admin")) as connection:
        return connection.execute(query.encode()).fetchall()


@dataclass
class Inbox:
    """A folder, and the tasks of a run for one source of it."""

    folder: Path
    runs: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    def write(self, source: str, manifest: str, **contents: str) -> None:
        place = self.folder / source
        place.mkdir(exist_ok=True)
        (place / "manifest.yml").write_text(f"source: {source}\n{manifest}")
        for name, text in contents.items():
            (place / f"{name}.csv").write_text(text)

    def take(self, source: str, run_id: str | None = None) -> dict[str, int]:
        run_id = run_id or f"run_{next(self.runs)}"
        connection = Connection(source, str(self.folder), extra={})
        reads = []
        for stream in FILES.streams:
            if stream.name in files.entities(str(self.folder))[source]:
                connection.extra["known"] = notes.known_files("files", source, stream.name)
                window = Window(DAY, DAY + timedelta(days=1))
                reads.append(landing.land(FILES, connection, stream, window, run_id, datetime.now(UTC)))
        return {result.stream: result.rows_loaded for result in acceptance.accept(reads)}


@pytest.fixture
def inbox(warehouse: str, tmp_path: Path) -> Inbox:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return Inbox(folder)


MANIFEST = """currency: USD
streams:
  - {entity: opportunities, path: deals.csv}
  - {entity: leads, path: leads.csv}
"""
GOOD = "opportunity_id,stage,created_at,closed_at,amount\n" + "".join(
    f"D{n},won,2026-01-{n:02},2026-02-{n:02},100\n" for n in range(1, 21)
)
NEGATIVE = GOOD.replace(",100\n", ",-100\n")
LEADS = "lead_id,created_at\nL1,2026-01-05 10:00:00\n"


def rows(entity: str = "opportunities") -> Mapping[str, tuple[int, Any]]:
    amount = "sum(amount)" if entity == "opportunities" else "0"
    query = f"select _connection_id, count(*), {amount} from raw.files__{entity} group by 1"
    return {source: (count, total) for source, count, total in ask(query)}


@pytest.fixture(autouse=True)
def amounts_are_critical(monkeypatch: pytest.MonkeyPatch) -> None:
    """A critical expectation that a file can fail: the product's own ones accept unusual but true rows."""
    original = suites.suite
    text = "amounts are hardly ever negative"

    def changed(name: str) -> Any:
        judged = original(name)
        if name != "raw/files":
            return judged
        warnings = judged.WARNING["opportunities"]
        critical = {"opportunities": [each for each in warnings if each.description == text]}
        other = {"opportunities": [each for each in warnings if each.description != text]}
        changes = {"CRITICAL": judged.CRITICAL | critical, "WARNING": judged.WARNING | other}
        return SimpleNamespace(**(vars(judged) | changes))

    monkeypatch.setattr(deliveries, "suite", changed)


def test_a_source_whose_check_fails_is_held_back_and_the_other_is_loaded(inbox: Inbox) -> None:
    inbox.write("acme", MANIFEST, deals=NEGATIVE, leads=LEADS)
    inbox.write("other", MANIFEST, deals=GOOD, leads=LEADS)
    with pytest.raises(GateClosed, match=r"Delivery of acme(?s:.*)amounts are hardly ever negative"):
        inbox.take("acme", "night")
    assert inbox.take("other", "night") == {"leads": 1, "opportunities": 20}
    assert rows() == {"other": (20, 2000)}
    assert rows("leads") == {"other": (1, 0)}, "a gate that fails in one stream holds back all of its source"
    assert ask("select distinct connection_id from ops.loads") == [("other",)]
    assert list(notes.held_back("files", "night")) == ["acme"]
    refused = dict(ask("select path, reason from ops.files where status = 'refused'"))
    assert refused == dict.fromkeys(("acme/deals.csv", "acme/leads.csv"), acceptance.HELD_BACK)
    with warehouse.connect("builder") as connection:
        assert deliveries.open_failures(connection) == [], "no build waits for rows that are not in raw"


def test_what_was_accepted_before_stays_when_a_correction_is_held_back(inbox: Inbox) -> None:
    inbox.write("acme", MANIFEST, deals=GOOD, leads=LEADS)
    inbox.take("acme")
    before = ask("select * from raw.files__opportunities order by opportunity_id")
    inbox.write("acme", MANIFEST, deals=NEGATIVE)
    with pytest.raises(GateClosed):
        inbox.take("acme")
    assert ask("select * from raw.files__opportunities order by opportunity_id") == before
    inbox.write("acme", MANIFEST, deals=GOOD.replace(",100\n", ",200\n"))
    assert inbox.take("acme")["opportunities"] == 20, "the repaired file is read by the next run"
    assert rows() == {"acme": (20, 4000)}


def test_a_held_back_delivery_that_is_taken_back_changes_nothing(inbox: Inbox) -> None:
    inbox.write("acme", MANIFEST, deals=GOOD, leads=LEADS)
    inbox.take("acme")
    inbox.write("acme", MANIFEST, deals=NEGATIVE)
    with pytest.raises(GateClosed):
        inbox.take("acme")
    before = ask("select opportunity_id, _load_id, amount from raw.files__opportunities order by 1")
    inbox.write("acme", MANIFEST, deals=GOOD)
    inbox.take("acme")
    assert ask("select opportunity_id, _load_id, amount from raw.files__opportunities order by 1") == before


def test_the_same_delivery_is_accepted_once(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox.write("acme", MANIFEST, deals=GOOD, leads=LEADS)
    connection = Connection("acme", str(inbox.folder), extra={})
    window = Window(DAY, DAY + timedelta(days=1))
    read = landing.land(FILES, connection, FILES.stream("leads"), window, "run", datetime.now(UTC))
    first, again = acceptance.accept([read]), acceptance.accept([read])
    assert (first[0].is_new, again[0].is_new) == (True, False)
    assert len(ask("select distinct checked_at from ops.checks")) == 1


def test_an_error_in_the_second_stream_leaves_nothing_of_the_first(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from funnel.ingest import load

    whole = load.load_into

    def breaks(connection: Any, landed: Any) -> Any:
        if landed.stream == "opportunities":
            raise psycopg.OperationalError("the server closed the connection")
        return whole(connection, landed)

    inbox.write("acme", MANIFEST, deals=GOOD, leads=LEADS)
    with monkeypatch.context() as patch:
        patch.setattr(load, "load_into", breaks)
        with pytest.raises(psycopg.OperationalError):
            inbox.take("acme")
    assert rows("leads") == {}
    assert inbox.take("acme") == {"leads": 1, "opportunities": 20}


def test_a_check_of_columns_that_nothing_fills_is_skipped_and_not_passed(inbox: Inbox) -> None:
    bare = "opportunity_id,stage,created_at\n" + "".join(f"D{n},won,2026-01-05\n" for n in range(1, 21))
    inbox.write("acme", MANIFEST, deals=bare, leads=LEADS)
    assert inbox.take("acme")["opportunities"] == 20
    skipped = ask("select expectation, passed from ops.checks where column_name like 'amount%'")
    assert skipped, "a check that was not asked is written down"
    assert {passed for _, passed in skipped} == {None}


def test_a_column_that_is_mapped_and_empty_is_still_asked_for(inbox: Inbox) -> None:
    inbox.write("acme", MANIFEST, deals=GOOD.replace(",100\n", ",\n").replace("won", "opportunity"), leads=LEADS)
    inbox.take("acme")
    [(passed,)] = ask("select passed from ops.checks where expectation = 'amounts are hardly ever negative'")
    assert passed is True


@pytest.mark.parametrize(
    ("currency", "created", "told"),
    [
        ("XAF", "2026-01-05", "XAF is needed from 2026-01-05 on, and no rate is known"),
        ("EUR", "2019-06-01", "EUR is needed from 2019-06-01 on, and the first known rate is from 2024-01-01"),
    ],
)
def test_a_source_without_a_rate_is_held_back_until_the_rate_comes(
    inbox: Inbox, currency: str, created: str, told: str
) -> None:
    manifest = MANIFEST.replace("USD", currency)
    deals = f"opportunity_id,stage,created_at,amount\nD1,opportunity,{created},100\n"
    inbox.write("acme", manifest, deals=deals, leads=LEADS)
    with pytest.raises(RateMissing, match=told) as held:
        inbox.take("acme", "run")
    assert "exchange_rates" in str(held.value), "the message says how to give the rate"
    rates = f"rate_date,base_currency,rate\n2019-01-01,{currency},1.5\n"
    inbox.write("rates", "streams: [{entity: exchange_rates, path: rates.csv}]\n", rates=rates)
    inbox.take("rates", "run")
    assert inbox.take("acme", "run")["opportunities"] == 1
    assert notes.held_back("files", "run") == {}, "what was held back and then accepted is no longer named"


def test_money_in_the_reporting_currency_or_of_nothing_needs_no_rate(inbox: Inbox) -> None:
    header = "opportunity_id,stage,created_at,amount,currency_code\n"
    deals = header + "D1,opportunity,1999-01-05,100,USD\nD2,lost,2026-01-05,,XAF\n"
    inbox.write("acme", MANIFEST, deals=deals, leads=LEADS)
    assert inbox.take("acme")["opportunities"] == 2


# Withdrawal ----------------------------------------------------------------------------------------------------------


def test_a_withdrawn_source_leaves_raw_and_is_read_again_when_it_returns(inbox: Inbox) -> None:
    for source in ("acme", "other"):
        inbox.write(source, MANIFEST, deals=GOOD, leads=LEADS)
        inbox.take(source)
    assert withdrawal.count("acme") == {"leads": 1, "opportunities": 20}
    assert withdrawal.withdraw("acme") == {"leads": 1, "opportunities": 20}
    assert rows() == {"other": (20, 2000)}
    assert ledger.has_unpublished_loads()
    assert withdrawal.sources() == ["other"], "nothing waits for a source that was withdrawn"
    with pytest.raises(WithdrawalRefused, match="Loaded are: other"):
        withdrawal.withdraw("acme")
    assert inbox.take("acme") == {"leads": 1, "opportunities": 20}
    assert rows()["acme"] == (20, 2000)


def test_a_source_with_a_refused_file_is_withdrawn_and_the_refusal_stays_on_record(inbox: Inbox) -> None:
    inbox.write("acme", MANIFEST, deals=GOOD, leads=LEADS)
    inbox.take("acme")
    inbox.write("acme", MANIFEST, deals=GOOD.replace("won", "wonderful"))
    inbox.take("acme")
    assert ask("select path, rows_read from ops.files where status = 'refused'") == [("acme/deals.csv", 20)]
    assert withdrawal.withdraw("acme") == {"leads": 1, "opportunities": 20}
    assert rows() == {}
    assert ask("select status, count(*) from ops.files group by 1 order by 1") == [("refused", 1), ("withdrawn", 2)]
    inbox.write("acme", MANIFEST, deals=GOOD)
    assert inbox.take("acme") == {"leads": 1, "opportunities": 20}


def test_a_source_is_withdrawn_only_when_its_manifest_is_gone_and_its_owner_agrees(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FUNNEL_INBOX", str(inbox.folder))
    inbox.write("acme", MANIFEST, deals=GOOD, leads=LEADS)
    inbox.take("acme")
    with pytest.raises(WithdrawalRefused, match=r"still holds acme/manifest\.yml"):
        exports.withdraw("acme", is_confirmed=True)
    (inbox.folder / "acme" / "manifest.yml").unlink()
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert exports.withdraw("acme") == 1
    assert rows() == {"acme": (20, 2000)}, "who does not agree loses nothing"
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert exports.withdraw("acme") == 0
    assert "opportunities                  20" in capsys.readouterr().out
    assert rows() == {}


# Five sources, one of them broken ------------------------------------------------------------------------------------

FIVE = ("north", "south", "east", "west", "five")


def run_of(inbox: Inbox, run_id: str) -> list[str]:
    """The tasks of a run for the whole inbox; returns the message of `report_refused_files`."""
    found, refused = files.connections(str(inbox.folder))
    errors = {}
    for source in found:
        try:
            inbox.take(source, run_id)
        except Exception as error:
            errors[source] = str(error)
    held_back = {**errors, **notes.held_back("files", run_id)}
    return [*refused, *notes.refused_files("files", run_id), *(f"{name}: {why}" for name, why in held_back.items())]


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def damaged(folder: Path) -> None:
    (folder / "deals.csv").write_bytes(b"\x1f\x8b\x08\x00not a gzip" + bytes(range(256)) * 40)


AMBIGUOUS = "opportunity_id,stage,created_at,amount\nD1,opportunity,01/02/2026,5\nD2,opportunity,03/04/2026,5\n"
WAYS: dict[str, tuple[Callable[[Path], None], str]] = {
    "bad yaml": (replaced("manifest.yml", "streams:", "streams: ]["), r"five/manifest\.yml"),
    "unknown entity": (replaced("manifest.yml", "leads, path", "leeds, path"), r"five/manifest\.yml.*leeds"),
    "missing column": (replaced("deals.csv", "opportunity_id", "number"), r"five/deals\.csv.*opportunity_id"),
    "ambiguous dates": (lambda folder: (folder / "deals.csv").write_text(AMBIGUOUS) and None, r"five/deals\.csv"),
    "too many bad rows": (replaced("deals.csv", ",won,", ",married,"), r"five/deals\.csv.*bad"),
    "damaged file": (damaged, r"five/deals\.csv"),
    "failed check": (replaced("deals.csv", ",100\n", ",-100\n"), "five.*amounts are hardly ever negative"),
}


# A manifest, rows and a check: the three places of the path that hold a source back. `make test-all` tries every way.
DIFFERENT = ("bad yaml", "too many bad rows", "failed check")


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[] if way in DIFFERENT else pytest.mark.soak, id=way) for way in WAYS]
)
def test_of_five_sources_one_is_broken_and_four_are_loaded(inbox: Inbox, way: str) -> None:
    for source in FIVE:
        inbox.write(source, MANIFEST, deals=GOOD, leads=LEADS)
    break_it, names = WAYS[way]
    break_it(inbox.folder / "five")
    told = "\n".join(run_of(inbox, "first"))
    assert re.search(names, told, re.DOTALL), told
    assert not any(other in told for other in FIVE[:4])
    assert {source: rows()[source] for source in FIVE[:4]} == dict.fromkeys(FIVE[:4], (20, 2000))
    assert "five" not in rows()
    for source in FIVE[:4]:
        inbox.write(source, MANIFEST, deals=GOOD.replace(",100\n", ",300\n"))
    assert run_of(inbox, "second"), "the run stays red as long as the source is broken"
    assert {source: rows()[source] for source in FIVE[:4]} == dict.fromkeys(FIVE[:4], (20, 6000))
    inbox.write("five", MANIFEST, deals=GOOD, leads=LEADS)
    assert run_of(inbox, "third") == [], "repairing it ends the red run"
    assert rows()["five"] == (20, 2000)
