"""Renders the dbt macros in the queries of suites, so that "what a build touched" has one definition.

`dbt_project/macros/touched.sql` is the one definition of `changed`, `touched` and `is_touched`. This module supplies
what dbt supplies in a model: the place of a table, its key, and the loads since the last publication. dbt is not
imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from funnel import settings

MACROS = settings.REPOSITORY / "dbt_project" / "macros" / "touched.sql"
# The schema of a model by the prefix of its name.
LAYERS = {"stg": "staging", "int": "intermediate"}
SPOKEN = ("changes", "touched", "changed", "is_touched", "is_loaded_since")


@dataclass(frozen=True)
class Relation:
    """A table or view of the dbt project."""

    schema: str
    identifier: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.identifier}"


def relation_of_model(name: str) -> Relation:
    """The relation that `ref` returns in the query of a suite."""
    return Relation(LAYERS.get(name.partition("_")[0], "marts"), name)


def relation_of_source(source: str, table: str) -> Relation:
    """The relation that `source` returns in the query of a suite: a table of the ledger, or of `raw`."""
    return Relation("ops" if source == "ops" else "raw", table)


def given(*, is_full: bool, keys: Mapping[str, tuple[str, ...]], words: Mapping[str, str]) -> dict[str, Any]:
    """The names that queries and macros may use: `keys` of the marts by name, `words` such as as_of_date with their
    values.
    """
    return {
        "execute": True,
        "is_full_build": lambda: is_full,
        "key_of": lambda name: keys[name],
        "ref": relation_of_model,
        "source": relation_of_source,
        **{name: partial(str, text) for name, text in words.items()},
    }


def rendered(query: str, given: Mapping[str, Any]) -> str:
    """The query of a suite with its macros filled in."""
    macros = _template(MACROS.read_text()).make_module(dict(given))
    spoken = {name: getattr(macros, name) for name in SPOKEN}
    return _template(query).render({**given, **spoken}).strip()


@cache
def _environment() -> Environment:
    # The output is SQL for PostgreSQL, not HTML.
    return Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701


@cache
def _template(text: str) -> Template:
    """Compiled once per text: the macros alone take ten milliseconds, and each query of an audit needs them."""
    return _environment().from_string(text)
