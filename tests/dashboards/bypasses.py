"""Attempts to read through Superset's API what a user may not: expressions, other datasets, other ways to ask.

Each is a request; a text of the secret in the answer is a leak, and so is a change that succeeds.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.dashboards.conftest import House

# Texts that only a user of all regions, or of other dashboards, gets to know.
REGIONS = "(select string_agg(distinct region, ' ') from bi.fct_funnel_daily)"
ACCOUNTS = "(select string_agg(account_key, ' ') from bi.dim_accounts)"


@dataclass(frozen=True)
class Target:
    """What is asked: a secret as SQL, a dataset that the user may read, its metric, and others that it may not."""

    secret: str
    own: int
    metric: str
    other: int
    other_chart: int
    other_dashboard: int
    cache_key: str


@dataclass(frozen=True)
class Request:
    """One attempt. `is_change`: success alone is a leak."""

    name: str
    method: str
    path: str
    body: Any = None
    is_change: bool = False
    form: dict[str, str] | None = field(default=None)

    def send(self, client: httpx.Client) -> httpx.Response:
        if self.form:
            return client.request(self.method, self.path, data=self.form)
        return client.request(self.method, self.path, json=self.body)


def context(dataset: int, query: dict[str, Any], **others: Any) -> dict[str, Any]:
    """The body of a request for chart data."""
    asked = {"filters": [], "extras": {}, "row_limit": 1000, **query}
    body = {"datasource": {"id": dataset, "type": "table"}, "queries": [asked], "result_type": "full"}
    return body | {"result_format": "json", "force": True} | others


def sql_metric(expression: str) -> dict[str, str]:
    return {"expressionType": "SQL", "sqlExpression": expression, "label": "found"}


def sql_column(expression: str) -> dict[str, str]:
    return {"expressionType": "SQL", "sqlExpression": expression, "label": "found"}


def expressions(target: Target) -> Iterator[tuple[str, dict[str, Any]]]:
    """Queries of the user's own dataset with SQL in each place that takes some."""
    secret, metric = target.secret, target.metric
    text = f"select 'a'::tsquery, plainto_tsquery('simple', {secret})".replace("'", "''")
    named = {"columns": ["channel"], "metrics": [metric]}
    yield "ts_rewrite as a metric", {"metrics": [sql_metric(f"max(ts_rewrite('a'::tsquery, '{text}')::text)")]}
    yield "query_to_xml as a metric", {"metrics": [sql_metric(f"max(query_to_xml('{text}', true, false, '')::text)")]}
    yield "ts_stat as a metric", {"metrics": [sql_metric(f"(select max(word) from ts_stat('{text}'))")]}
    yield "a subquery as a metric", {"metrics": [sql_metric(f"max({secret})")]}
    yield "a bare subquery as a metric", {"metrics": [sql_metric(secret)]}
    yield "a metric without its type", {"metrics": [{"sqlExpression": f"max({secret})", "label": "found"}]}
    yield (
        "a simple metric with SQL",
        {
            "metrics": [
                {"expressionType": "SIMPLE", "aggregate": "MAX", "column": {"column_name": secret}, "label": "found"}
            ]
        },
    )
    yield "a column as SQL", {"columns": [sql_column(secret)], "metrics": [metric]}
    yield "a column reference as SQL", {"columns": [sql_column(secret) | {"isColumnReference": True}]}
    yield (
        "a time axis as SQL",
        {
            "columns": [sql_column(secret) | {"columnType": "BASE_AXIS", "timeGrain": "P1D"}],
            "metrics": [metric],
        },
    )
    yield "a text as a column", {"columns": [secret], "metrics": [metric]}
    yield "a text as a column without metrics", {"columns": [secret]}
    yield "a text as a series", named | {"series_columns": [secret], "series_limit": 5}
    yield "an order as SQL", named | {"orderby": [[sql_metric(f"max({secret})"), True]]}
    yield "an order as text", named | {"orderby": [[secret, True]]}
    yield (
        "a limit by SQL",
        named
        | {"series_columns": ["channel"], "series_limit": 5}
        | {"series_limit_metric": sql_metric(f"max({secret})")},
    )
    yield "a where clause", named | {"extras": {"where": f"1 = 0) union all select {secret}, 1 -- "}}
    yield "a where clause that fails with the text", named | {"extras": {"where": f"{secret}::integer = 1"}}
    yield "a having clause", named | {"extras": {"having": f"max({secret}::integer) > 1"}}
    yield (
        "a filter's column as SQL",
        named | {"filters": [{"col": sql_column(f"{secret}::integer"), "op": "==", "val": 1}]},
    )
    yield (
        "a filter's value as SQL",
        named | {"filters": [{"col": "channel", "op": "==", "val": f"') or {secret} = ('"}]},
    )
    yield (
        "a filter by pattern",
        {"columns": ["region"], "metrics": [metric]} | {"filters": [{"col": "region", "op": "ILIKE", "val": "%a%"}]},
    )
    yield "all regions as a column", {"columns": ["region"], "metrics": [metric]}
    yield "regions without a metric", {"columns": ["region"]}
    yield "the time column as SQL", named | {"granularity": f"{secret}::timestamp", "is_timeseries": True}
    yield "a time range as SQL", named | {"granularity": "date_day", "time_range": f"{secret} : now"}
    yield "a template", {"metrics": [sql_metric("'{{ url_param(\"x\") }}' || max(" + secret + ")")]}
    yield (
        "an annotation",
        named
        | {
            "annotation_layers": [
                {"name": "a", "annotationType": "EVENT", "sourceType": "table", "value": target.other_chart}
            ]
        },
    )
    yield (
        "a step after the query",
        named | {"post_processing": [{"operation": "compute", "options": {"expression": secret}}]},
    )


def data_requests(target: Target) -> Iterator[Request]:
    """Requests for chart data that ask for another form, another dataset or another user's answer."""
    data, own, other = "/api/v1/chart/data", target.own, target.other
    named = {"columns": ["region"], "metrics": [target.metric]}
    everything = {"columns": [], "metrics": [sql_metric(f"max({target.secret})")]}
    spoofed = {"dashboardId": target.other_dashboard, "slice_id": target.other_chart}
    filtered = {"dashboardId": target.other_dashboard, "type": "NATIVE_FILTER", "native_filter_id": "NATIVE_FILTER-x"}
    for name, asked in expressions(target):
        yield Request(name, "POST", data, context(own, asked))
    for form in ("csv", "xlsx"):
        yield Request(f"an expression as {form}", "POST", data, context(own, everything, result_format=form))
        yield Request(f"all regions as {form}", "POST", data, context(own, named, result_format=form))
    yield Request("an expression in a form", "POST", data, form={"form_data": json.dumps(context(own, everything))})
    for kind in ("samples", "drill_detail", "columns", "results", "query"):
        yield Request(f"{kind} of an expression", "POST", data, context(own, everything, result_type=kind))
        yield Request(f"{kind} of all regions", "POST", data, context(own, named, result_type=kind))
    yield Request("another dataset", "POST", data, context(other, {"metrics": [sql_metric("count(*)")]}))
    yield Request("another dataset's dashboard", "POST", data, context(other, everything, form_data=spoofed))
    yield Request("another dashboard's filter", "POST", data, context(other, everything, form_data=filtered))
    yield Request("own data under another chart", "POST", data, context(own, everything, form_data=spoofed))
    for kind in ("query", "saved_query", "sl_table"):
        yield Request(f"a {kind}", "POST", data, context(1, everything, datasource={"id": 1, "type": kind}))
    yield Request("another's cached answer", "GET", f"{data}/{target.cache_key}")
    yield Request("another chart's data", "GET", f"/api/v1/chart/{target.other_chart}/data/")


def other_requests(target: Target) -> Iterator[Request]:
    """The other ways to data: samples, values of filters, SQL Lab, the old request, exports."""
    own, other, database = target.own, target.other, "/api/v1/database/1"
    samples = "/datasource/samples?datasource_type=table&datasource_id="
    values = "/api/v1/datasource/table/"
    integer = {"filters": [{"col": sql_column(f"{target.secret}::integer"), "op": "==", "val": "1"}]}
    metric = sql_metric(f"max({target.secret})")
    old = json.dumps({"datasource": f"{own}__table", "viz_type": "table", "metrics": [metric]})
    query = {"database_id": 1, "sql": f"select {target.secret}", "client_id": "bypass", "schema": "bi"}
    expression = {"expression": target.secret, "expression_type": "column"}
    yield Request("samples of another dataset", "POST", f"{samples}{other}", {})
    yield Request("samples of the own dataset", "POST", f"{samples}{own}", {})
    yield Request("samples with an expression", "POST", f"{samples}{own}", integer)
    yield Request("values of a column", "GET", f"{values}{own}/column/region/values/")
    yield Request("values of an expression", "GET", f"{values}{own}/column/{target.secret}/values/")
    yield Request("values of another dataset", "GET", f"{values}{other}/column/account_name/values/")
    yield Request("validation of an expression", "POST", f"{values}{own}/validate_expression/", expression)
    yield Request("the old request for data", "POST", "/superset/explore_json/", form={"form_data": old})
    yield Request("SQL Lab", "POST", "/api/v1/sqllab/execute/", query)
    yield Request("an estimate of SQL", "POST", "/api/v1/sqllab/estimate/", query)
    yield Request("validation of SQL", "POST", f"{database}/validate_sql/", {"sql": query["sql"]})
    yield Request("tables of a schema", "GET", f"{database}/tables/?q=(schema_name:bi_history)")
    yield Request("a table's first rows", "GET", f"{database}/select_star/dim_accounts/bi/")
    yield Request("the connection", "GET", f"{database}/connection")
    yield Request("row level security", "GET", "/api/v1/rowlevelsecurity/")
    yield Request("queries of others", "GET", "/api/v1/query/")
    yield Request("an export of datasets", "GET", f"/api/v1/dataset/export/?q=!({other})")


def changes(target: Target) -> Iterator[Request]:
    """Requests that would make Superset read more later."""
    own, other = target.own, target.other
    made = {"database": 1, "schema": "bi", "table_name": "bypass", "sql": f"select {target.secret} as found"}
    added = {"metrics": [{"metric_name": "found", "expression": target.secret}]}
    copied = {"base_model_id": other, "table_name": "copy"}
    stored = json.dumps(context(own, {"metrics": [sql_metric(f"max({target.secret})")]}))
    chart = {"slice_name": "b", "datasource_id": own, "datasource_type": "table", "viz_type": "table"}
    guest = {"user": {}, "rls": [], "resources": [{"type": "dashboard", "id": "1"}]}
    for name, method, path, body in (
        ("a new dataset", "POST", "/api/v1/dataset/", made),
        ("a dataset made on the way", "POST", "/api/v1/dataset/get_or_create/", made | {"database_id": 1}),
        ("a dataset's SQL changed", "PUT", f"/api/v1/dataset/{own}", {"sql": made["sql"]}),
        ("a dataset copied", "POST", "/api/v1/dataset/duplicate", copied),
        ("a metric added", "PUT", f"/api/v1/dataset/{own}", added),
        ("a chart with an expression", "POST", "/api/v1/chart/", chart | {"query_context": stored}),
        ("a guest's token", "POST", "/api/v1/security/guest_token/", guest),
    ):
        yield Request(name, method, path, body, is_change=True)


def requests(target: Target) -> list[Request]:
    """Every attempt against one target."""
    return [*data_requests(target), *other_requests(target), *changes(target)]


def target(house: House, secret: str, own: int, metric: str, other: int) -> Target:
    """What a user tries to get: `other` is the open deals with their accounts, the chart that of the oldest ones."""
    with house.client("viewer", house.password) as viewer:
        number = viewer.get("/api/v1/dashboard/pipeline").raise_for_status().json()["result"]["id"]
        body = context(own, {"columns": ["region"], "metrics": [metric]}) | {"force": False}
        answer = viewer.post("/api/v1/chart/data", json=body).raise_for_status().json()
    return Target(secret, own, metric, other, house.chart("pipeline/oldest"), number, answer["result"][0]["cache_key"])
