"""Decisions have ids and dates, and every id that is cited exists."""

import re
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUBJECTS = [path for path in sorted((ROOT / "docs" / "decisions").glob("*.md")) if path.name != "README.md"]
HEADING = re.compile(r"^## ([A-Z]{3})-(\d+) · \S", re.MULTILINE)
CITED = re.compile(r"\b([A-Z]{3}-\d+)\b")
SEARCHED = (
    "plugins",
    "installation",
    "authoring",
    "dags",
    "expectations",
    "dashboards",
    "dbt_project",
    "sandbox",
    "docs",
)


def prefixes() -> dict[str, str]:
    """File name by prefix, as the index lists them."""
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    return dict(re.findall(r"^\| ([A-Z]{3}) \| \[.*\]\((\w+\.md)\) \|$", index, re.MULTILINE))


def test_the_index_lists_every_subject() -> None:
    assert set(prefixes().values()) == {path.name for path in SUBJECTS}


@pytest.mark.parametrize("path", SUBJECTS, ids=lambda path: path.stem)
def test_every_decision_has_an_id_and_a_date(path: Path) -> None:
    text = path.read_text()
    assert len(HEADING.findall(text)) == text.count("\n## ")
    for number, (heading, body) in enumerate(re.findall(r"(?ms)^## (.*?)$(.*?)(?=^## |\Z)", text), start=1):
        prefix = heading[:3]
        assert prefixes()[prefix] == path.name
        assert heading.startswith(f"{prefix}-{number} · "), heading
        date.fromisoformat(body.strip()[1:11])


def test_every_cited_decision_exists() -> None:
    known = {f"{prefix}-{number}" for path in SUBJECTS for prefix, number in HEADING.findall(path.read_text())}
    for folder in SEARCHED:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".sql", ".yml", ".md") and not {".venv", "target"} & set(path.parts):
                cited = {each for each in CITED.findall(path.read_text()) if each[:3] in prefixes()}
                assert cited <= known, f"{path.relative_to(ROOT)}: {cited - known}"
