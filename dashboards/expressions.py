"""SQL expressions in requests for chart data: only those who may use SQL Lab write them (DSH-11).

Charts name columns and metrics of a dataset. Superset takes every other text in their places as SQL.
"""

from collections.abc import Iterable
from typing import Any

# Superset adds it to samples of a dataset.
COUNT = "COUNT(*)"
AGGREGATES = ("AVG", "COUNT", "COUNT_DISTINCT", "MAX", "MIN", "SUM")
# The time column of a query, whatever its name.
TIME = ("__timestamp", "__time_range")


def find_expression(query: Any, columns: set[str], metrics: set[str]) -> str | None:
    """The first part of a query object that is not a name of the dataset, in words; None if all are names."""
    fields = [*query.columns, *query.series_columns, query.granularity, *_keys(query.filter, "col")]
    measured = [*(query.metrics or ()), query.series_limit_metric]
    sorted_by = [each[0] if isinstance(each, list | tuple) else each for each in query.orderby]
    # A column may have a label by which the result is sorted.
    labels = {each["label"] for each in [*query.columns, *measured] if isinstance(each, dict) and "label" in each}
    for each in filter(None, fields):
        if not _is_column(each, columns | metrics | set(TIME)):
            return f"the column {_text(each)}"
    for each in filter(None, measured):
        if not _is_metric(each, columns, metrics):
            return f"the metric {_text(each)}"
    for each in filter(None, sorted_by):
        if not (_is_column(each, columns | metrics | labels | set(TIME)) or _is_metric(each, columns, metrics)):
            return f"the order by {_text(each)}"
    for clause in ("where", "having"):
        if query.extras.get(clause):
            return f"the {clause} clause {_text(query.extras[clause])}"
    return "an annotation" if query.annotation_layers else None


def _keys(filters: Iterable[Any], key: str) -> list[Any]:
    return [each.get(key) for each in filters]


def _is_column(given: Any, names: set[str]) -> bool:
    if isinstance(given, dict):
        return "sqlExpression" in given and isinstance(given["sqlExpression"], str) and given["sqlExpression"] in names
    return isinstance(given, str) and given in names


def _is_metric(given: Any, columns: set[str], metrics: set[str]) -> bool:
    if not isinstance(given, dict):
        return isinstance(given, str) and given in metrics
    if given.get("expressionType") == "SIMPLE":
        column = given.get("column") or {}
        return column.get("column_name") in columns and given.get("aggregate") in AGGREGATES
    return given.get("sqlExpression") == COUNT


def _text(given: Any) -> str:
    found = given.get("sqlExpression") or given.get("label") if isinstance(given, dict) else given
    return repr(str(found)[:80])
