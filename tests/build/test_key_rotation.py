"""The person key is replaced: all hashes follow, history joins, and forgotten persons stay forgotten."""

import io
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import secret_store, settings
from funnel.build import dbt_run
from funnel.erasure import persons, rekeying
from funnel.erasure.errors import RotationRefused
from funnel.ingest import landing, load, privacy
from funnel.ingest.errors import LoadError
from funnel.sources import SOURCES
from installation import key_rotation
from tests.build.builds import publish_build
from tests.build.person_everywhere import EMAIL, MORNING, OTHER_EMAIL, read_everything, write_inbox
from tests.build.test_forgetting import forget, places_in_the_warehouse, places_on_disk, totals
from tests.conftest import fresh_warehouse

THIRD = "a third key that is long enough to be one"


def ask(query: str) -> list[Any]:
    with psycopg.connect(settings.dsn("admin")) as admin:
        return admin.execute(query.encode()).fetchall()


def raw_rows() -> dict[str, list[Any]]:
    """The rows of all raw tables that know persons, without what a later read changes."""
    found = {}
    for source, stream in persons.streams_of_persons():
        table = f"raw.{source.name}__{stream.name}"
        rows = ask(f"select to_jsonb(stored) - '{{_load_id,_fetched_at}}'::text[] from {table} as stored")
        found[table] = sorted((row for (row,) in rows), key=str)
    return found


def hashes() -> set[str]:
    """All hashes that the raw rows hold, those of forgotten persons left out."""
    with psycopg.connect(settings.dsn("admin")) as admin:
        found = {one for place in rekeying._hash_columns(admin) for one in rekeying._values(admin, *place)}
        return found - {key for (key,) in admin.execute("select tombstone from privacy.tombstones").fetchall()}


def dumped(values: set[str]) -> list[str]:
    """The hashes among these that a dump of the warehouse still holds; the tombstones of row keys left out."""
    text = "\n".join(row for _, row in dump())
    kept = {key for (key,) in ask("select tombstone from privacy.tombstones where kind = 'row_key'")}
    assert len(kept) <= 1
    return sorted(value for value in values - kept if value in text)


def dump() -> list[tuple[str, str]]:
    tables = ask(
        "select schemaname || '.' || tablename from pg_tables where schemaname !~ '^(pg_|information)' order by 1"
    )
    return [(name, str(row)) for (name,) in tables for row in ask(f"select stored::text from {name} as stored")]


@pytest.fixture
def loaded(warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A warehouse from which one person was forgotten; a second one is known to several vendors."""
    write_inbox(tmp_path / "inbox")
    monkeypatch.setenv("FUNNEL_INBOX", str(tmp_path / "inbox"))
    read_everything(tmp_path / "inbox", MORNING, "run 1")
    forget(EMAIL, monkeypatch)
    return tmp_path


def test_all_hashes_follow_and_a_later_read_changes_nothing(
    loaded: Path, cluster_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, old = hashes(), privacy.person_key_secret()
    assert len(before) >= 5
    assert len(dumped(before)) == len(before)

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    for module, name in (
        (rekeying, "_rekey_built"),
        (rekeying.tombstones, "write_landed"),
        (rekeying.forgetting, "rewrite_tables"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed)
            with pytest.raises(Killed):
                key_rotation.run()
        if name == "_rekey_built":
            with pytest.raises(LoadError, match="PERSON_KEY_SECRET changed"):
                load.prepare(SOURCES["hubspot"])
    capsys.readouterr()
    key_rotation.run()
    assert "is replaced by" in capsys.readouterr().out

    assert privacy.person_key_secret() != old
    assert "old_person_key" not in secret_store.secrets()
    assert dumped(before) == []
    address = privacy.keyed_hash(privacy.person_key_secret(), OTHER_EMAIL)
    assert [(address,)] == ask("select email_key from raw.hubspot__contacts where contact_id = '987650099999'")
    rows = raw_rows()
    read_everything(loaded / "inbox", MORNING + timedelta(days=1), "run 2")
    assert {name: one for name, one in raw_rows().items() if one != rows[name]} == {}
    assert places_in_the_warehouse() == places_on_disk(loaded / "home") == []

    # A new warehouse of the same landed files has the same rows, and refuses a key that nothing was made with.
    folder = loaded / "another"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, folder):
        shutil.copytree(loaded / "home" / "landing", folder / "home" / "landing")
        with pytest.raises(LoadError, match=r"tombstones\.json was written with the key of fingerprint"):
            load.load(next(landing.reads("hubspot")))
        shutil.copy(loaded / "home" / "secrets.json", folder / "home" / "secrets.json")
        load.create_tables()
        for read in landing.reads():
            load.load(read)
        assert {name: one for name, one in raw_rows().items() if one != rows[name]} == {}


def test_a_key_of_the_environment_is_replaced_there_first(
    warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_everything(tmp_path, MORNING, "run 1", of="hubspot")
    old, before = privacy.person_key_secret().decode(), hashes()
    monkeypatch.setenv("PERSON_KEY_SECRET", "short")
    with pytest.raises(RotationRefused, match="at least 32"):
        key_rotation.run()
    monkeypatch.setenv("PERSON_KEY_SECRET", THIRD)
    for given, message in (("", "comes from the environment"), ("another", "Give the key that it was loaded with")):
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        with pytest.raises(RotationRefused, match=message):
            key_rotation.run()
    assert hashes() == before
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{old}\n"))
        key_rotation.run()
    assert dumped(before) == []
    monkeypatch.delenv("PERSON_KEY_SECRET")
    with pytest.raises(LoadError, match="PERSON_KEY_SECRET changed"):
        load.prepare(SOURCES["hubspot"])


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_what_was_built_and_shown_joins_with_what_is_built_next(
    loaded: Path, monkeypatch: pytest.MonkeyPatch, outcome: Callable[[str, str, str], None]
) -> None:
    publish_build(dbt_run.build().build_id)
    read_everything(loaded / "inbox", MORNING + timedelta(hours=1), "run 2", changed=True)
    publish_build(dbt_run.build().build_id)
    before, held = totals(), hashes()
    people = ask("select count(*) from bi.dim_people")
    shown = len(dumped(held))
    key_rotation.run()
    assert dumped(held) == []
    assert totals() == before
    publish_build(dbt_run.build(full=True).build_id)
    changed = ask("select rows_changed from ops.publications order by publication_id desc limit 1")[0][0]
    assert {name: rows for name, rows in changed.items() if any(rows.values())} == {}, json.dumps(changed)
    assert totals() == before
    assert ask("select count(*) from bi.dim_people") == people
    joined = ask("select count(*) from bi_history.fct_leads as was inner join bi.fct_leads as now using (lead_key)")
    assert joined == ask("select count(*) from bi_history.fct_leads")
    outcome("rotation", "two persons", f"{shown} hashes replaced, 0 left; a full build then changed no row of bi")
