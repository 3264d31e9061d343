"""The formula of a metric as SQL over a dataset's columns, from its one definition in dbt_project/models/semantic.

MetricFlow reads the same definitions. Grouping and joins are the dataset's: only the expression is written here. A
count of no rows is 0; a sum and a ratio of no rows are null.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SEMANTIC = Path(__file__).resolve().parents[1] / "dbt_project" / "models" / "semantic"
AGGREGATES = {
    "sum": "sum({})",
    "max": "max({})",
    "min": "min({})",
    "count": "count({})",
    "count_distinct": "count(distinct {})",
    "median": "percentile_cont(0.5) within group (order by {})",
}


class FormulaError(Exception):
    """A metric cannot be written as SQL. The message names it and what to do."""


def formula(name: str, only: str = "") -> str:
    """The expression of a metric, over the rows where the column `only` is true if it is given. A metric's filter is
    applied by the dataset. Raises FormulaError.
    """
    metrics, measures = _definitions()
    if name not in metrics:
        raise FormulaError(
            f"No file of dbt_project/models/semantic defines the metric {name}. Define it there, or write an "
            "expression in the dataset if it is a figure of the ledger."
        )
    kind, parameters = metrics[name]["type"], metrics[name]["type_params"]
    if kind == "simple":
        return _aggregated(measures[_name(parameters["measure"])], only)
    if kind == "ratio":
        denominator = formula(_name(parameters["denominator"]), only)
        return f"{_operand(parameters['numerator'], only)} / nullif({denominator}, 0)::numeric"
    if kind == "derived":
        inputs = {each.get("alias") or each["name"]: each["name"] for each in map(_input, parameters["metrics"])}
        return re.sub(
            r"\b[a-z_]+\b",
            lambda word: _operand(inputs[word[0]], only) if word[0] in inputs else word[0],
            parameters["expr"],
        )
    raise FormulaError(
        f"The metric {name} is of type {kind}, which a dataset cannot compute. Write its expression there."
    )


@cache
def _definitions() -> tuple[dict[str, Any], dict[str, Any]]:
    """All metrics and all measures by their names."""
    metrics: dict[str, Any] = {}
    measures: dict[str, Any] = {}
    for path in sorted(SEMANTIC.glob("*.yml")):
        written = yaml.safe_load(path.read_text())
        metrics |= {each["name"]: each for each in written.get("metrics", [])}
        for model in written.get("semantic_models", []):
            measures |= {each["name"]: each for each in model.get("measures", [])}
    return metrics, measures


def _aggregated(measure: dict[str, Any], only: str) -> str:
    expression = str(measure.get("expr", measure["name"]))
    indicator = re.fullmatch(r"case when (.+) then 1 else 0 end", expression)
    conditions = [only] if only else []
    if measure["agg"] == "sum" and (expression == "1" or indicator):
        text = "count(*)"
        conditions += [indicator[1]] if indicator else []
    else:
        text = AGGREGATES[measure["agg"]].format(expression)
    return f"{text} filter (where {' and '.join(conditions)})" if conditions else text


def _operand(reference: Any, only: str) -> str:
    """A metric's expression, in brackets if it is one of several terms."""
    name = _name(reference)
    text = formula(name, only)
    return f"({text})" if _definitions()[0][name]["type"] != "simple" else text


def _input(reference: Any) -> dict[str, Any]:
    return {"name": reference} if isinstance(reference, str) else reference


def _name(reference: Any) -> str:
    return str(_input(reference)["name"])
