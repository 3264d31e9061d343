"""The files of dashboards/, read without Superset: they read only bi and ops, and define no formula of their own."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contents
import formulas
import layout
import pytest
import queries
import small_screen
import yaml

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "dashboards"
NAMES = {"funnel", "alignment", "money", "pipeline", "trust", "records"}
# Its tables are read one by one.
LISTS = "records"


def read(kind: str) -> dict[str, dict[str, Any]]:
    """Asset files of one kind by their uuid."""
    found = [yaml.safe_load(path.read_text()) for path in sorted((DASHBOARDS / "assets" / kind).rglob("*.yaml"))]
    by_uuid = {each["uuid"]: each for each in found}
    assert len(by_uuid) == len(found), f"two {kind} have one uuid"
    return by_uuid


DATASETS, CHARTS = read("datasets"), read("charts")
ASSETS = layout.Assets(DASHBOARDS / "assets")
COMPLETE = contents.complete("postgresql://warehouse", "EUR")
# As Superset imports them.
BOARDS = {
    board["uuid"]: board
    for path, text in COMPLETE.items()
    if path.startswith("dashboards/")
    for board in [yaml.safe_load(text)]
}
STRIP = "Can I trust this today?"
# There is one value per period and region, the numbers of steps only sort, and a range covers all models.
# A target is spread over the days of its period, and a change compares two periods.
OWN_FORMULAS = {"scorecard_friction", "step_order", "roas_lowest", "roas_highest", "target", "change"}


def tables(dataset: dict[str, Any]) -> set[str]:
    """The tables of a dataset as schema.table; names of its own CTEs have no schema and are left out."""
    if not dataset["sql"]:
        return {f"{dataset['schema']}.{dataset['table_name']}"}
    # A function such as extract(epoch from x - y) has a from of its own.
    statement = re.sub(r"extract\(\w+ from", "extract(", dataset["sql"])
    return set(re.findall(r"(?:from|join)\s+([a-z_]+(?:\.[a-z_]+)?)\b(?!\s*\()", statement))


def placed(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The charts of a dashboard, in reading order."""
    items = [item for item in board["position"].values() if isinstance(item, dict) and item["type"] == "CHART"]
    return [CHARTS[item["meta"]["uuid"]] for item in items]


def filters_of(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from board["metadata"]["native_filter_configuration"]


def test_there_are_six_dashboards_with_a_slug_each() -> None:
    assert {board["slug"] for board in BOARDS.values()} == NAMES


@pytest.mark.parametrize(
    "board", [each for each in BOARDS.values() if each["slug"] != LISTS], ids=lambda each: each["slug"]
)
def test_the_trust_strip_is_on_every_tab_and_the_first_tab_has_few_charts(board: dict[str, Any]) -> None:
    """Superset draws about five charts a second, so the first tab contains what can be read in a minute."""
    position = board["position"]
    strip, tabs = position["GRID_ID"]["children"]
    assert [position[name]["meta"]["sliceName"] for name in position[strip]["children"]] == ["Can I trust this today?"]
    first, *_, last = position[tabs]["children"]
    assert [position[tab]["meta"]["text"] for tab in (first, last)] == ["At a glance", "In detail"]
    opened = [name for row in position[first]["children"] for name in position[row]["children"]]
    assert 4 <= sum(position[name]["type"] == "CHART" for name in opened) <= 9


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda each: each["table_name"])
def test_a_dataset_reads_bi_and_ops_only(dataset: dict[str, Any]) -> None:
    read_from = tables(dataset)
    assert read_from
    assert {name.partition(".")[0] for name in read_from} <= {"bi", "ops"}, read_from


def test_every_chart_is_on_one_dashboard_except_the_shared_trust_strip() -> None:
    (strip,) = (chart for chart in CHARTS.values() if chart["slice_name"] == STRIP)
    seen = [chart["uuid"] for board in BOARDS.values() for chart in placed(board)]
    assert seen.count(strip["uuid"]) == len(BOARDS)
    assert sorted({*seen}) == sorted(CHARTS)
    assert len(seen) == len(CHARTS) - 1 + len(BOARDS)
    assert {chart["dataset_uuid"] for chart in CHARTS.values()} == set(DATASETS)


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda each: each["slice_name"])
def test_a_chart_uses_columns_and_metrics_of_its_dataset_and_no_formula_of_its_own(chart: dict[str, Any]) -> None:
    dataset = DATASETS[chart["dataset_uuid"]]
    columns = {column["column_name"] for column in dataset["columns"]}
    metrics = {metric["metric_name"] for metric in dataset["metrics"]}
    params = chart["params"]
    assert all(isinstance(metric, str) for metric in queries.metrics(chart["params"])), (
        "a formula in a chart is nobody's definition"
    )
    assert set(queries.metrics(chart["params"])) <= metrics
    named = [
        *params.get("groupby", []),
        *params.get("all_columns", []),
        *([params["x_axis"]] if "x_axis" in params else []),
    ]
    assert set(named) <= columns
    assert {each["subject"] for each in params["adhoc_filters"]} <= columns
    assert all(each["expressionType"] == "SIMPLE" for each in params["adhoc_filters"])


def test_what_a_chart_exports_is_what_it_draws() -> None:
    charts = {path: yaml.safe_load(text) for path, text in COMPLETE.items() if path.startswith("charts/")}
    assert len(charts) == len(CHARTS)
    for path, chart in charts.items():
        assert "query_context" not in CHARTS[chart["uuid"]], f"{path} stores what is computed"
        context = json.loads(chart["query_context"])
        (query,) = context["queries"]
        assert query["metrics"] == queries.metrics(chart["params"]), path
        assert {each["col"] for each in query["filters"]} == {
            each["subject"] for each in chart["params"]["adhoc_filters"]
        }
        assert context["form_data"] == chart["params"]


def test_a_chart_over_time_asks_for_its_grain_and_one_column_per_line() -> None:
    chart = yaml.safe_load((DASHBOARDS / "assets/charts/funnel/by_month.yaml").read_text())
    (query,) = json.loads(queries.query_context(chart["params"]))["queries"]
    (axis,) = query["columns"]
    assert (axis["sqlExpression"], axis["timeGrain"]) == ("month_start", "P1M")
    pivot, _ = query["post_processing"]
    assert list(pivot["options"]["aggregates"]) == chart["params"]["metrics"]


def test_a_metric_has_one_formula() -> None:
    """A dataset contains expressions only for figures of the ledger; all others come from models/semantic."""
    for dataset in DATASETS.values():
        for metric in dataset["metrics"]:
            name = metric["metric_name"]
            if "expression" not in metric:
                assert formulas.formula(metric.get("formula_of") or name, metric.get("only", ""))
                continue
            with pytest.raises(formulas.FormulaError, match="Define it there"):
                formulas.formula(name)
            of_ledger = any(table.startswith("ops.") for table in tables(dataset))
            assert of_ledger or name in OWN_FORMULAS, f"{dataset['table_name']}: {name}"


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("spend", "sum(spend)"),
        ("platform_claimed_value", "sum(platform_conversion_value)"),
        ("lead_response_median", "percentile_cont(0.5) within group (order by response_business_minutes)"),
        ("handoff_count", "count(*)"),
        ("open_deal_count", "count(*) filter (where is_open)"),
        ("cost_per_lead", "sum(spend) / nullif(sum(leads), 0)::numeric"),
        ("revenue", "coalesce(sum(won_amount), 0) + coalesce(sum(order_amount), 0)"),
        (
            "return_on_spend",
            "(coalesce(sum(won_amount), 0) + coalesce(sum(order_amount), 0)) / nullif(sum(spend), 0)::numeric",
        ),
    ],
)
def test_a_formula_is_written_as_sql(name: str, expression: str) -> None:
    assert formulas.formula(name) == expression


def test_an_import_is_complete_and_in_the_currency_of_the_installation() -> None:
    for path, text in COMPLETE.items():
        written = yaml.safe_load(text)
        for metric in written.get("metrics", []) if path.startswith("datasets/") else []:
            assert metric["expression"]
            assert "formula_of" not in metric
            assert not metric.get("currency") or metric["currency"]["symbol"] == "EUR"
    (database,) = (yaml.safe_load(text) for path, text in COMPLETE.items() if path.startswith("databases/"))
    assert database["sqlalchemy_uri"] == "postgresql://warehouse"


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda each: each["slug"])
def test_a_dashboard_begins_with_the_trust_strip_which_is_never_cached(board: dict[str, Any]) -> None:
    first = placed(board)[0]
    dataset = DATASETS[first["dataset_uuid"]]
    assert tables(dataset) == {"bi.data_status"}
    assert dataset["cache_timeout"] == -1
    # An open dashboard shows within a minute that a check has failed.
    assert 0 < board["metadata"]["refresh_frequency"] <= 60
    assert board["metadata"]["timed_refresh_immune_slices"] == []


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda each: each["slug"])
def test_a_filter_reaches_exactly_the_charts_that_have_its_column(board: dict[str, Any]) -> None:
    ids = {item["meta"]["chartId"]: CHARTS[item["meta"]["uuid"]] for item in board["position"].values()
           if isinstance(item, dict) and item["type"] == "CHART"}  # fmt: skip
    for each in filters_of(board):
        if each["filterType"] == "filter_time":
            continue
        (target,) = each["targets"]
        column = target["column"]["name"]
        assert column in {one["column_name"] for one in DATASETS[target["datasetUuid"]]["columns"]}
        for number, chart in ids.items():
            if number not in each["scope"]["excluded"]:
                columns = {one["column_name"] for one in DATASETS[chart["dataset_uuid"]]["columns"]}
                assert column in columns, f"{each['name']} cannot filter {chart['slice_name']}"


def test_a_dashboard_is_an_exposure_with_an_owner_and_its_address_that_names_what_is_read() -> None:
    written = yaml.safe_load((ROOT / "dbt_project/models/exposures.yml").read_text())["exposures"]
    exposures = {each["name"]: each for each in written}
    assert set(exposures) == NAMES
    for board in BOARDS.values():
        exposure = exposures[board["slug"]]
        assert exposure["owner"]["name"]
        assert "@" in exposure["owner"]["email"]
        assert exposure["url"].endswith(f"/superset/dashboard/{board['slug']}/")
        assert exposure["label"] == board["dashboard_title"]
        read_from = set().union(*(tables(DATASETS[chart["dataset_uuid"]]) for chart in placed(board)))
        marts = {name.removeprefix("bi.") for name in read_from if name.startswith("bi.")} - {"data_status"}
        assert {re.sub(r"ref\('(\w+)'\)", r"\1", each) for each in exposure["depends_on"]} == marts, board["slug"]


def test_lists_show_no_person_and_link_to_records_by_their_ids_alone() -> None:
    (board,) = (each for each in BOARDS.values() if each["slug"] == LISTS)
    read_by = {chart["dataset_uuid"]: DATASETS[chart["dataset_uuid"]] for chart in placed(board)[1:]}
    assert len(read_by) == 4
    for dataset in read_by.values():
        assert not re.search(r"person|email|dim_people|landing_page", dataset["sql"]), dataset["table_name"]
        # What is not an id is not written into a page.
        linked = re.findall(r"replace\(links\.url_pattern, '\{id\}', (\S+)\)", dataset["sql"])
        assert all(f"when {column} ~ '^[A-Za-z0-9._:-]+$'" in dataset["sql"] for column in linked)
        assert bool(linked) == (dataset["table_name"] != "journeys")


def test_no_secret_and_no_machine_is_in_the_files() -> None:
    for path in [*(DASHBOARDS / "assets").rglob("*.yaml"), DASHBOARDS / "superset_config.py"]:
        text = path.read_text()
        assert not re.search(r"://\w+:[^@\s]+@", text), f"{path} holds a password"
    (database,) = (yaml.safe_load(path.read_text()) for path in (DASHBOARDS / "assets/databases").glob("*.yaml"))
    assert "password" not in database
    assert not any(database[right] for right in ("expose_in_sqllab", "allow_dml", "allow_ctas", "allow_cvas"))


def test_the_lock_names_no_index_but_the_public_one() -> None:
    hosts = set(re.findall(r'https?://([^/"]+)', (DASHBOARDS / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_a_formula_of_a_part_of_the_rows_filters_every_aggregate() -> None:
    assert formulas.formula("cost_per_lead", "is_now") == (
        "sum(spend) filter (where is_now) / nullif(sum(leads) filter (where is_now), 0)::numeric"
    )
    assert formulas.formula("open_deal_count", "is_now") == "count(*) filter (where is_now and is_open)"


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda each: each["slug"])
def test_on_a_narrow_screen_every_chart_is_kept_and_two_numbers_share_a_row(board: dict[str, Any]) -> None:
    narrow = small_screen.stacked(board["position"])

    def charts(key: str, position: dict[str, Any]) -> list[str]:
        item = position[key]
        return (
            [key] if item["type"] == "CHART" else [one for child in item["children"] for one in charts(child, position)]
        )

    assert charts("GRID_ID", narrow) == charts("GRID_ID", board["position"])
    for item in narrow.values():
        if isinstance(item, dict) and item["type"] == "ROW":
            widths = [narrow[child]["meta"]["width"] for child in item["children"]]
            assert widths in ([12], [6, 6])
            assert all(narrow[child]["parents"][-1] == item["id"] for child in item["children"])
