"""The data dictionary: tables, columns, what may be added, how tables join, and metrics, from the project's YAML.

`write` makes one page that opens from the file system; run as a program, this module writes docs/tables.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from funnel import settings
from funnel.build.dbt_run import PROJECT

TABLES_PAGE = settings.REPOSITORY / "docs" / "tables.md"
NUMBERS = ("numeric", "bigint", "integer", "smallint")
KINDS = {
    "The funnel": "fct_funnel_",
    "Answers": "rpt_",
    "Facts": "fct_",
    "Dimensions": "dim_",
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1b2733 }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem }
td, th { border-bottom: 1px solid #dde3e9; padding: .3rem .5rem; text-align: left; vertical-align: top }
code { font-size: .92em } summary { cursor: pointer; padding: .3rem 0 } .quiet { color: #5b6b7a }
"""


@dataclass(frozen=True)
class Table:
    """A table of bi as its contract states it."""

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[dict[str, Any], ...]

    @property
    def kind(self) -> str:
        """The heading under which it is listed."""
        return next(heading for heading, prefix in KINDS.items() if self.name.startswith(prefix))

    @property
    def numbers(self) -> list[str]:
        """Its columns that hold numbers."""
        return [column["name"] for column in self.columns if column["data_type"] in NUMBERS]


@cache
def tables() -> tuple[Table, ...]:
    """The tables and views that readers see, by name."""
    found = []
    for model in _stated("marts", "models"):
        key = next(
            test[name]["arguments"]["columns"]
            for test in model["data_tests"]
            for name in ("grain", "grain_of_view")
            if name in test
        )
        columns = tuple(column for column in model["columns"] if not column["name"].startswith("_"))
        found.append(Table(model["name"], model["description"], tuple(key), columns))
    return tuple(sorted(found, key=lambda table: table.name))


@cache
def adding_up() -> dict[str, Mapping[str, Any]]:
    """What adding_up.yml says of each table."""
    import yaml

    found: dict[str, Mapping[str, Any]] = yaml.safe_load(Path(__file__).with_name("adding_up.yml").read_text())
    return found


def joins() -> list[tuple[str, str, str]]:
    """Table, dimension and column of each join by the durable key of a dimension."""
    keys = {table.key[0]: table.name for table in tables() if table.name.startswith("dim_") and len(table.key) == 1}
    keys |= {"lead_key": "fct_leads", "opportunity_key": "fct_opportunities"}
    return [
        (table.name, keys[column["name"]], column["name"])
        for table in tables()
        for column in table.columns
        if column["name"] in keys
        and keys[column["name"]] != table.name
        and not table.name.endswith("_default")
        # Every table has days and most have a channel: a line for each would hide the others.
        and column["name"] not in ("date_day", "channel")
    ]


def tables_page() -> str:
    """The text of docs/tables.md."""
    diagram = [f"    {one} }}o--|| {other} : {column}" for one, other, column in joins()]
    lines = [INTRODUCTION.strip(), "", "```mermaid", "erDiagram", *diagram, "```", "", ADDING.strip()]
    for table in tables():
        stated = adding_up().get(table.name, {})
        if stated.get("adds"):
            listed = [", ".join(f"`{name}`" for name in stated.get(part, [])) for part in ("adds", "within")]
            lines.append(f"| `{table.name}` | {listed[0]} | {listed[1]} | {stated.get('only', '')} |")
    return "\n".join([*lines, ""])


def write(others: Mapping[str, Path]) -> Path:
    """Write the dictionary as one page with links to `others`; returns its path."""
    folder = settings.read().home / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text("\n".join(_page(others)))
    return path


INTRODUCTION = """
# Tables of `bi`

Generated from the contracts (`python -m funnel.questions.dictionary`); a test compares. `make docs` writes the
dictionary with every column. Each table joins `dim_dates` by a day and, if it has one, `dim_channels` by `channel`.
"""
ADDING = """
## What may be added

Ratios are never added or averaged: divide sums. Views `_default` have one attribution model, one clock and one total. A
test adds every measure that the funnel also has, and compares.

| table | may be added | only within one | rows |
|---|---|---|---|
"""
WELCOME = """
<!doctype html><html lang=en><meta charset=utf-8><title>Funnel warehouse: data dictionary</title>
<h1>Funnel warehouse: data dictionary</h1>
<p>One set of numbers for marketing and sales. Everything here is in schema <code>bi</code>, published after its audit;
<code>bi.data_status</code> says up to which day it is complete. Begin with
<a href=#fct_funnel_daily>fct_funnel_daily</a> for what happened on each day,
<a href=#fct_funnel_cohorts_default>fct_funnel_cohorts_default</a> for what became of the leads of a month, and
<a href=#metrics>metrics</a> for ratios: <code>make ask METRIC="leads, win rate by month"</code>.</p>
"""


def _page(others: Mapping[str, Path]) -> Iterator[str]:
    yield WELCOME.strip()
    yield f"<style>{STYLE}</style>"
    pages = ", ".join(
        f"<a href='{escape(path.resolve().as_uri())}'>{escape(name)}</a>" for name, path in others.items()
    )
    yield f"<p class=quiet>More pages: {pages}.</p>" if pages else ""
    for heading in KINDS:
        yield f"<h2>{heading}</h2>"
        for table in tables():
            if table.kind == heading:
                yield from _table(table)
    yield "<h2 id=metrics>Metrics</h2><table><tr><th>metric<th>label<th>formula and limits</tr>"
    for metric in sorted(_stated("semantic", "metrics"), key=lambda one: one["name"]):
        cells = "<td>".join(escape(metric[part]) for part in ("label", "description"))
        yield f"<tr><td><code>{metric['name']}</code><td>{cells}</tr>"
    yield "</table></html>"


def _table(table: Table) -> Iterator[str]:
    stated = adding_up().get(table.name, {})
    description = f"<span class=quiet>{escape(table.description)}</span>"
    yield f"<details id={table.name}><summary><b>{table.name}</b> {description}</summary>"
    if stated.get("within"):
        yield f"<p>Add rows only within one value of {', '.join(stated['within'])}.</p>"
    if stated.get("only"):
        yield f"<p>Rows: {escape(stated['only'])}.</p>"
    yield "<table><tr><th>column<th>type<th>may be added<th>meaning</tr>"
    for column in table.columns:
        name = column["name"]
        adds = "yes" if name in stated.get("adds", []) else "no" if name in table.numbers else ""
        adds += f", within one {', '.join(stated['within'])}" if adds == "yes" and stated.get("within") else ""
        mark = " <span class=quiet>key</span>" if name in table.key else ""
        meaning = escape(column["description"])
        yield f"<tr><td><code>{name}</code>{mark}<td>{column['data_type']}<td>{adds}<td>{meaning}</tr>"
    yield "</table></details>"


def _stated(folder: str, part: str) -> Iterator[dict[str, Any]]:
    import yaml

    for path in sorted((PROJECT / "models" / folder).glob("*.yml")):
        yield from yaml.safe_load(path.read_text()).get(part) or ()


if __name__ == "__main__":
    TABLES_PAGE.write_text(tables_page())
