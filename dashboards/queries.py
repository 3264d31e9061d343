"""The `query_context` of a chart, derived from its `params`: Superset needs it for exports and the API.

It is computed when the files are imported, so that a chart's file states each setting once.
"""

import json
from typing import Any

# Charts that show one number, or the same number of two periods.
SINGLE = ("big_number", "big_number_total", "pop_kpi")
SINGLE_ROWS = 1000


def query_context(params: dict[str, Any]) -> str:
    """The query context of a chart with these params."""
    context = {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [_query(params)],
        "form_data": params,
        "result_format": "json",
        "result_type": "full",
    }
    return json.dumps(context, ensure_ascii=False)


def metrics(params: dict[str, Any]) -> list[str]:
    """The metrics of a chart."""
    return [*params.get("metrics", []), *([params["metric"]] if params.get("metric") else [])]


def _query(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "filters": [_filter(each) for each in params["adhoc_filters"]],
        "extras": {"having": "", "where": ""},
        "applied_time_extras": {},
        "columns": _columns(params),
        "metrics": metrics(params),
        "orderby": _order(params),
        "annotation_layers": [],
        "row_limit": SINGLE_ROWS if params["viz_type"] in SINGLE else params["row_limit"],
        "series_columns": params.get("groupby", []) if "x_axis" in params else [],
        "series_limit": 0,
        "url_params": {},
        "custom_params": {},
        "custom_form_data": {},
        **({"time_offsets": [params["time_compare"]]} if "time_compare" in params else {}),
        **({"post_processing": _pivot(params)} if _is_over_time(params) and "groupby" in params else {}),
    }


def _filter(adhoc: dict[str, Any]) -> dict[str, Any]:
    value = {} if adhoc.get("comparator") is None else {"val": adhoc["comparator"]}
    return {"col": adhoc["subject"], "op": adhoc["operator"], **value}


def _is_over_time(params: dict[str, Any]) -> bool:
    return "time_grain_sqla" in params


def _columns(params: dict[str, Any]) -> list[Any]:
    groups: list[Any] = params.get("all_columns") or params.get("groupby", [])
    if "x_axis" not in params:
        return groups
    return [_time_axis(params) if _is_over_time(params) else params["x_axis"], *groups]


def _time_axis(params: dict[str, Any]) -> dict[str, str]:
    return {
        "columnType": "BASE_AXIS",
        "sqlExpression": params["x_axis"],
        "label": params["x_axis"],
        "expressionType": "SQL",
        "timeGrain": params["time_grain_sqla"],
    }


def _order(params: dict[str, Any]) -> list[Any]:
    """The order: that of the table itself; bars of categories by their first metric, the largest first."""
    if "order_by_cols" in params:
        return [json.loads(each) for each in params["order_by_cols"]]
    if "timeseries_limit_metric" in params:
        return [[params["timeseries_limit_metric"], not params["order_desc"]]]
    return [[metrics(params)[0], False]] if "x_axis" in params and not _is_over_time(params) else []


def _pivot(params: dict[str, Any]) -> list[dict[str, Any]]:
    """One column per line of a chart over time."""
    options = {
        "index": [params["x_axis"]],
        "columns": params["groupby"],
        "aggregates": {name: {"operator": "mean"} for name in metrics(params)},
        "drop_missing_columns": False,
    }
    return [{"operation": "pivot", "options": options}, {"operation": "flatten"}]
