"""Five sources of one inbox through a real Airflow: one is broken, four are published, and the message names the fifth.

For each kind of fault, runs succeed again when the source is repaired, and when it is withdrawn.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from installation import exports, postgres, services
from tests.end_to_end.pipeline import rows
from tests.installation.test_installation import isolate

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

OTHERS = ("north", "south", "east", "west")
MANIFEST = """source: {source}
currency: {currency}
streams:
  - {{entity: opportunities, path: deals.csv}}
  - {{entity: leads, path: leads.csv}}
  - {{entity: alignment_baselines, path: baselines.csv}}
"""
LEADS = "lead_id,created_at\nL1,2026-01-05 10:00:00\n"
BASELINES = "component,region,baseline,approved_by,valid_from\nwon,{source},{baseline},cfo,2026-01-01\n"


def deals(amount: int) -> str:
    lines = (f"D{number},won,2026-01-{number:02},2026-02-{number:02},{amount}\n" for number in range(1, 21))
    return "opportunity_id,stage,created_at,closed_at,amount\n" + "".join(lines)


def write(folder: Path, source: str, amount: int, currency: str = "USD", baseline: int = 5) -> None:
    """One complete source: each deal has this `amount`."""
    place = folder / source
    place.mkdir(exist_ok=True)
    (place / "manifest.yml").write_text(MANIFEST.format(source=source, currency=currency))
    (place / "deals.csv").write_text(deals(amount))
    (place / "leads.csv").write_text(LEADS)
    (place / "baselines.csv").write_text(BASELINES.format(source=source, baseline=baseline))


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "five" / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


def damaged(folder: Path) -> None:
    (folder / "five" / "deals.csv").write_bytes(b"\x1f\x8b\x08\x00not a gzip" + bytes(range(256)) * 40)


def ambiguous(folder: Path) -> None:
    (folder / "five" / "deals.csv").write_text(
        "opportunity_id,stage,created_at,amount\nD1,opportunity,01/02/2026,5\nD2,opportunity,03/04/2026,5\n"
    )


WAYS: dict[str, tuple[Callable[[Path], None], str]] = {
    "bad yaml": (replaced("manifest.yml", "streams:", "streams: ]["), r"REFUSED: five/manifest\.yml"),
    "unknown entity": (replaced("manifest.yml", "leads, path", "leeds, path"), r"five/manifest\.yml.*leeds"),
    "missing column": (replaced("deals.csv", "opportunity_id", "number"), r"five/deals\.csv REFUSED:.*opportunity_id"),
    "ambiguous dates": (ambiguous, r"five/deals\.csv REFUSED:.*created_at"),
    "too many bad rows": (
        replaced("deals.csv", ",won,", ",married,"),
        r"five/deals\.csv REFUSED: 20 of 20 rows are bad",
    ),
    "damaged file": (damaged, r"five/deals\.csv REFUSED:"),
    "failed check": (lambda folder: write(folder, "five", 100, baseline=0), r"HELD BACK: five.*baselines are above"),
    "missing rate": (lambda folder: write(folder, "five", 100, currency="XAF"), r"HELD BACK: five.*XAF is needed"),
}


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An installation of its own and the folder that its Airflow reads."""
    home = tmp_path_factory.mktemp("five_sources")
    folder = home / "exports"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, home)
        try:
            yield folder
        finally:
            services.down(lambda text: None)
            postgres.remove(home)


def published() -> dict[str, tuple[int, int]]:
    """Deals and their sum in `bi`, by source."""
    query = "select source_system, count(*) as deals, sum(amount) as amount from bi.fct_opportunities group by 1"
    return {row["source_system"]: (row["deals"], int(row["amount"])) for row in rows(query)}


def red_run(inbox: Path, way: str, amount: int, capsys: pytest.CaptureFixture[str]) -> None:
    """All five sources with deals of `amount`, one of them broken: four are published, the fifth is named."""
    for source in (*OTHERS, "five"):
        write(inbox, source, amount)
    break_it, message = WAYS[way]
    break_it(inbox)
    assert exports.run(str(inbox)) == 1, "the run is red"
    printed = capsys.readouterr().out
    assert re.search(message, printed, re.DOTALL), printed
    assert not re.search(rf"(REFUSED|HELD BACK): ({'|'.join(OTHERS)})", printed), printed
    assert {source: published()[source] for source in OTHERS} == dict.fromkeys(OTHERS, (20, 20 * amount))
    assert published().get("five", (20, 0))[1] != 20 * amount, "what was broken is not published"


@pytest.mark.parametrize("way", WAYS)
def test_four_are_published_and_repairing_the_fifth_ends_the_red_run(
    inbox: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    amount = 100 + 10 * list(WAYS).index(way)
    red_run(inbox, way, amount, capsys)
    write(inbox, "five", amount)
    assert exports.run(str(inbox)) == 0
    assert published()["five"] == (20, 20 * amount)


def test_withdrawing_the_fifth_ends_the_red_run(inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source in (*OTHERS, "five"):
        write(inbox, source, 1000)
    assert exports.run(str(inbox)) == 0
    red_run(inbox, "too many bad rows", 1010, capsys)
    (inbox / "five" / "manifest.yml").unlink()
    assert exports.withdraw("five", is_confirmed=True) == 0
    assert exports.run(str(inbox)) == 0, "the run is green without the source"
    write(inbox, "north", 1020)
    assert exports.run(str(inbox)) == 0
    assert "five" not in published()
    assert published()["north"] == (20, 20 * 1020)
