"""Exceptions are defined in one module per wing, and are distinguished by class."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# In the ground floor, and in the tools of authors, an exception is defined next to the code that raises it.
OWN = {"secret_store.py", "warehouse.py", "ledger.py", "scaffold.py", "recording.py"}
# Internal signals of one module, caught in it.
INTERNAL = {"_Unreadable", "KeyTwice"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("plugins/funnel", "installation", "authoring", "dags"):
        for path in (ROOT / folder).rglob("*.py"):
            yield path, ast.parse(path.read_text())


def test_exceptions_live_in_one_module_per_wing() -> None:
    classes = {node.name: node for _, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}

    def is_exception(name: str) -> bool:
        if name in ("Exception", "RuntimeError", "ValueError", "TypeError", "LookupError", "OSError"):
            return True
        bases = classes[name].bases if name in classes else []
        return any(isinstance(base, ast.Name) and base.id != name and is_exception(base.id) for base in bases)

    astray = {
        f"{path.relative_to(ROOT)}: {node.name}"
        for path, tree in modules()
        if path.name not in OWN | {"errors.py"}
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name not in INTERNAL and is_exception(node.name)
    }
    assert astray == set()


def test_no_failure_is_recognised_by_the_name_of_its_class() -> None:
    """Renaming a class must not change which failures are retried."""
    compared = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if ast.unparse(side) in ("type(error).__name__", "type(exception).__name__", "error.__class__.__name__")
    }
    assert compared == set()
