"""What the code imports is declared in pyproject.toml."""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("plugins", "installation", "authoring", "dags", "expectations", "sandbox")
OWN = {"funnel", "dashboards", *FOLDERS}
# `dbt-metricflow` is the installed package; celery belongs to the group `servers`, and is imported only where it is
# used.
PART_OF_ANOTHER = {"metricflow", "metricflow_semantics", "metricflow_semantic_interfaces", "celery"}


def declared() -> set[str]:
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {normalised(re.split(r"[\[<>=;! ]", each)[0]) for each in written}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> dict[str, set[str]]:
    """Top-level packages that are not Python's own, with the files that import them."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found[name.partition(".")[0]].add(str(path.relative_to(ROOT)))
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names and name not in OWN}


def test_every_import_of_the_pipeline_is_declared() -> None:
    distributions = packages_distributions()
    missing = {
        name: sorted(files)
        for name, files in imported().items()
        if name not in PART_OF_ANOTHER and not {normalised(each) for each in distributions.get(name, [])} & declared()
    }
    assert missing == {}
