"""Files as people send them, read by the inbox itself: no database, no Airflow."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from funnel.inbox import intake, manifest
from funnel.inbox.errors import Refused

DEALS = {"opportunity_id": "id", "stage": "stage", "amount": "amount", "created_at": "created"}
STAGES = {"stage": {"W": "won", "L": "lost", "O": "opportunity"}}


@dataclass(frozen=True)
class Read:
    """The result of one file."""

    outcome: intake.Outcome
    rows: list[dict[str, Any]]
    bad: list[str]
    refusal: str | None

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.outcome.rows_read, self.outcome.rows_loaded, self.outcome.rows_quarantined

    def column(self, name: str) -> list[Any]:
        return [row.get(name) for row in self.rows]


def spec_of(entity: str = "opportunities", columns: dict[str, Any] | None = DEALS, **settings: Any) -> Any:
    """The stream of a manifest with these settings."""
    stream = {"entity": entity, "path": "*", "columns": columns, **settings}
    if columns is DEALS:
        stream.setdefault("map", STAGES)
    written = {"source": "acme_crm", "currency": "BRL", "timezone": "America/Sao_Paulo", "streams": [stream]}
    return manifest.parse(json.dumps(written).encode(), "acme.yml").streams[0]


def read_file(content: str | bytes, name: str = "deals.csv", **settings: Any) -> Read:
    """Read one file with the stream of a manifest."""
    spec = spec_of(**settings)
    source = io.BytesIO(content.encode() if isinstance(content, str) else content)
    outcome = intake.Outcome(name, spec.entity.name, *intake.fingerprint(source, spec), None)
    try:
        with intake.take(source, spec, outcome) as taken:
            tables = (batch for table in taken.tables for batch in pa.ipc.open_stream(table))
            rows = [{**row, **taken.constants} for batch in tables for row in batch.to_pylist()]
            return Read(outcome, rows, [intake.in_words(row) for row in taken.bad], None)
    except Refused as refused:
        return Read(outcome, [], list(outcome.reasons), refused.reason)


@pytest.fixture
def read() -> Callable[..., Read]:
    return read_file
