"""Waiting for other DAGs without holding a slot."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from airflow.sdk import (
    BaseOperator,
    Context,
)
from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TaskSuccessEvent


class IngestsOver(BaseTrigger):
    """Fires when none of the given DAGs has a queued or running run, or when the longest waiting time has passed."""

    PAUSE_SECONDS = 2.0

    def __init__(self, dag_ids: list[str], deadline_seconds: float) -> None:
        super().__init__()
        self.dag_ids = dag_ids
        self.deadline_seconds = deadline_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The import path of this class, and its arguments, for the triggerer."""
        return (
            "funnel.orchestration.waiting.IngestsOver",
            {"dag_ids": self.dag_ids, "deadline_seconds": self.deadline_seconds},
        )

    async def run(self) -> AsyncIterator[TaskSuccessEvent]:
        """Check every two seconds; one event ends the task."""
        deadline = time.monotonic() + self.deadline_seconds
        while late := [dag_id for dag_id in self.dag_ids if await asyncio.to_thread(self._is_active, dag_id)]:
            if time.monotonic() > deadline:
                self.log.warning("not waiting any longer for %s", ", ".join(late))
                break
            await asyncio.sleep(self.PAUSE_SECONDS)
        yield TaskSuccessEvent()

    @staticmethod
    def _is_active(dag_id: str) -> bool:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        return RuntimeTaskInstance.get_dr_count(dag_id=dag_id, states=["queued", "running"]) > 0


class WaitForIngests(BaseOperator):
    """Waits in the triggerer only: it needs neither a worker slot nor a process of its own."""

    start_from_trigger = True

    def __init__(self, *, source_names: Iterable[str], deadline_minutes: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        dag_ids = [f"ingest__{name}" for name in source_names]
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="funnel.orchestration.waiting.IngestsOver",
            trigger_kwargs={"dag_ids": dag_ids, "deadline_seconds": deadline_minutes * 60.0},
            next_method="execute",
        )

    def execute(self, context: Context) -> None:
        """Does nothing: the trigger has waited already."""
