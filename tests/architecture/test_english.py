"""All text avoids the patterns of the "Do not write" table in docs/glossary.md, the only place that lists them.

The test searches sentences in string literals of Python (errors, log lines, help, notes of expectations), docstrings,
comments of Python, SQL and YAML, documents, descriptions and titles; of tests only names, docstrings and comments,
since their texts are also input. It does not search values that are stored or matched by code: single words, names of
checks, literals in SQL.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PYTHON = ("plugins", "installation", "authoring", "dags", "expectations", "dashboards", "sandbox", "bench")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".env.example", "Makefile", "docs", "sandbox", "bench")
YAML_TEXTS = {
    "description",
    "label",
    "title",
    "verbose_name",
    "text",
    "code",
    "slice_name",
    "dashboard_title",
    "subtitle",
}

Text = tuple[str, str]


def patterns() -> list[tuple[re.Pattern[str], str]]:
    """(pattern, what to write instead) of each row of the glossary's table."""
    table = (ROOT / "docs" / "glossary.md").read_text().split("## Do not write")[1]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|$", table, flags=re.MULTILINE)
    return [(re.compile(pattern.replace("\\|", "|"), re.IGNORECASE), instead) for pattern, instead in rows]


def files(folder: str, *suffixes: str) -> Iterator[Path]:
    at = ROOT / folder
    for path in [at] if at.is_file() else sorted(at.rglob("*")):
        if path.suffix in suffixes and not {".venv", "target", "logs"} & set(path.relative_to(ROOT).parts):
            yield path


def python_texts(path: Path) -> Iterator[Text]:
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        if "expectations" in path.parts:  # names of checks are stored in ops.checks, and poison rows are found by them
            if isinstance(node, ast.keyword) and node.arg == "description":
                skipped.add(node.value)
            if isinstance(node, ast.Dict):
                skipped.update(key for key in node.keys if isinstance(key, ast.Constant))
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped
        if is_text and " " in node.value.strip():
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def names_of_tests(path: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node.name.replace("_", " ")


def docstrings(path: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value.value


def comments(path: Path) -> Iterator[Text]:
    """Comments of Python, SQL and YAML; those of consecutive lines are one text."""
    content = path.read_text()
    if path.suffix == ".py":
        tokens = tokenize.generate_tokens(io.StringIO(content).readline)
        lines = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    else:
        pattern = r"--.*|\{#[\s\S]*?#\}" if path.suffix == ".sql" else r"(?m)^\s*#.*"
        lines = {content.count("\n", 0, hit.start()) + 1: hit.group() for hit in re.finditer(pattern, content)}
    together: list[str] = []
    for number, text in sorted(lines.items()):
        together.append(text.strip().lstrip("#- "))
        if number + 1 not in lines:
            yield f"{path.relative_to(ROOT)}:{number}", " ".join(together)
            together = []


def document_texts(path: Path) -> Iterator[Text]:
    is_code = False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if path.suffix == ".md" and line.startswith("```"):
            is_code = not is_code
        if path.name == "glossary.md" and line.startswith("| "):
            continue
        if not is_code:
            yield f"{path.relative_to(ROOT)}:{number}", line


def yaml_texts(path: Path) -> Iterator[Text]:
    def walk(value: object, key: str) -> Iterator[Text]:
        if isinstance(value, dict):
            for name, inside in value.items():
                yield from walk(inside, str(name))
        elif isinstance(value, list):
            for inside in value:
                yield from walk(inside, key)
        elif isinstance(value, str) and key in YAML_TEXTS:
            yield f"{path.relative_to(ROOT)} ({key})", value

    for document in yaml.safe_load_all(path.read_text()):
        yield from walk(document, "")


@cache
def searched() -> tuple[Text, ...]:
    return tuple(all_texts())


def all_texts() -> Iterator[Text]:
    for folder in PYTHON:
        for path in files(folder, ".py"):
            yield from python_texts(path)
            yield from comments(path)
    for path in files("tests", ".py"):
        yield from names_of_tests(path)
        yield from docstrings(path)
        yield from comments(path)
    for name in DOCUMENTS:
        for path in files(name, ".md", ".example", ""):
            if path.is_file():
                yield from document_texts(path)
    for name in ("pyproject.toml", "docker-compose.yml", "Dockerfile", ".sqlfluff", "bin", ".ci"):
        for path in files(name, ".toml", ".yml", ""):
            if path.is_file():
                yield from comments(path)
    for folder in ("dbt_project", "dashboards"):
        for path in files(folder, ".yml", ".yaml"):
            yield from yaml_texts(path)
            yield from comments(path)
        for path in files(folder, ".sql"):
            yield from comments(path)


def found(texts: Iterable[Text]) -> list[str]:
    sought = patterns()
    faults = []
    for where, written in texts:
        text = " ".join(written.split())
        for pattern, instead in sought:
            if hit := pattern.search(text):
                around = text[max(0, hit.start() - 60) : hit.end() + 40]
                faults.append(f"{where}: {hit.group()!r} in {around!r}; write: {instead}")
    return faults


def test_no_text_contains_what_the_glossary_forbids() -> None:
    faults = found(searched())
    assert not faults, f"{len(faults)} texts:\n" + "\n".join(faults)


def test_every_kind_of_text_is_searched() -> None:
    places = [where for where, _ in searched()]
    for expected in (
        "plugins/",
        "dags/",
        "expectations/",
        "dashboards/assets",
        "dbt_project/",
        "docs/",
        "Makefile",
        "README",
        ".env",
    ):
        assert any(where.startswith(expected) for where in places), expected
    assert any(where.startswith("dbt_project/") and ".sql:" in where for where in places), "comments of SQL"
    assert "plugins/funnel/contract.py:1" in places, "docstrings"


@pytest.mark.parametrize(
    "text",
    [
        "0 is no number",
        "what was loaded by nobody",
        "Somebody wrote it",
        "The vendor tells of changes",
        "rows that cannot be believed",
        "One row per file drop",
        "the variable goes before what is saved",
        "the row stands in ops.quarantine",
    ],
)
def test_a_forbidden_sentence_is_found(text: str) -> None:
    assert found(iter([("here", text)]))


def test_plain_sentences_pass() -> None:
    assert not found(
        iter([("here", "There is no manifest in the inbox. The source is no longer read, and 3 is not a date.")])
    )
