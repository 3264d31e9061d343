"""`make record`: its fixtures name no person, contain no secret and replay to the same rows."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from authoring import recording
from authoring.recording import RecordingError
from authoring.scrubbing import Scrubber
from funnel import cli, logins, settings
from funnel.contract import Connection, Window
from funnel.ingest import kept_logins
from funnel.rest import client
from funnel.rest.accounts import bodies as bodies_of
from funnel.sources import SOURCES
from installation import airflow_setup
from sandbox import credentials, process
from tests.vendors import Company

WINDOW = Window(date(2026, 11, 20), date(2026, 11, 21))
VENDORS = [source for source in SOURCES.values() if not source.is_inbox]
KEY = b"a key of these tests"


@pytest.fixture(autouse=True)
def person_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))


def rows_of(source: Any, stream: Any, bodies: Any) -> list[dict[str, Any]]:
    return [row for body in bodies for row in source.records(stream, body)]


def shape(value: Any) -> Any:
    """The kinds of values in a structure: a substitute may differ in letters, not in kind."""
    if isinstance(value, dict):
        return {name: shape(below) for name, below in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def people_of(company: Company) -> set[str]:
    """Every address, name and number that identifies a person."""
    fields = (
        "email",
        "Email",
        "firstname",
        "lastname",
        "phone",
        "FirstName",
        "LastName",
        "Phone",
        "firstName",
        "lastName",
    )
    tables = [*company.scenario.hubspot.values(), *company.scenario.salesforce.values(), company.scenario.shop.orders]  # type: ignore[union-attr]
    texts = {
        str(state.fields[name])
        for table in tables
        for state in table.snapshot(company.now)
        for name in fields
        if state.fields.get(name)
    }
    texts |= {state.fields["Name"] for state in company.scenario.salesforce["User"].snapshot(company.now)}
    return {text for text in texts if len(text) > 3}


SECRETS = {str(value) for name, value in vars(credentials).items() if name.endswith(("_TOKEN", "_SECRET"))}


@pytest.mark.parametrize("source", VENDORS, ids=lambda source: source.name)
def test_a_recording_names_no_person_and_replays_to_the_same_rows(
    company: Company, tmp_path: Path, slept: list[float], source: Any
) -> None:
    connection = company.connection(source.name)
    paths = recording.record(source, connection, WINDOW, tmp_path / "fixtures")
    assert [path.stem for path in paths] == [stream.name for stream in source.streams]
    text = "".join(path.read_text() for path in paths)
    words = set(text.replace('"', " ").replace(",", " ").replace("&", " ").replace("=", " ").split())
    people = people_of(company)
    assert len(people) > 1000
    assert {each for each in people if "@" in each and each in text} == set()
    assert (people & words) - {"Name"} == set()
    assert len(SECRETS) > 5
    assert {secret for secret in SECRETS if secret in text} == set()
    assert connection.base_url.removeprefix("http://") not in text
    assert connection.password is None or connection.password not in text
    assert not {"authorization", "cookie", "set-cookie", "x-shopify-access-token"} & {
        name for path in paths for each in recording.read(path)["exchanges"] for name in each["request"]["headers"]
    }
    seen: dict[Any, Any] = {}
    count = 0
    for path in paths:
        stream = source.stream(path.stem)
        original = rows_of(source, stream, bodies_of(source.fetch(connection, stream, WINDOW)))
        replayed = rows_of(source, stream, recording.replay(source, recording.read(path), connection))
        if recording.read(path)["left_out"] == 0:
            assert [shape(row) for row in replayed] == [shape(row) for row in original]
        assert bool(replayed) is bool(original)
        assert [shape(row) for row in replayed[-1:]] == [shape(row) for row in original[-1:]]
        # Joins survive: an id has the same substitute everywhere, and no two ids share one.
        for column in stream.columns:
            if column.name.endswith("_id"):
                for before, after in zip(original, replayed, strict=recording.read(path)["left_out"] == 0):
                    was, becomes = before, after
                    for part in column.path.split("."):
                        was, becomes = (one.get(part) if isinstance(one, dict) else None for one in (was, becomes))
                    if was is not None and recording.read(path)["left_out"] == 0:
                        assert seen.setdefault(str(was)[:15], str(becomes)[:15]) == str(becomes)[:15]
                        count += 1
    # Rates have no ids.
    assert count > 0 or source.name == "exchange_rates"
    assert len(set(seen.values())) == len(seen)


def test_of_a_long_list_the_first_two_pages_and_the_last_are_kept(company: Company, tmp_path: Path) -> None:
    company.handle.set(google_page_size=1)
    source, connection = SOURCES["google_ads"], company.connection("google_ads")
    stats, _ = recording.record(source, connection, WINDOW, tmp_path)
    fixture = recording.read(stats)
    assert fixture["left_out"] > 0
    stream = source.stream("campaign_stats")
    original = rows_of(source, stream, bodies_of(source.fetch(connection, stream, WINDOW)))
    kept = rows_of(source, stream, recording.replay(source, fixture, connection))
    assert kept[0] == original[0]
    assert kept[-1] == original[-1]
    assert len(kept) < len(original)


def test_a_request_that_was_not_recorded_is_reported(company: Company, tmp_path: Path) -> None:
    source, connection = SOURCES["meta_ads"], company.connection("meta_ads")
    insights, *_ = recording.record(source, connection, WINDOW, tmp_path)
    fixture = recording.read(insights)
    fixture["exchanges"].pop()
    with pytest.raises(RecordingError, match="was not recorded"):
        list(recording.replay(source, fixture, connection))


RECORD = {
    "id": "151",
    "firstname": "Augusta",
    "lastname": "Lovelace",
    "phone": "+49 30 1234567",
    "nickname_of_dog": "Babbage Junior",
    "lifecyclestage": "lead",
    "utm_campaign": "Brand Search",
    "notes": "Called Lovelace under +49 30 1234567, writes from Augusta@Analytical.example.org",
    "associatedcompanyid": "5000821",
    "properties": {"email": "augusta@analytical.example.org", "createdate": "2026-10-02T09:50:43.000Z"},
    "history": {"email": [{"value": "augusta@old.example.org", "timestamp": "2026-10-02"}]},
    "paging": {"next": {"link": "https://api.hubapi.com/x?after=151&access_token=pat-eu1-secret"}},
}


def scrub(record: dict[str, Any], source: str = "hubspot") -> dict[str, Any]:
    scrubber = Scrubber(SOURCES[source], ["pat-eu1-secret"], KEY)
    stored = scrubber.body(json.dumps(record).encode())
    found: dict[str, Any] = json.loads(scrubber.sweep(json.dumps(stored["json"])))
    return found


def test_what_is_personal_goes_and_what_the_business_means_stays() -> None:
    scrubbed = scrub(RECORD)
    text = json.dumps(scrubbed).casefold()
    for personal in ("augusta", "lovelace", "1234567", "babbage", "analytical", "old.example", "5000821", "pat-eu1"):
        assert personal not in text, personal
    assert (scrubbed["lifecyclestage"], scrubbed["utm_campaign"]) == ("lead", "Brand Search")
    assert scrubbed["properties"]["createdate"] == "2026-10-02T09:50:43.000Z"
    assert shape(scrubbed) == shape(RECORD)


def test_the_same_person_is_the_same_substitute_in_every_spelling_and_recording() -> None:
    one, other = scrub(RECORD), scrub({"email": "AUGUSTA@analytical.example.org", "vid": 151, "contact_id": "151"})
    assert one["properties"]["email"] == other["email"]
    assert one["id"] == str(other["vid"]) == other["contact_id"]
    assert int(one["id"]) > 0


def test_another_installation_gives_other_substitutes() -> None:
    scrubber = Scrubber(SOURCES["hubspot"], [], b"another key")
    assert scrubber.email("augusta@analytical.example.org") != scrub(RECORD)["properties"]["email"]


def test_lines_and_tables_are_scrubbed_as_well() -> None:
    scrubber = Scrubber(SOURCES["salesforce"], [], KEY)
    table = scrubber.body(b'"Id","Email","Name"\n"003000000000001AAA","ada@x.example.org","Ada Lovelace"\n')["text"]
    assert "ada" not in table.casefold()
    assert table.startswith('"Id","Email","Name"\n"003')
    lines = scrubber.body(b'{"Id": "003000000000001AAA"}\n{"Email": "ada@x.example.org"}\n')["text"].splitlines()
    assert json.loads(lines[0])["Id"] in table
    assert json.loads(lines[1])["Email"] in table


def test_a_connection_is_needed_only_for_its_secrets(company: Company, tmp_path: Path) -> None:
    source = SOURCES["meta_ads"]
    paths = recording.record(source, company.connection("meta_ads"), WINDOW, tmp_path)
    stranger = Connection("meta_ads", "http://nowhere.invalid", password="anything")
    accounts = paths[-1]
    assert rows_of(source, source.stream("accounts"), recording.replay(source, recording.read(accounts), stranger))


# Logins --------------------------------------------------------------------------------------------------------------


def read_as_airflow_does(connection: Connection, stream: str) -> int:
    source = SOURCES[connection.connection_id]
    kept = replace(connection, logins=kept_logins.STORE)
    return len(list(source.fetch(kept, source.stream(stream), WINDOW)))


def record_by_command(monkeypatch: pytest.MonkeyPatch, connection: Connection, folder: Path) -> int:
    """`funnel record` with the connection in the environment, as Airflow has it."""
    stored = {"host": connection.base_url, "login": connection.login, "password": connection.password}
    variable = settings.connection_variable(connection.connection_id)
    monkeypatch.setenv(variable, json.dumps({**stored, "extra": connection.extra}))
    monkeypatch.setattr(airflow_setup, "airflow_environment", dict)
    days = [WINDOW.from_day.isoformat(), WINDOW.from_day.isoformat()]
    return cli.main(["record", connection.connection_id, *days, "--folder", str(folder)])


@pytest.mark.parametrize("source", ["linkedin_ads", "microsoft_ads"])
def test_a_recording_and_airflow_hand_each_other_the_newest_refresh_token(
    warehouse: str, company: Company, tmp_path: Path, slept: list[float], monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    connection = company.connection(source)
    company.handle.misbehave(source, "rotating_refresh_token", None)
    assert read_as_airflow_does(connection, "campaigns")
    assert record_by_command(monkeypatch, connection, tmp_path / "fixtures") == 0
    login = kept_logins.read(logins.key_of(source, connection))
    assert login is not None
    text = "".join(path.read_text() for path in (tmp_path / "fixtures").rglob("*.json"))
    assert login.access_token not in text
    assert login.refresh_token not in text
    # The next morning Airflow logs in again, with the login that the recording has stored.
    kept_logins.write(logins.key_of(source, connection), replace(login, good_until=0.0))
    assert read_as_airflow_does(connection, "campaigns")
    assert client.REFUSAL_PAUSE not in slept, "a login was refused"


def test_a_recording_without_a_warehouse_says_that_a_new_refresh_token_is_lost(
    company: Company,
    tmp_path: Path,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = company.connection("linkedin_ads")
    company.handle.misbehave("linkedin_ads", "rotating_refresh_token", None)
    monkeypatch.setenv("POSTGRES_PORT", str(process.free_port()))
    assert record_by_command(monkeypatch, connection, tmp_path / "fixtures") == 0
    before, *after = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "does not answer as role loader" in before
    assert "start the warehouse first (`make up`)" in before
    assert set(after) == {
        "linkedin_ads replaced the refresh token of connection linkedin_ads. The new one is lost with this process, "
        "because no warehouse keeps it. If the vendor refuses the old one now, sign in there again and save the new "
        "refresh token in the connection."
    }
    assert len(after) == len(SOURCES["linkedin_ads"].streams)


def test_a_replay_keeps_no_login(warehouse: str, company: Company, tmp_path: Path) -> None:
    source = SOURCES["linkedin_ads"]
    connection = replace(company.connection("linkedin_ads"), logins=kept_logins.STORE)
    *_, last = recording.record(source, connection, WINDOW, tmp_path)
    assert list(recording.replay(source, recording.read(last), connection))
    kept = kept_logins.read(logins.key_of("linkedin_ads", connection))
    assert kept is not None
    assert "scrubbed" not in f"{kept.access_token} {kept.refresh_token}"
