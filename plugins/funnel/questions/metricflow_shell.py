"""MetricFlow's own command `mf`, on this installation: as `bi_reader`, over schema `bi`.

`mf` reads a dbt project and its parsed metrics. It gets a project of its own in FUNNEL_HOME/mf, whose tables are those
of `bi`; the metrics are the same.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from funnel import settings
from funnel.build.metrics import READER, Metrics

PROJECT = """\
name: funnel
version: "1.0.0"
config-version: 2
profile: funnel
flags:
  send_anonymous_usage_stats: false
"""
PROFILE = """\
funnel:
  target: warehouse
  outputs:
    warehouse:
      type: postgres
      host: "{{ env_var('PGHOST') }}"
      port: "{{ env_var('PGPORT') | int }}"
      user: "{{ env_var('PGUSER') }}"
      password: "{{ env_var('PGPASSWORD') }}"
      dbname: "{{ env_var('PGDATABASE') }}"
      sslmode: "{{ env_var('PGSSLMODE') }}"
      schema: bi
      threads: 1
"""


def run(arguments: Sequence[str]) -> None:
    """Replace this process by `mf` with these arguments."""
    folder = lay()
    os.chdir(folder)
    program = Path(sys.executable).with_name("mf")
    os.execve(program, [str(program), *arguments], {**os.environ, **environment(folder)})  # noqa: S606


def lay() -> Path:
    """Write the project that `mf` reads; returns its folder. It holds no password."""
    folder = settings.read().home / "mf"
    (folder / "target").mkdir(parents=True, exist_ok=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILE)
    (folder / "target" / "semantic_manifest.json").write_text(json.dumps(Metrics().over_bi()))
    return folder


def environment(folder: Path) -> dict[str, str]:
    """The variables that `mf` reads: the login of readers, and its project."""
    parts = conninfo_to_dict(settings.dsn(READER))
    return {
        "PGHOST": str(parts.get("host") or "127.0.0.1"),
        "PGPORT": str(parts.get("port") or 5432),
        "PGUSER": str(parts["user"]),
        "PGPASSWORD": str(parts.get("password") or ""),
        "PGDATABASE": str(parts["dbname"]),
        "PGSSLMODE": str(parts.get("sslmode") or "prefer"),
        "DBT_PROFILES_DIR": str(folder),
        "DBT_PROJECT_DIR": str(folder),
        "DO_NOT_TRACK": "1",
    }
