"""A source has one name, and it is the same in every place."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from funnel.contract import raw_table
from funnel.sources import SOURCES, VENDORS, files

ROOT = Path(__file__).parents[2]
SANDBOX_SOURCES = {
    "exchange_rates",
    "google_ads",
    "meta_ads",
    "linkedin_ads",
    "microsoft_ads",
    "hubspot",
    "salesforce",
    "ga4",
    "shopify",
}


def modules(folder: str) -> set[str]:
    """Modules, and packages with the same name."""
    found = {path.stem for path in (ROOT / folder).glob("*.py")} | {
        path.parent.name for path in (ROOT / folder).glob("*/__init__.py")
    }
    return found - {"__init__"}


def test_connector_modules_are_the_sources() -> None:
    assert modules("plugins/funnel/sources") == set(SOURCES) == {source.name for source in SOURCES.values()}


def test_expectation_modules_are_the_sources() -> None:
    assert modules("expectations/raw") == set(SOURCES)


def test_staging_folders_are_the_sources() -> None:
    folders = {path.name for path in (ROOT / "dbt_project/models/staging").iterdir() if path.is_dir()}
    assert folders - {"ops", "statistics"} == set(SOURCES)


def test_the_sandbox_simulates_every_source_but_the_inbox() -> None:
    """Files need no simulated protocol: they are put into a folder."""
    assert set(VENDORS) == SANDBOX_SOURCES
    assert modules("sandbox") >= SANDBOX_SOURCES


def test_every_raw_table_has_staging_and_every_staging_model_a_raw_table() -> None:
    tables = {raw_table(source, stream) for source in SOURCES.values() for stream in source.streams}
    read: set[str] = set()
    for path in (ROOT / "dbt_project/models/staging").glob("*/stg_*.sql"):
        if path.parent.name in ("ops", "statistics"):
            continue
        assert path.name.startswith(f"stg_{path.parent.name}__"), path
        found = re.findall(r"source\(\s*'(\w+)'\s*,\s*'(\w+)'\s*\)", path.read_text())
        assert found, f"{path} reads no source"
        read |= {table if "__" in table else f"{schema}__{table}" for schema, table in found}
    assert read == tables


def test_no_module_hides_behind_a_vague_name() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "base", "misc", "core"}
    tracked = [
        path
        for folder in ("plugins", "installation", "authoring", "dags", "expectations", "sandbox", "bench", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    # Its environment is inside it.
    tracked += (ROOT / "dashboards").glob("*.py")
    assert len(tracked) > 40
    assert not [path for path in tracked if path.stem in vague or path.parent.name in vague]


def test_no_module_of_the_plugin_folder_shadows_a_library() -> None:
    """Airflow executes every file under plugins/ by its bare name, unless .airflowignore hides it."""
    assert (ROOT / "plugins/.airflowignore").read_text().split() == ["funnel/"]
    assert [path.name for path in (ROOT / "plugins").glob("*.py")] == ["web_guard.py"]


def test_no_module_has_the_name_of_a_library() -> None:
    """A reader of a traceback with `limits` or `statistics` should not have to ask whether it is ours."""
    libraries = set(packages_distributions()) | set(sys.stdlib_module_names)
    for folder in ("plugins", "installation", "authoring", "dags", "expectations", "sandbox", "bench"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.parent.name if path.stem == "__init__" else path.stem
            # A source has one name everywhere, even if the vendor's own library has the same one.
            assert name not in libraries - {*SOURCES, "__main__"}, path


def test_there_is_one_list_of_sources() -> None:
    """Code that needs the sources, or the vendors among them, imports `funnel.sources`."""
    assert set(SOURCES) == files.VENDORS
    lists = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("plugins", "installation", "authoring", "dags", "bench")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Set, ast.List, ast.Tuple))
        and len({one.value for one in node.elts if isinstance(one, ast.Constant)} & set(SOURCES)) > 3
    }
    assert lists == set()
