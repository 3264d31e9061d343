"""Validates the metrics of `dbt_project/models/semantic` and computes them from published data.

MetricFlow writes the statements, which run as the readers' role on schema `bi`, so that a metric equals the dashboard's
figure. No formula is here. MetricFlow and dbt are imported inside functions because that takes seconds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from funnel import settings, warehouse
from funnel.build import dbt_run
from funnel.build.errors import MetricsError

if TYPE_CHECKING:
    from metricflow.engine.metricflow_engine import MetricFlowEngine
    from metricflow_semantic_interfaces.implementations.semantic_manifest import PydanticSemanticManifest

READER: settings.Role = "bi_reader"


@dataclass(frozen=True)
class Validation:
    """The result of `validate`; `answered` is the number of metrics that the warehouse was queried for."""

    metrics: int
    semantic_models: int
    answered: int

    def __str__(self) -> str:
        asked = f"{self.answered} of them answered by the warehouse" if self.answered else "not run against a warehouse"
        return f"{self.metrics} metrics over {self.semantic_models} semantic models are valid; {asked}"


class Metrics:
    """The metrics of a project. They are parsed once, which takes seconds; a query then takes milliseconds."""

    def __init__(self, project_dir: Path | None = None) -> None:
        self.project = Path(project_dir or dbt_run.PROJECT)

    @cached_property
    def manifest(self) -> "PydanticSemanticManifest":
        """The definitions as MetricFlow reads them, over schema `bi`."""
        from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest

        return parse_manifest_from_dbt_generated_manifest(json.dumps(self.over_bi()))

    def over_bi(self) -> dict[str, Any]:
        """dbt's semantic manifest, with the tables of schema `bi`."""
        written: dict[str, Any] = json.loads(dbt_run.semantic_manifest(self.project))
        places = [one["node_relation"] for one in written["semantic_models"]]
        places += [one["node_relation"] for one in written["project_configuration"]["time_spines"]]
        for place in places:
            place["schema_name"] = "bi"
            place["relation_name"] = f'"bi"."{place["alias"]}"'
        return written

    @cached_property
    def engine(self) -> "MetricFlowEngine":
        """MetricFlow's engine, used to write statements only."""
        from metricflow.engine.metricflow_engine import MetricFlowEngine
        from metricflow.sql.render.postgres import PostgresSQLSqlPlanRenderer
        from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

        return MetricFlowEngine(SemanticManifestLookup(self.manifest), _Writer(PostgresSQLSqlPlanRenderer()))

    def names(self) -> list[str]:
        """All metrics, in the order of their names."""
        return sorted(metric.name for metric in self.manifest.metrics)

    def statement(self, names: Sequence[str], by: Sequence[str] = (), where: Sequence[str] = ()) -> str:
        """The SQL that computes these metrics, grouped `by` names such as metric_time__month or funnel_cell__channel.

        Raises MetricsError if MetricFlow cannot answer the question.
        """
        from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

        request = MetricFlowQueryRequest.create(
            metric_names=list(names), group_by_names=list(by), where_constraints=list(where) or None
        )
        try:
            return str(self.engine.explain(request).sql_statement.without_descriptions.sql)
        except Exception as error:
            raise MetricsError(
                f"MetricFlow cannot answer {', '.join(names)} by {', '.join(by) or 'nothing'}: {error}"
            ) from error

    def group_bys(self, name: str) -> list[str]:
        """What a metric can be grouped by, such as metric_time__month and funnel_cell__channel."""
        found = self.engine.simple_dimensions_for_metrics([name])
        return sorted({one.dunder_name for one in found})

    def ask(self, names: Sequence[str], by: Sequence[str] = (), where: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The values of metrics from published data, one dictionary per group. Raises MetricsError."""
        text = self.statement(names, by, where)
        with warehouse.connect(READER) as connection:
            return warehouse.dicts(connection, text)

    def validate(self, *, with_warehouse: bool) -> Validation:
        """Check every definition, and with a warehouse that every metric can be answered.

        Raises MetricsError with everything that is wrong.
        """
        from metricflow_semantic_interfaces.validations.semantic_manifest_validator import SemanticManifestValidator

        issues = SemanticManifestValidator[Any]().validate_semantic_manifest(self.manifest)
        wrong = [issue.as_readable_str() for issue in issues.errors]
        wrong += [
            f"Metric {one.name} has no label or no description." for one in self.manifest.metrics if not _said(one)
        ]
        answered = 0
        if with_warehouse and not wrong:
            with warehouse.connect(READER) as connection:
                for name in self.names():
                    try:
                        connection.execute(f"explain {self.statement([name])}".encode())
                        answered += 1
                    except (psycopg.Error, MetricsError) as error:
                        connection.rollback()
                        wrong.append(f"Metric {name} is not answered: {' '.join(str(error).split())[:500]}")
        if wrong:
            raise MetricsError(
                f"{len(wrong)} faults of metrics:\n" + "\n".join(f"  {text}" for text in wrong) + "\n"
                "What to do: correct them in dbt_project/models/semantic; a column that is missing may wait for "
                "the next publication."
            )
        return Validation(len(self.manifest.metrics), len(self.manifest.semantic_models), answered)


def is_published() -> bool:
    """True if a warehouse is running and holds published tables."""
    try:
        with warehouse.connect(READER, connect_timeout=5) as connection:
            return warehouse.has_table(connection, "bi", "fct_funnel_daily")
    except warehouse.WarehouseError:
        return False


def _said(metric: Any) -> bool:
    """True if the metric has a label, and a description that states its limits."""
    return bool(metric.label and metric.description and "Limits: " in metric.description)


@dataclass(frozen=True)
class _Writer:
    """The database client that MetricFlow needs to write PostgreSQL statements. It runs none."""

    sql_plan_renderer: Any

    @property
    def sql_engine_type(self) -> Any:
        from metricflow.protocols.sql_client import SqlEngine

        return SqlEngine.POSTGRES

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        return f"%({bind_parameter_key})s"

    def query(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("Statements are run by `ask`, as the role of readers.")

    execute = dry_run = query

    def close(self) -> None:
        """Does nothing: no connection is open."""
