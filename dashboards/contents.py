"""The asset files as Superset imports them, completed with derived and installation-specific values.

A metric without an expression gets that of dbt_project/models/semantic, under its own name or the one after
`formula_of`, over the rows where the column after `only` is true; a chart's query_context is derived from its params;
the rest of a dashboard and the line under a chart's title are derived by `layout`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import formulas
import layout
import queries
import yaml

ASSETS = Path(__file__).resolve().parent / "assets"


def complete(warehouse_uri: str, currency: str) -> dict[str, str]:
    """The text of every asset file by its path."""
    assets = layout.Assets(ASSETS)
    kinds: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "databases": lambda database: database | {"sqlalchemy_uri": warehouse_uri},
        "datasets": lambda dataset: with_formulas(dataset, currency),
        "charts": lambda chart: (
            chart
            | {"query_context": queries.query_context(chart["params"]), "description": layout.subtitle(chart, assets)}
        ),
        "dashboards": lambda board: layout.complete(board, assets),
    }
    contents = {}
    for path in sorted(ASSETS.rglob("*.yaml")):
        name = path.relative_to(ASSETS)
        complete_one = kinds.get(name.parts[0])
        text = path.read_text()
        if complete_one:
            text = yaml.safe_dump(complete_one(yaml.safe_load(text)), allow_unicode=True, sort_keys=False)
        contents[name.as_posix()] = text
    return contents


def with_formulas(dataset: dict[str, Any], currency: str) -> dict[str, Any]:
    """The dataset with an expression for every metric, and money in this currency."""
    return dataset | {"metrics": [_metric(each, currency) for each in dataset["metrics"]]}


def _metric(metric: dict[str, Any], currency: str) -> dict[str, Any]:
    named = {key: value for key, value in metric.items() if key not in ("formula_of", "only")}
    defined = metric.get("formula_of") or metric["metric_name"]
    expression = metric.get("expression") or formulas.formula(defined, metric.get("only", ""))
    money = {"currency": metric["currency"] | {"symbol": currency}} if metric.get("currency") else {}
    return named | {"expression": expression} | money
