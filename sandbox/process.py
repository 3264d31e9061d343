"""Starts a sandbox in a process of its own and controls it; used by tests of every layer."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.clock import moment
from sandbox.credentials import connections
from sandbox.scenario import Scenario
from sandbox.worlds import build

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Handle:
    """A running sandbox. `base_url` speaks HTTP; `tls_url` https, trusted through `ca_file`, when TLS was asked for.

    `scratch` is removed with it.
    """

    process: subprocess.Popen[bytes]
    base_url: str
    control_token: str
    scenario: str
    seed: int
    anchor: date
    tls_url: str | None = None
    ca_file: Path | None = None
    scratch: Path | None = None
    now: str | None = None
    _scenario: Scenario | None = field(default=None, repr=False)

    def control(self, method: str, action: str, body: Any = None) -> Any:
        status, text = _ask(self.base_url, method, f"/_control/{action}", body, self.control_token)
        if status != 200:
            raise RuntimeError(f"The sandbox refused {method} {action} {body}: {text}")
        return json.loads(text)

    def set_now(self, now: str | None) -> None:
        """Move the company's clock; None returns to the real one, by whole days unless started with clock="seconds"."""
        self.control("POST", "now", {"now": now})
        self.now = now

    def misbehave(self, vendor: str, fault: str, times: int | None = 1, **parameters: Any) -> None:
        """Make one vendor fail in a named way for the next matching requests; times=None means until reset."""
        self.control("POST", "misbehave", {"vendor": vendor, "fault": fault, "times": times, **parameters})

    def set(self, **settings: Any) -> None:
        """Change settings: page sizes, limits, rate limits."""
        self.control("POST", "settings", settings)

    def reset(self) -> None:
        """Real clock, no faults, default settings, empty log, all tokens forgotten."""
        self.control("POST", "reset")
        self.now = None

    def requests(self) -> list[dict[str, Any]]:
        """The log of vendor requests since start or reset."""
        logged: list[dict[str, Any]] = self.control("GET", "requests")["requests"]
        return logged

    def connections(self) -> dict[str, dict[str, Any]]:
        """Airflow Connections as `python -m sandbox connections` prints them, as of the clock if it is set."""
        if self._scenario is None:
            self._scenario = build(self.scenario, self.seed, self.anchor)
        return connections(self._scenario, self.base_url, moment(self.now) if self.now else None)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)


def _ask(base_url: str, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, str]:
    """One request that ignores any proxy of the environment."""
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, {"X-Control-Token": token})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    scenario: str = "company",
    seed: int = 7,
    anchor: date | str = date(2026, 11, 23),
    port: int = 0,
    tls: bool = False,
    control_token: str = "sandbox-control",
    rate_limits: str = "off",
    clock: str = "days",
    now: str | None = None,
    tls_dir: Path | None = None,
) -> Handle:
    """A sandbox that answers; port 0 chooses a free one."""
    anchor = date.fromisoformat(anchor) if isinstance(anchor, str) else anchor
    port = port or free_port()
    command = [
        sys.executable, "-m", "sandbox", "--scenario", scenario, "--seed", str(seed), "--anchor", anchor.isoformat(),
        "--port", str(port), "--control-token", control_token, "--rate-limits", rate_limits, "--clock", clock,
    ]  # fmt: skip
    if now:
        command += ["--now", now]
    tls_port = None
    scratch = None
    if tls:
        tls_port = free_port()
        if tls_dir is None:
            tls_dir = scratch = Path(tempfile.mkdtemp(prefix="sandbox-tls-"))
        command += ["--tls-port", str(tls_port), "--tls-dir", str(tls_dir)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    handle = Handle(
        process,
        f"http://127.0.0.1:{port}",
        control_token,
        scenario,
        seed,
        anchor,
        f"https://localhost:{tls_port}" if tls_port else None,
        tls_dir / "ca.pem" if tls_port and tls_dir else None,
        scratch,
        now,
    )
    _wait(handle)
    return handle


def _wait(handle: Handle, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if handle.process.poll() is not None:
            raise RuntimeError(
                f"The sandbox ended with code {handle.process.returncode} before it answered; its message is above. "
                "A port in use is the usual reason."
            )
        try:
            status, text = _ask(handle.base_url, "GET", "/_control/health")
            if status == 200 and json.loads(text)["pid"] == handle.process.pid:
                return
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            pass
        time.sleep(0.05)
    handle.stop()
    raise RuntimeError(f"The sandbox did not answer at {handle.base_url} within {seconds:.0f} seconds.")


@contextmanager
def running(**options: Any) -> Iterator[Handle]:
    """A sandbox for the duration of a with block."""
    handle = start(**options)
    try:
        yield handle
    finally:
        handle.stop()
