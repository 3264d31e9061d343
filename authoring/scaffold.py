"""`make new-source`: writes the first version of the files that CONTRIBUTING.md lists for a new source.

The files import, parse and pass the tests of names and layers; the connector reads nothing yet and says so. Existing
files are not overwritten. Work that needs knowledge of the vendor remains to be done: its errors, its numbers, its
tests.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from funnel import settings


class ScaffoldError(Exception):
    """The files of this source cannot be written. The message says why."""


@dataclass(frozen=True)
class Scaffold:
    """The written and changed files, and the work that is left."""

    written: tuple[str, ...]
    changed: tuple[str, ...]
    left: tuple[str, ...]


_CONNECTOR = '''"""{title}: say here what is read, over which interface, and whose days these are."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from funnel.contract import Column, Connection, Source, Stream, Window
from funnel.rest import bodies
from funnel.rest.client import Dialect
from funnel.rest.errors import refuse
from funnel.rest.messages import Answer, Diagnosis, Request

DEFAULT_VERSION = "v1"

STREAMS = (
    Stream(
        name="daily_stats",
        kind="dated",
        key=("account_id", "date"),
        day="date",
        columns=(
            Column("date", "date", "date", required=True),
            Column("account_id", "text", "account_id", required=True),
        ),
    ),
)


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
    """The bodies of a stream as the vendor sends them, page by page."""
    raise refuse(
        "{name}",
        connection,
        "its connector is a scaffold that asks nothing yet",
        "Write fetch in plugins/funnel/sources/{name}.py: a Request, a paginator of rest.pages, read_pages.",
    )


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The records of one body."""
    yield from bodies.listed(bodies.read_json(body), "data")


def _sign(connection: Connection, token: str, request: Request) -> Request:
    return replace(request, headers={{**request.headers, "Authorization": f"Bearer {{token}}"}})


def _diagnose(answer: Answer) -> Diagnosis | None:
    """Say in the words of rest.errors what each of the vendor's error bodies asks for."""
    return None


DIALECT = Dialect("{name}", sign=_sign, diagnose=_diagnose)

SOURCE = Source(
    name="{name}",
    streams=STREAMS,
    # Say for how many days the vendor still changes a day, and why.
    restatement_days=1,
    fetch=fetch,
    records=records,
)
'''

_STAGING_SQL = """select
    -- ids
    _connection_id as connection_id,
    account_id,
    _load_id as load_id,

    -- dates
    date as date_day,
    _fetched_at as fetched_at
from {{{{ source('{name}', '{name}__daily_stats') }}}}
"""

_STAGING_YML = """version: 2

sources:
  - name: {name}
    description: Raw streams of {title} as the loader stores them, columns as declared in funnel.sources.{name}.
    schema: raw
    tables:
      - name: {name}__daily_stats

models:
  - name: stg_{name}__daily_stats
    description: >-
      One row per day and account of {title}.
    data_tests:
      - grain_of_loaded_rows:
          arguments:
            columns: [connection_id, account_id, date_day]
    columns:
      - name: connection_id
        description: Connection of the row.
      - name: account_id
        description: The vendor's account.
      - name: load_id
        description: Load that wrote the row, see ops.loads.
      - name: date_day
        description: Day as the vendor cuts it.
      - name: fetched_at
        description: When the row was fetched.
"""

_EXPECTATIONS = '''"""Checks of the rows that {title} delivered."""

import great_expectations.expectations as gxe

CRITICAL = {{
    "daily_stats": [
        gxe.ExpectColumnValuesToNotBeNull(column="account_id", description="every row has an account"),
    ],
}}

WARNING: dict[str, list[object]] = {{}}

# One row per stream that passes every expectation.
PASSING = {{"daily_stats": {{"date": "2026-01-05", "account_id": "1"}}}}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {{"daily_stats": {{"every row has an account": [{{"account_id": None}}]}}}}
'''

_SANDBOX = '''"""{title} as it answers over HTTP: say here what is served, and what the vendor refuses."""

from __future__ import annotations

from typing import Any

from sandbox.exchange import Call, Handler, World

VENDOR = "{name}"
ROUTES: tuple[tuple[str, str, Handler], ...] = ()


def stream_of(world: World, call: Call) -> str | None:
    return None


def is_later_page(call: Call) -> bool:
    return False


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("data") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last."""
    return payload
'''

_CONNECTION = """## {name}

Say here, step by step, how to get the keys of {title}.

| field | value |
|---|---|
| host | the base URL, with its scheme |
| password | the access token |
| extra.version | default `v1` |

"""

# Paths before the colon, as in CONTRIBUTING.md, "Add a source"; a test compares.
_LEFT = (
    "plugins/funnel/sources/{name}.py: the real streams, fetch, the vendor's errors, restatement_days and why",
    "dbt_project/models/staging/{name}/: one model per stream, named as the business speaks",
    "dbt_project/models/intermediate/: one block in each union",
    "dbt_project/macros/ad_platforms.sql: one line, for an ad platform",
    "dbt_project/seeds/: its values, for an ad platform utm_platforms, conversion_actions and campaign_channel_rules",
    "expectations/raw/{name}.py: the checks of its rows, with the poison that violates each expectation",
    "expectations/marts/fct_ad_stats_daily.py: one block in the batch `landed`, for an ad platform",
    "sandbox/{name}.py: its wire format, errors and limits",
    "sandbox/server.py, sandbox/faults/, sandbox/credentials.py, sandbox/README.md: its paths, errors, connection",
    "sandbox/advertising.py: its accounts and campaigns in the fictional company, for an ad platform",
    "tests/fixtures/{name}/: make record SOURCE={name}, real responses of the vendor, scrubbed",
    "tests/sources/, tests/sandbox/: all its streams, each of its errors with the expected result, refused requests",
    "docs/connections.md: how to fill in its connection; deletions, merges and late changes of its streams",
    "docs/decisions/vendors.md: what its numbers mean",
)


def make(name: str, root: Path = settings.REPOSITORY) -> Scaffold:
    """Write the files of the source `name` under `root`. Raises ScaffoldError before anything is written."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise ScaffoldError(
            f"{name!r} is not a valid source name: use lower-case letters, digits and single underscores (acme_ads)."
        )
    title = name.replace("_", " ").title()
    files = {
        f"plugins/funnel/sources/{name}.py": _CONNECTOR,
        f"dbt_project/models/staging/{name}/stg_{name}__daily_stats.sql": _STAGING_SQL,
        f"dbt_project/models/staging/{name}/_{name}.yml": _STAGING_YML,
        f"expectations/raw/{name}.py": _EXPECTATIONS,
        f"sandbox/{name}.py": _SANDBOX,
    }
    taken = [path for path in files if (root / path).exists()]
    if taken:
        raise ScaffoldError(f"There are files of {name} already: {', '.join(taken)}. Nothing was written.")
    changes = {path: change(root, name, title) for path, change in _CHANGES.items()}
    for path, template in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(template.format(name=name, title=title))
    for path, text in changes.items():
        (root / path).write_text(text)
    return Scaffold(tuple(files), tuple(changes), tuple(line.format(name=name) for line in _LEFT))


def _insert(root: Path, path: str, pattern: str, addition: str) -> str:
    """The text of a file with `addition` before each place that matches."""
    text = (root / path).read_text()
    changed, places = re.subn(pattern, lambda found: addition + str(found[0]), text, count=1)
    if not places:
        raise ScaffoldError(f"{path} has changed: {pattern!r} was not found in it. Nothing was written.")
    return changed


def _register(root: Path, name: str, title: str) -> str:
    path = "plugins/funnel/sources/__init__.py"
    text = _insert(root, path, r"        files\.SOURCE,\n", f"        {name}.SOURCE,\n")
    imported = re.search(r"from funnel\.sources import \(\n(.*?)\)", text, re.DOTALL)
    if imported is None:
        raise ScaffoldError(f"{path} has changed: no list of imports was found. Nothing was written.")
    names = sorted([*re.findall(r"\w+", imported[1]), name])
    return text.replace(imported[1], "".join(f"    {one},\n" for one in names))


_CHANGES: dict[str, Callable[[Path, str, str], str]] = {
    "plugins/funnel/sources/__init__.py": _register,
    "tests/architecture/test_names.py": lambda root, name, title: _insert(
        root, "tests/architecture/test_names.py", r'    "google_ads",\n', f'    "{name}",\n'
    ),
    "docs/connections.md": lambda root, name, title: _insert(
        root, "docs/connections.md", r"## When it does not work\n", _CONNECTION.format(name=name, title=title)
    ),
}
