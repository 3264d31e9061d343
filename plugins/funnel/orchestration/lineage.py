"""The data sets that a task reads and writes, for OpenLineage's provider."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Create `Lineage` when OpenLineage's provider imports it from here."""
    if name != "Lineage":
        raise AttributeError(name)
    from airflow.providers.openlineage.extractors import BaseExtractor, OperatorLineage

    class Lineage(BaseExtractor):
        @classmethod
        def get_operator_classnames(cls) -> list[str]:
            return ["_PythonDecoratedOperator"]

        def _execute_extraction(self) -> Any:
            # Before the task has run, an argument may still be an XCom reference.
            return None

        def extract_on_complete(self, task_instance: Any) -> Any:
            from funnel.reporting import lineage

            # With several connections, tasks are in a group named after theirs.
            task_name = self.operator.task_id.rpartition(".")[2]
            inputs, outputs = lineage.of_task(task_name, [*self.operator.op_args, *self.operator.op_kwargs.values()])
            return OperatorLineage(inputs=inputs, outputs=outputs)

    return Lineage
