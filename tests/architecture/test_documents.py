"""Documents name files, modules and make targets that exist, and their links lead somewhere."""

import re
from pathlib import Path

import pytest

from funnel import release

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "sandbox/README.md", "docs/**/*.md")
FOLDERS = "plugins|funnel|installation|authoring|dags|dbt_project|models|macros|seeds|dashboards|expectations"
FOLDERS += "|sandbox|bench|tests|docs|bin"
WINGS = "orchestration|ingest|build|gate|publication|reporting|sources|rest|inbox"
# Where a short path may begin: `models/marts` is below dbt_project, `gate/marts.py` below plugins/funnel.
STARTS = ("", "plugins/", "plugins/funnel/", "dbt_project/")
# The example of CONTRIBUTING.md, files that an installation creates, and a metafield of Shopify.
NOT_HERE = re.compile(r"acme_ads|tests/fixtures|dashboards/\.venv|funnel\.opportunity_id")


def documents() -> list[Path]:
    return sorted(path for pattern in DOCUMENTS for path in ROOT.glob(pattern))


def targets() -> set[str]:
    """All targets of the Makefile."""
    names = re.findall(r"^([a-z][\w-]*(?: [a-z][\w-]*)*):(?!=)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    return {name for line in names for name in line.split()}


def words(text: str) -> list[str]:
    """Words of code spans and code blocks; those with placeholders (`<name>`, `*`, `…`) are left out."""
    blocks = re.findall(r"```.*?```", text, flags=re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = re.findall(r"[\w./*<>{}…-]+", " ".join(blocks + spans))
    return [word.rstrip(".,:/") for word in found if not re.search(r"[<>{}*…]", word) and not NOT_HERE.search(word)]


def is_module(name: str) -> bool:
    """True for `funnel.gate.marts`, and for a name in a module such as `funnel.ingest.landing.land`."""
    path = ROOT / ("plugins" if name.startswith("funnel.") else "") / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    above = path.parent
    module = above.with_suffix(".py") if above.with_suffix(".py").exists() else above / "__init__.py"
    return module.exists() and re.search(rf"\b{path.name}\b", module.read_text()) is not None


def faults(text: str, folder: Path) -> list[str]:
    missing = [f"make {name}" for name in re.findall(r"`make ([a-z][\w-]+)", text) if name not in targets()]
    for word in words(text):
        if re.match(rf"({FOLDERS}|{WINGS})/", word):
            if not any((ROOT / start / word).exists() for start in STARTS):
                missing.append(word)
        elif re.fullmatch(r"(funnel|installation|authoring)(\.[a-z_]+)+", word) and not is_module(word):
            missing.append(word)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return missing + [link for link in links if "://" not in link and not (folder / link).exists()]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(path: Path) -> None:
    found = faults(path.read_text(), path.parent)
    assert not found, f"{path.relative_to(ROOT)} names what does not exist: {', '.join(found)}"


@pytest.mark.parametrize(
    "text",
    [
        "`plugins/funnel/tasks.py` runs it",
        "`gate/marts_audit.py`",
        "run `make everything`",
        "see `funnel.tasks`",
        "see `funnel.ingest.landing.take_off`",
        "[guide](docs/guide_of_tomorrow.md)",
    ],
)
def test_a_missing_thing_is_found(text: str) -> None:
    assert faults(text, ROOT)


def test_existing_things_pass() -> None:
    text = (
        "`make demo`, `plugins/funnel/ingest/landing.py`, `gate/marts.py`, `funnel.ingest.landing.land`, [a](README.md)"
    )
    assert not faults(text, ROOT)


def test_the_changelog_begins_with_the_release_of_this_checkout() -> None:
    sections = re.findall(r"^## (\S+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert sections[0] == release.version()
    assert sections == sorted(sections, key=release.order, reverse=True)
    assert f'name = "funnel-warehouse"\nversion = "{release.version()}"' in (ROOT / "uv.lock").read_text()
