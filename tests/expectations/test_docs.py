"""Data Docs: written from the ledger, readable without a network, without a value of the data."""

import re
from pathlib import Path

from funnel.gate import deliveries, marts
from funnel.gate.pages import build_data_docs
from funnel.gate.suites import all_stated, suite
from tests.expectations.conftest import Deliver, lay_built
from tests.expectations.test_marts import poisoned


def test_pages_show_every_suite_and_the_latest_judgement(warehouse: str, deliver: Deliver, tmp_path: Path) -> None:
    passing = suite("raw/hubspot").PASSING
    deliver("hubspot", {"deals": [passing["deals"] | {"probability": 40}]})
    deliveries.check_raw("hubspot", "run")
    lay_built(
        {
            table: rows
            for table, rows in poisoned("dim_campaigns", "no text holds an e-mail address").items()
            if not table.startswith("raw.")
        }
    )
    marts.check_marts(1)
    index = build_data_docs(tmp_path / "docs")

    pages = {path.relative_to(index.parent).as_posix(): path.read_text() for path in index.parent.rglob("*.html")}
    listed = set(re.findall(r'<(?:li|td)><a href="([^"]+)"', pages["index.html"]))
    assert {name.replace(" ", "%20") for name in pages} - {"index.html"} <= listed
    suites = [name for name in pages if name.startswith("expectations/")]
    assert len(suites) == len(all_stated())
    (deals,) = [text for name, text in pages.items() if name.startswith("validations/") and "hubspot__deals" in name]
    assert "the probability is a share" in deals
    assert "Failed" in deals
    (campaigns,) = [
        text for name, text in pages.items() if name.startswith("validations/") and "dim_campaigns/" in name
    ]
    assert "build 1" in campaigns
    verdicts = re.findall(r'<tr><td class="(\w+)">\w+</td><td><a href="[^"]+">([^<]+)</a>', pages["index.html"])
    assert ("failed", "raw.hubspot__deals") in verdicts
    assert verdicts[-1][0] == "passed"
    everything = "".join(pages.values())
    assert not re.search(r'<(?:link|script|img)\b[^>]*\b(?:src|href)="https?:', everything)
    assert "ana.silva" not in everything
