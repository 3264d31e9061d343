"""The audit of dependencies, against an advisory service on this machine: clean, vulnerable, not reached."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from authoring import audit
from funnel.settings import REPOSITORY
from installation.ports import free_port


@contextmanager
def advisories(known: dict[str, str], status: int = 200) -> Iterator[str]:
    """An OSV service that knows one vulnerability for each of these packages; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            name = asked["package"]["name"]
            found: dict[str, Any] = {}
            if name in known:
                event = [{"introduced": "0"}, {"fixed": "9.9"}]
                affected = [
                    {"package": {"ecosystem": "PyPI", "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": event}]}
                ]
                found = {"vulns": [{"id": known[name], "summary": "made up", "affected": affected}]}
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    file = tmp_path / "pipeline.txt"
    file.write_text("jinja2==3.1.6\nhttpx==0.28.1\n")
    return file


@pytest.mark.parametrize(
    ("known", "outcome", "said"),
    [
        ({}, audit.CLEAN, "pipeline: 2 packages asked for, 0 with known vulnerabilities"),
        ({"jinja2": "GHSA-1"}, audit.VULNERABLE, "pipeline: jinja2 3.1.6: GHSA-1, fixed in 9.9"),
    ],
)
def test_what_the_service_knows_is_reported(
    pinned: Path,
    capsys: pytest.CaptureFixture[str],
    known: dict[str, str],
    outcome: int,
    said: str,
) -> None:
    with advisories(known) as address:
        assert audit.audit(pinned, address) == outcome
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("failure", ["not reached", "answers 500"])
def test_a_service_that_does_not_answer_is_never_green(
    pinned: Path, capsys: pytest.CaptureFixture[str], failure: str
) -> None:
    with advisories({}, status=500) as address:
        service = address if failure == "answers 500" else f"http://127.0.0.1:{free_port()}/v1/query"
        assert audit.audit(pinned, service) == audit.UNKNOWN
    assert "the advisory service was not reached, so nothing is known." in capsys.readouterr().out


def test_every_package_of_a_running_system_is_listed_and_no_tool(tmp_path: Path) -> None:
    """The lists are what uv exports from the two lock files; a stand-in for uv notes what it is asked for."""
    tool = tmp_path / "uv"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    tool.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [str(REPOSITORY / "bin" / "list-packages"), str(tmp_path), "cyclonedx1.5", str(tmp_path / "sbom")]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(tmp_path / "sbom" / f"{name}.json") for name in ("pipeline", "dashboards")]
    pipeline, dashboards = (tmp_path / "asked").read_text().splitlines()
    assert "--no-default-groups --group servers --project . " in pipeline
    assert "--no-default-groups --project dashboards " in dashboards
