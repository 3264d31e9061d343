"""A dashboard as Superset imports it, from a file that names its filters, tabs, rows and charts.

What follows from the charts is computed (DSH-12): places and numbers, which chart a filter reaches, and the line under
a chart's title that says what it is for and which filters leave it as it is.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
COLORS = yaml.safe_load((HERE / "colors.yaml").read_text())
CSS = (HERE / "page.css").read_text()
EMPTY_MASK: dict[str, Any] = {"extraFormData": {}, "filterState": {}, "ownState": {}}

Asset = dict[str, Any]


class Assets:
    """The files of assets/ by their names: `funnel/steps` for a chart, `funnel_by_day` for a dataset."""

    def __init__(self, folder: Path) -> None:
        self.charts = {
            path.relative_to(folder / "charts").with_suffix("").as_posix(): yaml.safe_load(path.read_text())
            for path in sorted((folder / "charts").rglob("*.yaml"))
        }
        self.names = {chart["uuid"]: name for name, chart in self.charts.items()}
        self.boards = [yaml.safe_load(path.read_text()) for path in sorted((folder / "dashboards").glob("*.yaml"))]
        datasets = [yaml.safe_load(path.read_text()) for path in sorted((folder / "datasets").glob("*.yaml"))]
        self.datasets = {dataset["table_name"]: dataset for dataset in datasets}
        self._by_uuid = {dataset["uuid"]: dataset for dataset in datasets}

    def columns(self, chart: str) -> set[str]:
        """The columns of a chart's dataset."""
        return {each["column_name"] for each in self._by_uuid[self.charts[chart]["dataset_uuid"]]["columns"]}


def placed(board: Asset) -> list[str]:
    """The names of a dashboard's charts, in reading order."""
    rows = [board["head"], *(row for tab in board["tabs"] for row in tab["rows"])]
    return [item["chart"] for row in rows for item in row if "chart" in item]


def is_reached(filter_: Asset, chart: str, assets: Assets) -> bool:
    """True if the filter changes the chart's query: the dataset has its column, and the chart does not fix it."""
    fixed = assets.charts[chart]["params"]["adhoc_filters"]
    if chart in filter_.get("leaves", ()):
        return False
    if "column" not in filter_:
        return any(each["operator"] == "TEMPORAL_RANGE" and each["comparator"] == "No filter" for each in fixed)
    is_fixed = any(each["subject"] == filter_["column"] and each["operator"] in ("==", "IN") for each in fixed)
    return filter_["column"] in assets.columns(chart) and not is_fixed


def subtitle(chart: Asset, assets: Assets) -> str | None:
    """What the chart is for, then the filters of its dashboard that do not reach it."""
    name = assets.names[chart["uuid"]]
    purpose: str | None = chart["description"]
    (board, *others) = [each for each in assets.boards if name in placed(each)]
    if others:
        return purpose
    unreached = [each["name"] for each in board["filters"] if not is_reached(each, name, assets)]
    note = f"Not narrowed by: {', '.join(unreached)}." if unreached else ""
    return " ".join(filter(None, (purpose, note))) or None


def complete(board: Asset, assets: Assets) -> Asset:
    """The dashboard with its position and metadata."""
    charts = placed(board)
    numbers = {chart: number for number, chart in enumerate(charts, start=1)}
    kept = {key: board[key] for key in ("dashboard_title", "description", "slug", "uuid")}
    return {
        **kept,
        "css": CSS,
        "position": _position(board, numbers, assets),
        "metadata": {
            "native_filter_configuration": [_filter(each, board, numbers, assets) for each in board["filters"]],
            "chart_configuration": {},
            "global_chart_configuration": {
                "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                "chartsInScope": list(numbers.values()),
            },
            "refresh_frequency": 30,
            "timed_refresh_immune_slices": [],
            "color_scheme": "supersetColors",
            "label_colors": COLORS["labels"],
            "map_label_colors": {},
            "shared_label_colors": [],
            "expanded_slices": {},
            "cross_filters_enabled": False,
            "filter_bar_orientation": "HORIZONTAL",
            "color_scheme_domain": COLORS["scheme"],
        },
        "version": "1.0.0",
        "is_managed_externally": True,
        "published": True,
    }


def _filter(filter_: Asset, board: Asset, numbers: dict[str, int], assets: Assets) -> Asset:
    name = filter_["name"]
    common = {
        "id": f"NATIVE_FILTER-{board['slug']}-{name.lower().replace(' ', '_')}",
        "name": name,
        "type": "NATIVE_FILTER",
        "description": filter_.get("description", ""),
        "cascadeParentIds": [],
        "scope": {
            "rootPath": ["ROOT_ID"],
            "excluded": [number for chart, number in numbers.items() if not is_reached(filter_, chart, assets)],
        },
    }
    if "column" not in filter_:
        chosen = filter_["time_range"]
        return common | {
            "filterType": "filter_time",
            "targets": [{}],
            "defaultDataMask": {"extraFormData": {"time_range": chosen}, "filterState": {"value": chosen}},
            "controlValues": {"enableEmptyFilter": False},
        }
    target = {"datasetUuid": assets.datasets[filter_["dataset"]]["uuid"], "column": {"name": filter_["column"]}}
    chosen = filter_.get("default")
    return common | {
        "filterType": "filter_select",
        "targets": [target],
        "defaultDataMask": _mask(filter_["column"], chosen) if chosen else EMPTY_MASK,
        # A filter with a default always has one value: its rows must not be added up.
        "controlValues": {
            "enableEmptyFilter": chosen is not None,
            "defaultToFirstItem": False,
            "multiSelect": chosen is None,
            "searchAllOptions": False,
            "inverseSelection": False,
            "sortAscending": True,
        },
    }


def _mask(column: str, value: str) -> Asset:
    filters = [{"col": column, "op": "IN", "val": [value]}]
    return {"extraFormData": {"filters": filters}, "filterState": {"value": [value], "label": value}, "ownState": {}}


def _position(board: Asset, numbers: dict[str, int], assets: Assets) -> Asset:
    slug = board["slug"]
    grid, tabs = ["ROOT_ID", "GRID_ID"], f"TABS-{slug}"
    position: Asset = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": _node("GRID", "GRID_ID", [f"ROW-{slug}-1", tabs], ["ROOT_ID"]),
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": board["dashboard_title"]}},
        tabs: _node("TABS", tabs, [f"TAB-{slug}-{number + 1}" for number, _ in enumerate(board["tabs"])], grid, {}),
    }
    rows: list[tuple[list[str], list[Asset]]] = [(grid, board["head"])]
    for number, tab in enumerate(board["tabs"], start=1):
        key = f"TAB-{slug}-{number}"
        first = len(rows) + 1
        rows += [([*grid, tabs, key], row) for row in tab["rows"]]
        children = [f"ROW-{slug}-{each}" for each in range(first, len(rows) + 1)]
        texts = dict.fromkeys(("text", "defaultText", "placeholder"), tab["title"])
        position[key] = _node("TAB", key, children, [*grid, tabs], texts)
    for number, (parents, row) in enumerate(rows, start=1):
        key = f"ROW-{slug}-{number}"
        items = list(_items(slug, number, row, [*parents, key], numbers, assets))
        background = {"background": "BACKGROUND_TRANSPARENT"}
        position[key] = _node("ROW", key, [item["id"] for item in items], parents, background)
        position |= {item["id"]: item for item in items}
    return position


def _items(
    slug: str, row_no: int, row: list[Asset], parents: list[str], numbers: dict[str, int], assets: Assets
) -> Iterator[Asset]:
    for item_no, item in enumerate(row, start=1):
        size = {"width": item["width"], "height": item["height"]}
        if "text" in item:
            yield _node("MARKDOWN", f"MARKDOWN-{slug}-{row_no}-{item_no}", [], parents, size | {"code": item["text"]})
            continue
        name = item["chart"]
        chart = assets.charts[name]
        meta = size | {"chartId": numbers[name], "sliceName": chart["slice_name"], "uuid": chart["uuid"]}
        if explained := subtitle(chart, assets):
            # Superset shows no description; page.css writes the first line of a title larger than the others.
            meta |= {"sliceNameOverride": f"{chart['slice_name']}\n{explained}"}
        yield _node("CHART", f"CHART-{slug}-{name.rpartition('/')[2]}", [], parents, meta)


def _node(kind: str, key: str, children: list[str], parents: list[str], meta: Asset | None = None) -> Asset:
    return {"type": kind, "id": key, "children": children, "parents": parents} | (
        {} if meta is None else {"meta": meta}
    )
