"""Limits of modules and functions, and no import cycles."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("plugins", "installation", "authoring", "sandbox", "expectations", "bench", "dags")
PACKAGES = ("funnel", "installation", "authoring", "sandbox", "expectations", "bench", "dags")
LINES_OF_A_MODULE = 400
LINES_OF_A_FUNCTION = 50
LINES_OF_A_TEST_FILE = 500


def modules() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (ROOT / folder).rglob("*.py")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_module_is_too_long() -> None:
    too_long = {named(path) for path in modules() if len(path.read_text().splitlines()) > LINES_OF_A_MODULE}
    assert too_long == set(), f"more than {LINES_OF_A_MODULE} lines: divide it by subject"


def test_no_test_file_is_too_long() -> None:
    too_long = {
        named(path)
        for path in (ROOT / "tests").rglob("*.py")
        if len(path.read_text().splitlines()) > LINES_OF_A_TEST_FILE
    }
    assert too_long == set(), f"more than {LINES_OF_A_TEST_FILE} lines: divide it by subject"


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its longest text, which may be one SQL statement."""
    texts = [
        (node.end_lineno or 0) - node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return (function.end_lineno or 0) - function.lineno + 1 - max(texts, default=0)


def test_no_function_is_too_long() -> None:
    too_long = {
        f"{named(path)}:{node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and length(node) > LINES_OF_A_FUNCTION
    }
    assert too_long == set(), f"more than {LINES_OF_A_FUNCTION} lines: divide it by step"


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def test_there_is_no_import_cycle(imports: grimp.ImportGraph) -> None:
    """Imports inside functions and for types count too: a cycle of them confuses readers in the same way."""
    circular = {
        module
        for module in imports.modules
        if any(
            imports.find_shortest_chain(imported, module)
            for imported in imports.find_modules_directly_imported_by(module)
        )
    }
    assert circular == set()


def test_every_module_is_seen(imports: grimp.ImportGraph) -> None:
    missing = {
        named(path)
        for path in modules()
        if path.name != "__init__.py"
        # Airflow runs the files of this folder by their bare names; none is imported.
        and path.parent != ROOT / "plugins"
        and ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("plugins.") not in imports.modules
    }
    assert missing == set(), "a folder without __init__.py is under no rule"
