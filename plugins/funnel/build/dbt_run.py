"""Builds: dbt turns `raw` into `marts`, in this process, under the build lock.

This module selects what dbt runs, and turns a dbt failure into a message with the model or test, the rows and what to
do. The meaning of the numbers is in `dbt_project/`; `funnel.gate` checks them.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from funnel import ledger, settings, warehouse
from funnel.build import errors
from funnel.build.computations import catalogue, engine
from funnel.build.errors import BuildFailed
from funnel.ingest import load
from funnel.reporting import lineage

PROJECT = settings.REPOSITORY / "dbt_project"


THREADS = "2"


SAMPLE_ROWS = 5


# Rates are quoted weekly and reach the marts by the days they change, links of records are a mart of their own; unit
# tests and metrics change no row. Any other change of the project changes the meaning of old rows: all is built again.
HARMLESS = ("currency_rates.csv", "record_links.csv", "_unit_tests.yml", "_metrics.yml")


# Migrations with functions that models share with analysts (BLD-16).
FORMULAS = "*_formula.sql"


# The models that depend on a statistic, and are built after it.
STATISTICS = "source:statistics+"


@dataclass(frozen=True)
class BuildResult:
    """A finished build: `rows_changed` counts the rows each mart gained, lost or changed since the last publication."""

    build_id: int
    as_of: datetime
    is_full: bool
    seconds: float
    rows_changed: dict[str, int]

    def __str__(self) -> str:
        kind = "full" if self.is_full else "incremental"
        changed = [count for count in self.rows_changed.values() if count]
        return (
            f"build {self.build_id} ({kind}) as of {self.as_of:%Y-%m-%d %H:%M}Z in {self.seconds:.1f} s; "
            f"{sum(changed):,} rows changed in {len(changed)} of {len(self.rows_changed)} marts"
        )


def build(full: bool = False, project_dir: Path | None = None) -> BuildResult:
    """Build and test the marts from everything loaded since the publication in effect, or from all of raw if `full`.

    Raises BuildFailed if dbt fails; what is published stays as it is, and the next build starts from it again.
    """
    started = time.monotonic()
    project = Path(project_dir or PROJECT)
    load.create_tables()
    with ledger.build_lock() as connection:
        stated = rules(project)
        opened = ledger.open_build(connection, fingerprint(stated), full=full, rules=stated)
        try:
            _build_models(connection, project, opened)
        except BaseException as error:
            ledger.close_build(connection, opened.build_id, "failed", str(error)[:10_000])
            raise
        ledger.close_build(connection, opened.build_id, "built")
        rows_changed = _count_changes(connection, opened)
    return BuildResult(opened.build_id, opened.as_of, opened.is_full, time.monotonic() - started, rows_changed)


def docs(project_dir: Path | None = None) -> Path:
    """Write the documentation of the dbt project as one HTML file that needs no network; returns its path. Raises
    BuildFailed.
    """
    project = Path(project_dir or PROJECT)
    outcome = _invoke(project, "docs", "generate", "--static")
    if not outcome.success:
        raise BuildFailed(f"dbt could not write its documentation: {outcome.exception or outcome.result}")
    return _folder() / "target" / "static_index.html"


def semantic_manifest(project_dir: Path | None = None) -> str:
    """The metrics of the project as the JSON text that MetricFlow reads. Needs no database. Reading the project takes
    seconds, so that the text is kept until a file of it changes. Raises BuildFailed.
    """
    project = Path(project_dir or PROJECT)
    path = _folder() / f"semantic_manifest_{_hash_files(project, _files(project, 'models', 'macros', 'seeds'))}.json"
    if not path.exists():
        from dbt.contracts.graph.semantic_manifest import SemanticManifest

        read = _invoke(project, "parse")
        if not read.success:
            raise BuildFailed(
                f"dbt could not read the project: {read.exception}\nWhat to do: correct the file it names."
            )
        for older in _folder().glob("semantic_manifest_*.json"):
            older.unlink(missing_ok=True)
        written = path.with_suffix(f".{os.getpid()}")
        SemanticManifest(read.result).write_json_to_file(str(written))
        written.rename(path)
    return path.read_text()


def rules(project: Path) -> ledger.Rules:
    """What gives rows their meaning: the hash of the code with its statistics, the hash of each seed, and the value of
    each variable of dbt_project.yml.
    """
    import yaml

    configured = yaml.safe_load((project / "dbt_project.yml").read_text())
    variables = configured.pop("vars", {})
    paths = [path for path in _files(project, "models", "macros", "seeds") if not path.name.endswith(HARMLESS)]
    seeds = [path for path in paths if path.suffix == ".csv"]
    code = _hash_files(project, (path for path in paths if path not in seeds and path.name != "dbt_project.yml"))
    code += json.dumps(configured, sort_keys=True) + catalogue.fingerprint()
    # Models call the functions of these migrations: another formula is other code.
    code += "".join(path.read_text() for path in sorted(ledger.MIGRATIONS.glob(FORMULAS)))
    return {
        "code": hashlib.sha256(code.encode()).hexdigest()[:16],
        **{str(path.relative_to(project)): _hash_files(project, iter([path])) for path in seeds},
        **{name: json.dumps(value, ensure_ascii=False) for name, value in variables.items()},
    }


def fingerprint(stated: ledger.Rules) -> str:
    """A hash of all rules. It changes whenever old rows might get another meaning."""
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()[:16]


def _files(project: Path, *folders: str) -> Iterator[Path]:
    yield project / "dbt_project.yml"
    for folder in folders:
        yield from sorted(path for path in (project / folder).rglob("*") if path.suffix in (".sql", ".csv", ".yml"))


def _hash_files(project: Path, paths: Iterator[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(project)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build_models(connection: psycopg.Connection[Any], project: Path, opened: ledger.Build) -> None:
    """Run dbt on the selected models: first those that need no statistic, then the statistics, then the models that
    read them.

    Views hold no rows and change only with the project, and a changed project is built in full; tests tagged
    `full_build` check what the database enforces or what only a full build can break. Seeds are loaded if their files
    differ from what the database holds. The project is parsed once for both runs.
    """
    wanted = _hash_files(project, _files(project, "seeds"))
    stored = connection.execute(
        "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = 'seeds'"
    ).fetchone()
    has_seeds = stored is not None and stored[0] == wanted
    if not has_seeds or opened.is_full:
        connection.execute("comment on schema seeds is null")
    options, excluded = selection(is_full=opened.is_full, has_seeds=has_seeds)
    read = _invoke(project, "parse")
    if not read.success:
        raise BuildFailed(_explain(connection, read))
    wanted_statistics = _statistics_of(read.result)
    after = [STATISTICS] if wanted_statistics else []
    _run_dbt(connection, project, read.result, "build", *options, *_exclude(*excluded, *after))
    if wanted_statistics:
        try:
            engine.run(connection, opened, wanted_statistics)
        except errors.StatisticsFailed as error:
            raise BuildFailed(str(error)) from error
        _run_dbt(connection, project, read.result, "build", *options, "--select", STATISTICS, *_exclude(*excluded))
    if not has_seeds or opened.is_full:
        connection.execute(sql.SQL("comment on schema seeds is {}").format(sql.Literal(wanted)))


def selection(*, is_full: bool, has_seeds: bool) -> tuple[list[str], list[str]]:
    """Options of `dbt build` and what it excludes: the models of a build and the tests that it runs."""
    # Excluding the views excludes their own tests, but not every test that reads a view and other tables.
    options = ["--exclude-resource-type", "unit_test", "--indirect-selection", "empty"]
    # The database enforces the keys of tables, and one query checks those of all views of raw rows; one query per view
    # would cost as much as building it.
    excluded = ["test_name:grain", "test_name:grain_of_loaded_rows"]
    if has_seeds and not is_full:
        options += ["--exclude-resource-type", "seed"]
    if not is_full:
        excluded += ["path:models/staging", "config.materialized:view", "tag:full_build"]
        if has_seeds:
            excluded += ["path:seeds"]
    return options, excluded


def _statistics_of(manifest: Any) -> list[catalogue.Computation]:
    """The computations whose tables the project reads."""
    above = {parent for node in manifest.nodes.values() for parent in node.depends_on_nodes}
    read = {
        each.name for each in manifest.sources.values() if each.source_name == "statistics" and each.unique_id in above
    }
    return [each for each in catalogue.COMPUTATIONS if each.name in read]


def _exclude(*selectors: str) -> list[str]:
    return ["--exclude", *selectors] if selectors else []


def _run_dbt(connection: psycopg.Connection[Any], project: Path, manifest: Any, *command: str) -> None:
    outcome = _invoke(project, *command, manifest=manifest)
    profile = _profile()
    lineage.report_models(manifest, outcome.result, {"host": profile["DBT_HOST"], "port": profile["DBT_PORT"]})
    if not outcome.success:
        raise BuildFailed(_explain(connection, outcome))


def _folder() -> Path:
    return settings.read().home / "dbt"


def _invoke(project: Path, *command: str, manifest: Any = None) -> Any:
    """Run a dbt command in this process, on an already parsed project if its manifest is given.

    dbt is imported here because that takes seconds.
    """
    from dbt.cli.main import dbtRunner

    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [
        *command,
        *("--project-dir", str(project)),
        *("--profiles-dir", str(project)),
        *("--target-path", str(folder / "target")),
        *("--log-path", str(folder / "logs")),
        *("--log-level", "none"),
        *("--log-level-file", "info"),
    ]
    if command[0] in ("build", "parse"):
        arguments += ["--threads", THREADS, "--no-write-json"]
    with _environment(_profile()):
        return dbtRunner(manifest=manifest).invoke(arguments)


def _profile() -> dict[str, str]:
    """The environment variables that profiles.yml reads: the builder's login."""
    parts = conninfo_to_dict(settings.dsn("builder"))
    return {
        "DBT_HOST": str(parts.get("host") or "127.0.0.1"),
        "DBT_PORT": str(parts.get("port") or 5432),
        "DBT_USER": str(parts["user"]),
        "DBT_PASSWORD": str(parts.get("password") or ""),
        "DBT_DATABASE": str(parts["dbname"]),
        "DBT_SSLMODE": str(parts.get("sslmode") or "prefer"),
        "DO_NOT_TRACK": "1",
    }


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _explain(connection: psycopg.Connection[Any], outcome: Any) -> str:
    """The message of a failed dbt run: what failed, on which rows, and what to do."""
    if outcome.exception is not None or outcome.result is None:
        return (
            f"dbt could not read the project: {outcome.exception}\n"
            f"What to do: correct the file it names; the whole log is {_folder() / 'logs' / 'dbt.log'}."
        )
    failed = [result for result in outcome.result.results if str(result.status) in ("error", "fail", "runtime error")]
    told = [_explain_node(connection, result) for result in failed[:5]]
    if len(failed) > 5:
        told.append(f"… and {len(failed) - 5} more.")
    told.append(f"Nothing was published. The whole log is {_folder() / 'logs' / 'dbt.log'}.")
    return "\n".join(told)


def _explain_node(connection: psycopg.Connection[Any], result: Any) -> str:
    node = result.node
    kind = node.resource_type.value if hasattr(node.resource_type, "value") else str(node.resource_type)
    if kind == "test" and str(result.status) == "fail":
        return (
            f"Test {node.name} failed on {result.failures} rows ({node.original_file_path}).\n"
            f"{_sample(connection, node.compiled_code)}"
            "What to do: look the rows up in raw by these keys; repair the rule in dbt_project, or the delivery and "
            "ingest its days again."
        )
    message = " ".join(str(result.message).split())
    return (
        f"{kind.capitalize()} {node.name} could not be built: {message[:2000]}\n"
        f"What to do: see {node.original_file_path}; the statement is in {_folder() / 'target' / 'run'}."
    )


def _sample(connection: psycopg.Connection[Any], query: str | None) -> str:
    """A few of the rows that violate a test. Keys in the warehouse are hashes and vendor ids, never addresses."""
    if not query:
        return ""
    try:
        with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            rows = cursor.execute(query.encode()).fetchmany(SAMPLE_ROWS)
    except psycopg.Error:
        return ""
    return "".join(f"  {json.dumps(row, default=str)}\n" for row in rows)


def _count_changes(connection: psycopg.Connection[Any], opened: ledger.Build) -> dict[str, int]:
    schema = "marts" if opened.is_full else "marts_changes"
    return {
        name: connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))).fetchone()[0]  # type: ignore[index]
        for name in warehouse.tables(connection, "marts")
    }
