"""The inbox in Airflow's tasks: object storage by an Airflow connection, refusals reported after the loads."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from funnel.sources import files

MANIFEST = "source: acme_crm\ncurrency: USD\nstreams: [{entity: leads, path: leads.csv}]\n"


class Bucket(MemoryFileSystem):
    """An object store that requires the key of the Airflow connection. It lists `/bucket/…`."""

    protocol = "s3"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    cachable = False

    def __init__(self, key: str | None = None, secret: str | None = None) -> None:
        super().__init__()
        if (key, secret) != ("AKIA", "hidden"):
            raise PermissionError("AccessDenied")

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("s3://", "memory://")))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    from airflow.sdk import BaseHook
    from airflow.sdk.io import fs, store

    def opened(conn_id: str | None, options: Any) -> Bucket:
        found = BaseHook.get_connection(conn_id or "")
        return Bucket(found.login, found.password)

    monkeypatch.setattr(Bucket, "store", {})
    monkeypatch.setattr(Bucket, "pseudo_dirs", [""])
    monkeypatch.setattr(store, "_STORE_CACHE", {})
    monkeypatch.setattr(fs, "_register_filesystems", lambda: {"s3": opened})
    entry = {"conn_type": "aws", "login": "AKIA", "password": "hidden"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_INBOX", json.dumps(entry))
    monkeypatch.setenv("FUNNEL_INBOX", "s3://aws_inbox@exports/in")
    return Bucket("AKIA", "hidden")


def test_an_inbox_on_object_storage_is_opened_with_the_airflow_connection_in_its_url(bucket: Bucket) -> None:
    from funnel.orchestration import connections

    bucket.pipe("/exports/in/acme.yml", MANIFEST.encode())
    bucket.pipe("/exports/in/leads.csv", b"lead_id\n1\n2\n")
    connection = connections.inbox_connection("acme_crm")
    assert files.connections(connection.base_url, connection.extra["filesystem"]) == (("acme_crm",), ())
    story, table = files.SOURCE.fetch(connection, files.SOURCE.stream("leads"), None)  # type: ignore[arg-type]
    assert (
        json.loads(story)["file"]["rows_loaded"] == len(list(files.records(files.SOURCE.stream("leads"), table))) == 2
    )


def test_object_storage_without_the_right_key_is_an_error(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    from funnel.orchestration import connections

    monkeypatch.setenv("AIRFLOW_CONN_AWS_INBOX", json.dumps({"conn_type": "aws", "login": "AKIA", "password": "old"}))
    with pytest.raises(PermissionError):
        connections.inbox_connection("acme_crm")


def test_a_broken_manifest_is_reported_after_the_others_are_loaded(
    warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from funnel.orchestration import errors, tasks

    class TaskInstance:
        """The XComs that two tasks of a run exchange."""

        told: ClassVar[dict[str, Any]] = {}

        def xcom_push(self, key: str, value: Any) -> None:
            self.told["list_inbox", key] = value

        def xcom_pull(self, task_ids: str, key: str) -> Any:
            return self.told.get((task_ids, key))

    monkeypatch.setenv("FUNNEL_INBOX", str(tmp_path))
    monkeypatch.setattr(tasks, "get_current_context", lambda: {"ti": TaskInstance(), "run_id": "run"})
    (tmp_path / "acme.yml").write_text(MANIFEST)
    (tmp_path / "broken.yml").write_text("source: Sales Team\nstreams: [{entity: leads, path: leads.csv}]\n")
    assert tasks.list_inbox.function() == ["acme_crm"]
    with pytest.raises(errors.FilesRefused, match=r"^broken.yml: source is 'Sales Team'; write a name"):
        tasks.report_refused_files.function("files")
    (tmp_path / "broken.yml").unlink()
    assert tasks.list_inbox.function() == ["acme_crm"]
    tasks.report_refused_files.function("files")
