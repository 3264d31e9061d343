"""Clients whose packages do not fit ours, each in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOREIGN = Path(__file__).parent / "foreign"


# Where bin/uv-sync puts uv; asked before any test moves FUNNEL_HOME.
KEPT = Path(os.environ.get("FUNNEL_HOME", ".local")).absolute() / "bootstrap"


def run_apart(name, *arguments):
    """The output of foreign/read_<name>.py, in an environment of foreign/<name>.txt that uv creates and caches."""
    found = (shutil.which("uv"), *(str(path) for path in (KEPT / "bin/uv", KEPT / "lib/bin/uv") if path.exists()))
    uv = next((path for path in found if path), None)
    if uv is None:
        pytest.skip("uv is not on the PATH: it makes the environment of a client whose packages do not fit ours.")
    command = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    command += ["--with-requirements", FOREIGN / f"{name}.txt", "python", FOREIGN / f"read_{name}.py", *arguments]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
    if "started" not in run.stdout:
        pytest.skip(f"The environment of {name} cannot be made here: {run.stderr.strip()[-300:]}")
    assert run.returncode == 0, run.stderr[-2_000:]
    return json.loads(run.stdout.splitlines()[-1])
