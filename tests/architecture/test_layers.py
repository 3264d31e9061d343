"""The import layers, and what must not happen at import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"great_expectations", "pandas", "dbt", "scipy"}
OURS = [path for folder in ("plugins/funnel", "installation", "authoring") for path in (ROOT / folder).rglob("*.py")]


def test_import_contracts_are_kept() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run(
        [linter, "--no-cache"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "path",
    sorted([*OURS, *(ROOT / "dags").glob("*.py")]),
    ids=lambda path: path.stem,
)
def test_heavy_packages_are_imported_inside_functions(path: Path) -> None:
    """Cold imports of these take 6, 1 and 2 seconds: a DAG parse, task or command must not pay for what it does not
    use.
    """
    tree = ast.parse(path.read_text())
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {name.split(".")[0] for name in names} & HEAVY, f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", sorted((ROOT / "expectations").rglob("*.py")), ids=lambda path: path.stem)
def test_expectation_modules_import_only_great_expectations(path: Path) -> None:
    standard = set(sys.stdlib_module_names)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            top = (module or "").split(".")[0]
            assert top in {"great_expectations", "expectations"} | standard, f"{path}:{node.lineno} imports {module}"


def test_settings_are_read_in_one_place() -> None:
    """Two modules of funnel read settings; elsewhere the environment is only passed on to processes."""
    allowed = {"cli.py", "settings.py", "secret_store.py", "dbt_run.py", "metricflow_shell.py"}
    for path in OURS:
        if path.name not in allowed and path.parent.name != "installation":
            assert "os.environ" not in path.read_text(), path
    for path in (ROOT / "dags").glob("*.py"):
        assert "os.environ" not in path.read_text(), path


def test_superset_and_the_pipeline_do_not_import_each_other() -> None:
    """They have environments of their own: an import would fail on every machine."""

    def imported(paths: list[Path]) -> set[str]:
        found: set[str] = set()
        for path in paths:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add((node.module or "").split(".")[0])
        return found

    ours = [
        path
        for folder in ("plugins", "installation", "authoring", "dags", "bench")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert not imported(ours) & {"superset", "flask", "flask_caching"}
    theirs = sorted((ROOT / "dashboards").glob("*.py"))
    assert len(theirs) >= 12
    assert not imported(theirs) & {"funnel", "airflow", "installation", "authoring", "dags", "sandbox", "bench"}
