"""Lineage is off by default, removes texts that quote rows, and never fails a task. Its contents: test_installation."""

import json
import logging
import subprocess
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from funnel import settings
from funnel.reporting import lineage
from installation import airflow_setup, environments, ports


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    monkeypatch.setenv("SANDBOX", "off")


def test_without_the_setting_nothing_of_it_is_configured_or_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (None, ""):
        if url is not None:
            monkeypatch.setenv("OPENLINEAGE_URL", url)
        assert not lineage.is_on()
        assert not [name for name in airflow_setup.airflow_environment() if name.startswith("AIRFLOW__OPENLINEAGE")]
    lineage.report_models(object(), object(), {})
    script = (
        "import sys; from funnel.build import dbt_run; from funnel.orchestration import tasks; "
        "from funnel.reporting import lineage; from installation import services; lineage.report_models(1, 1, {});"
        "print([name for name in sys.modules if name.startswith('openlineage')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environments.environment(), capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_one_setting_switches_airflow_and_dbt_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://marquez:5000")
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "key")
    assert lineage.is_on()
    made = airflow_setup.airflow_environment()
    assert json.loads(made["AIRFLOW__OPENLINEAGE__TRANSPORT"]) == lineage.transport()
    assert lineage.transport()["transport"]["auth"] == {"type": "api_key", "apiKey": "key"}
    assert made["AIRFLOW__OPENLINEAGE__NAMESPACE"] == "funnel"


def test_texts_that_may_quote_rows_are_taken_out_of_every_event() -> None:
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import error_message_run, parent_run, sql_job

    from funnel.reporting.lineage_contents import WithoutContents

    run_id = str(uuid.uuid4())
    above = parent_run.ParentRunFacet(run=parent_run.Run(run_id), job=parent_run.Job("funnel", "build"))
    error = error_message_run.ErrorMessageRunFacet("row ada@example.com", "PYTHON", "File …")
    event = RunEvent(
        eventTime="2026-11-23T00:00:00Z",
        producer=lineage.PRODUCER,
        eventType=RunState.FAIL,
        run=Run(run_id, {"errorMessage": error, "parent": above}),
        job=Job("funnel", "build", {"sql": sql_job.SQLJobFacet("select 'ada@example.com'")}),
    )
    sent = WithoutContents({}).transform(event)
    assert set(sent.run.facets) == {"parent"}
    assert sent.job.facets == {}


def test_a_receiver_that_does_not_answer_costs_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{ports.free_port()}")
    event = SimpleNamespace(run=None, job=None)
    monkeypatch.setattr(lineage, "_model_events", lambda *arguments: [event])
    with caplog.at_level(logging.WARNING, "funnel.reporting.lineage"):
        lineage.report_models(object(), object(), {})
    assert f"Lineage was not sent to {settings.read().lineage_url}" in caplog.text
