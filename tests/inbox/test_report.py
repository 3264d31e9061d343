"""`make inbox-check` reports what would happen, and changes nothing."""

from pathlib import Path

import pytest

from funnel import cli
from funnel.inbox.errors import ManifestError
from funnel.inbox.report import check

MANIFEST = """
source: acme_crm
currency: BRL
streams:
  - entity: opportunities
    path: deals*.csv
    bad_rows: 0.5
    columns: {opportunity_id: id, stage: stage, amount: amount, created_at: created}
    map: {stage: {W: won}}
  - entity: reps
    path: reps.csv
"""
DEALS = "id,stage,amount,created,phone\n1,W,10,25/01/2026,555\n2,W,ten,26/01/2026,556\n"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "acme.yml").write_text(MANIFEST)
    (tmp_path / "deals.csv").write_text(DEALS)
    return tmp_path


def test_it_prints_counts_settings_days_and_bad_rows(inbox: Path) -> None:
    told: list[str] = []
    assert check(str(inbox), frozenset(), told.append)
    text = "\n".join(told)
    assert "opportunities: deals.csv: 2 read = 1 to load + 1 to quarantine" in text
    assert "days 2026-01-25 to 2026-01-25" in text
    assert "created_at %d/%m/%Y" in text
    assert "not taken: phone" in text
    assert "line 3, amount: is not a number" in text
    assert "ten" in text, "whoever has the file may see what it says"
    assert "reps: no file matches reps.csv (nothing to load)" in text
    assert told[-1] == "everything would load"


def test_what_would_be_refused_fails_the_command(inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inbox-check", str(inbox)]) == 0
    (inbox / "deals 2.csv").write_text("id,stage,amount,created\n3,W,1,03/04/2026\n")
    assert cli.main(["inbox-check", str(inbox)]) == 1
    text = capsys.readouterr().out
    assert "opportunities: deals 2.csv REFUSED: created_at is ambiguous: 03/04/2026 may be 2026-04-03" in text
    assert text.rstrip().endswith("something would be refused, see above; nothing was loaded")


def test_a_wrong_manifest_fails_the_command(inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inbox / "wrong.yml").write_text("source: other\nstreams: [{entity: deals, path: x}]\n")
    assert cli.main(["inbox-check", str(inbox)]) == 1
    assert "REFUSED  wrong.yml, streams[0]: there is no entity 'deals'" in capsys.readouterr().out


def test_a_folder_without_a_manifest_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="There is no manifest in"):
        check(str(tmp_path), frozenset())
    with pytest.raises(ManifestError, match="There is no folder"):
        check(str(tmp_path / "gone"), frozenset())
