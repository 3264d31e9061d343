"""Lineage as OpenLineage events: which stream of a vendor fills which raw table, and which raw tables a mart is made
of.

`OPENLINEAGE_URL` switches it on; without it OpenLineage is not imported and nothing is sent. Airflow's provider reports
the tasks' runs, with the data sets from this module; the models of a build are reported from dbt's manifest and
results, which are still in memory, by the processor of OpenLineage's dbt integration.

Events name streams, tables, columns and jobs, never their contents: `WithoutContents` removes error texts, statements
and code from every event. If the receiver does not answer, a warning is logged; no build fails.
"""

import logging
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from funnel import settings
from funnel.contract import Stream, raw_table

log = logging.getLogger(__name__)

PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/main/integration/dbt"
NAMESPACE = "funnel"
TIMEOUT_SECONDS = 5
# Facets that quote rows, messages of vendors, or the code and statements that a task runs.
CONTENTS = ("errorMessage", "extractionError", "sql", "sourceCode", "externalQuery")

# The task of this process, `<namespace>/<job>/<run id>`.
parent: ContextVar[str | None] = ContextVar("parent", default=None)


def is_on() -> bool:
    """True if OPENLINEAGE_URL is set."""
    return settings.read().lineage_url is not None


def transport() -> dict[str, Any]:
    """Where events go and what is removed from them first, for the client and for Airflow's provider alike."""
    receiver: dict[str, Any] = {
        "type": "http",
        "url": settings.read().lineage_url,
        "timeout": TIMEOUT_SECONDS,
        "retry": {"total": 1},
    }
    if key := settings.lineage_key():
        receiver["auth"] = {"type": "api_key", "apiKey": key}
    return {
        "type": "transform",
        "transformer_class": "funnel.reporting.lineage_contents.WithoutContents",
        "transport": receiver,
    }


# --- data sets -----------------------------------------------------------------------------------------------------


def warehouse() -> tuple[str, str]:
    """Namespace and database of every table, as in dbt's events."""
    parts = conninfo_to_dict(settings.dsn("pipeline"))
    return f"postgres://{parts.get('host') or '127.0.0.1'}:{parts.get('port') or 5432}", str(parts["dbname"])


def table(schema: str, name: str, stream: Stream | None = None) -> Any:
    """The data set of a warehouse table, with its columns if the stream is given."""
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import schema_dataset

    namespace, database = warehouse()
    facets: dict[str, Any] = {}
    if stream:
        columns = [column for declared in stream.columns for column in declared.raw_columns]
        fields = [schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in columns]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    return Dataset(namespace=namespace, name=f"{database}.{schema}.{name}", facets=facets)


def vendor(source_name: str, connection_id: str, stream_name: str) -> Any:
    """The data set of a vendor's stream, as one connection reads it."""
    from openlineage.client.event_v2 import Dataset

    return Dataset(namespace=f"{source_name}://{connection_id}", name=stream_name)


def of_task(task_name: str, arguments: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """The data sets that a task reads and writes, by its name and its arguments."""
    from funnel.sources import SOURCES

    given = list(arguments)
    if task_name == "extract":
        source_name, connection_id = given
        return [vendor(source_name, connection_id, stream.name) for stream in SOURCES[source_name].streams], []
    if task_name in ("load", "accept"):
        return _of_load(given[-1])
    if task_name == "check":
        source = SOURCES[given[0]]
        return [table("raw", raw_table(source, stream)) for stream in source.streams], []
    if task_name == "publish":
        marts = _published()
        return [table("marts", name) for name in marts], [table("bi", name) for name in marts]
    return [], []


def _of_load(landed: Iterable[str]) -> tuple[list[Any], list[Any]]:
    from funnel.ingest import landing
    from funnel.sources import SOURCES

    inputs, outputs = [], []
    for path in landed:
        read = landing.read_manifest(path)
        source = SOURCES[read.source]
        stream = source.stream(read.stream)
        inputs.append(vendor(read.source, read.connection_id, read.stream))
        outputs.append(table("raw", raw_table(source, stream), stream))
    return inputs, outputs


def _published() -> list[str]:
    from funnel import warehouse

    with warehouse.connect("pipeline") as connection:
        return sorted({*warehouse.tables(connection, "bi")} & {*warehouse.tables(connection, "marts")})


# --- models --------------------------------------------------------------------------------------------------------


def report_models(manifest: Any, results: Any, adapter: dict[str, str]) -> None:
    """Send an event for each model that dbt has built, with its inputs and columns. Never raises."""
    if not is_on() or not results:
        return
    try:
        from openlineage.client import OpenLineageClient

        client = OpenLineageClient(config={"transport": transport()})
        for event in _model_events(manifest, results, adapter):
            client.emit(event)
    except Exception as error:
        log.warning("Lineage was not sent to %s: %s", settings.read().lineage_url, error)


def _model_events(manifest: Any, results: Any, adapter: dict[str, str]) -> list[Any]:
    from dbt.artifacts.schemas.run import RunResultsArtifact
    from openlineage.common.provider.dbt.processor import DbtArtifactProcessor

    told = RunResultsArtifact.from_execution_results(
        results=results.results,
        elapsed_time=results.elapsed_time,
        generated_at=results.generated_at,
        args={"vars": {}, "invocation_command": ""},
    ).to_dict(omit_none=False)
    # Only what was built: tests and audits have their own records, in ops.checks.
    told["args"] = {"which": "run"}

    class Processor(DbtArtifactProcessor):
        def get_dbt_metadata(self) -> tuple[Any, ...]:
            written = manifest.writable_manifest().to_dict(omit_none=False)
            return written, told, {"type": "postgres", **adapter}, None

        def dbt_run_run_facet(self) -> dict[str, Any]:
            return {}

    processor = Processor(producer=PRODUCER, job_namespace=NAMESPACE, skip_errors=True, logger=log)
    above = parent.get()
    if above:
        from openlineage.common.provider.dbt.facets import ParentRunMetadata

        namespace, job, run_id = above.rsplit("/", 2)
        processor.dbt_run_metadata = ParentRunMetadata(run_id=run_id, job_name=job, job_namespace=namespace)
    return list(processor.parse().events())
