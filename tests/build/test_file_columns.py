"""The guide docs/files.md is right: each of its columns is a field that the loader reads and a mart uses."""

import re
from itertools import pairwise

import pytest

from funnel import settings
from funnel.build import dbt_run
from funnel.inbox.catalogue import ENTITIES
from funnel.inbox.entities import day_name

GUIDE = settings.REPOSITORY / "docs/files.md"
MODELS = dbt_run.PROJECT / "models"
STAGING = MODELS / "staging/files"


def promised() -> dict[str, set[str]]:
    """Entity → columns of the table in the guide; text in brackets or after a colon is a remark on them."""
    found = {}
    table = GUIDE.read_text().partition("| entity | columns")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        entity, columns = (cell.strip() for cell in line.strip("|").split("|"))
        listed = re.sub(r"\([^)]*\)|:.*", "", columns)
        found[entity] = set(re.findall(r"[a-z][a-z0-9_]+", re.sub(r"\bor\b", " ", listed)))
    return found


def staged(entity: str) -> dict[str, set[str]]:
    """Field → names of its columns in the staging model."""
    columns: dict[str, set[str]] = {}
    text = re.sub(r"--.*", "", (STAGING / f"stg_files__{entity}.sql").read_text())
    for line in re.split(r",\s*\n", text.partition("select")[2].partition("from {{")[0]):
        written, _, alias = line.strip().rpartition(" as ")
        name = (alias or written).strip()
        for word in re.findall(r"\w+", written or name):
            columns.setdefault(word, set()).add(name)
    return {
        field.name: set().union(
            *(
                columns.get(raw, set())
                for raw in (
                    field.name,
                    day_name(field.name),
                    f"{field.name}_key",
                    "email_key" if field.name == "email" else "",
                )
            )
        )
        for field in ENTITIES[entity].fields
    }


def block_around(text: str, place: int) -> str:
    """The subquery or branch of a union around a position."""
    depth, start = 0, 0
    for position in range(place, 0, -1):
        depth += {")": 1, "(": -1}.get(text[position], 0)
        if depth < 0:
            start = position + 1
            break
    depth, end = 0, len(text)
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth < 0:
            end = position
            break
    cuts = [start, *(start + cut.start() for cut in re.finditer(r"\bunion\b", text[start:end])), end]
    return next(text[one:other] for one, other in pairwise(cuts) if one <= place <= other)


def used(entity: str) -> set[str]:
    """Words of the parts of models after staging that read the entity; for `select *` those of the whole model."""
    words: set[str] = set()
    for path in (*MODELS.glob("intermediate/*/*.sql"), *MODELS.glob("marts/*.sql")):
        text = re.sub(r"--.*", "", path.read_text())
        text = re.sub(r"\{\{\s*config\(.*?\n\}\}", "", text, flags=re.S)
        # Macros contain brackets, too: only the words inside them are left.
        text = re.sub(r"ref\('(\w+)'\)", r" ref_\1_ ", text)
        for found in re.finditer(rf"\bref_stg_files__{entity}_\b", text):
            block = block_around(text, found.start())
            alias = re.match(r"\s*\}\}\s+as\s+(\w+)", text[found.end() :])
            is_all = re.search(r"select\s+\*|\.\*", block) is not None
            words |= set(re.findall(r"\w+", text if is_all else block))
            if alias:
                words |= set(re.findall(rf"\b{alias[1]}\.(\w+)", text))
            if "tags_of_files" in block:
                words |= {"campaign_id", "stated_channel", "utm_source", "utm_medium", "utm_campaign"}
                words |= {"lead_source"} if "has_lead_source" in block else set()
    return words


def test_the_guide_and_the_loader_name_the_same_columns() -> None:
    assert promised() == {name: set(entity.names) for name, entity in ENTITIES.items()}


@pytest.mark.parametrize("entity", list(ENTITIES))
def test_every_column_of_the_guide_reaches_a_model(entity: str) -> None:
    found = used(entity)
    unused = {field for field, columns in staged(entity).items() if not columns & found}
    assert unused == set(), f"{entity}: docs/files.md promises {sorted(unused)}, and no model beyond staging reads them"
