"""Pages of the checks: written from the ledger, readable without a network, without values of the data."""

import re
from pathlib import Path

from funnel.gate import deliveries, marts
from funnel.gate.pages import build_pages
from funnel.gate.suites import all_stated, suite
from tests.gate.conftest import Deliver, lay_built
from tests.gate.test_marts import poisoned

VERDICT = re.compile(r'<tr><td class="([\w ]+)">[\w ]+</td><td>(?:<a href="[^"]+">)?([^<]+)<')


def lay_poison(mart: str, description: str) -> None:
    rows = poisoned(mart, description)
    lay_built({table: some for table, some in rows.items() if not table.startswith("raw.")})


def test_pages_show_every_suite_and_the_latest_result(warehouse: str, deliver: Deliver, tmp_path: Path) -> None:
    believable = suite("raw/hubspot").PASSING
    deliver("hubspot", {"deals": [believable["deals"] | {"probability": 40}]})
    deliveries.check_raw("hubspot", "run")
    lay_poison("dim_campaigns", "no text holds an e-mail address")
    marts.check_marts(1)
    index = build_pages(tmp_path / "docs")

    pages = {path.name: path.read_text() for path in index.parent.iterdir()}
    assert set(re.findall(r'<li><a href="([^"]+)"', pages["index.html"])) == pages.keys() - {"index.html"}
    assert len(pages) - 1 >= len(all_stated())
    deals = dict(reversed(pair) for pair in VERDICT.findall(pages["raw.hubspot-raw.hubspot__deals.html"]))
    assert deals["the probability is a share"] == "FAILED"
    campaigns = pages["marts.dim_campaigns-marts.dim_campaigns.html"]
    assert "build 1" in campaigns
    assert "1 of 1 rows; hashed keys " in campaigns
    verdicts = VERDICT.findall(pages["index.html"])
    assert ("FAILED", "raw.hubspot__deals") in verdicts
    assert verdicts[-1][0] == "passed"
    everything = "".join(pages.values())
    assert not re.search(r"<(?:link|script|img)\b", everything)
    assert "ana.silva" not in everything


def test_a_warning_is_shown_as_a_warning(warehouse: str, tmp_path: Path) -> None:
    lay_built(poisoned("fct_leads", "no lead comes from the future"))
    assert marts.check_marts(1).passed
    index = build_pages(tmp_path / "docs")
    results = dict(
        reversed(pair) for pair in VERDICT.findall((index.parent / "marts.fct_leads-marts.fct_leads.html").read_text())
    )
    assert results["no lead comes from the future"] == "warning"
    assert "FAILED" not in results.values()
    assert ("warning", "marts.fct_leads") in VERDICT.findall(index.read_text())


def test_pages_are_written_before_anything_was_checked(warehouse: str, tmp_path: Path) -> None:
    index = build_pages(tmp_path / "docs")
    assert len(list(index.parent.iterdir())) == len(all_stated()) + 1
    assert "not asked" in (index.parent / "marts.fct_leads-marts.fct_leads.html").read_text()
