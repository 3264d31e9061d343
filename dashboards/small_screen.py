"""On a narrow screen the charts of a dashboard are below each other.

Superset divides every screen into twelve columns. The page states its width in a cookie, and the answer that holds the
places of the charts is changed on its way.
"""

import json
import re
from typing import Any

from flask import Flask, Response, request

COLUMNS = 12
# Single numbers are in pairs.
TILE = 3
# Titles take more lines.
EXTRA_HEIGHT = 12
ANSWER = re.compile(r"/api/v1/dashboard/[^/]+/?$")


def install(app: Flask) -> None:
    """Stack the charts of dashboards for requests with the cookie `narrow=1`."""

    @app.after_request
    def stack(response: Response) -> Response:
        is_narrow = request.method == "GET" and request.cookies.get("narrow") == "1" and ANSWER.search(request.path)
        if not is_narrow or response.status_code != 200 or not response.is_json:
            return response
        answer = response.get_json()
        board = answer.get("result")
        if isinstance(board, dict) and board.get("position_json"):
            board["position_json"] = json.dumps(stacked(json.loads(board["position_json"])))
            response.set_data(json.dumps(answer))
        return response


def stacked(position: dict[str, Any]) -> dict[str, Any]:
    """The same places, with rows of one wide chart or of two tiles."""
    changed = dict(position)
    for key, holder in position.items():
        if not isinstance(holder, dict) or holder.get("type") not in ("GRID", "TAB"):
            continue
        rows: list[str] = []
        for child in holder["children"]:
            if position[child]["type"] != "ROW":
                rows.append(child)
                continue
            for number, items in enumerate(_groups(position, position[child]["children"])):
                row = child if number == 0 else f"{child}-{number}"
                rows.append(row)
                changed[row] = position[child] | {"id": row, "children": items}
                changed |= {item: _resized(position[item], row, len(items)) for item in items}
        changed[key] = holder | {"children": rows}
    return changed


def _groups(position: dict[str, Any], items: list[str]) -> list[list[str]]:
    groups: list[list[str]] = []
    for item in items:
        is_tile = position[item]["meta"]["width"] <= TILE and position[item]["type"] == "CHART"
        last = groups[-1] if groups else []
        if is_tile and len(last) == 1 and position[last[0]]["meta"]["width"] <= TILE:
            last.append(item)
        else:
            groups.append([item])
    return groups


def _resized(item: dict[str, Any], row: str, beside: int) -> dict[str, Any]:
    meta = item["meta"] | {"width": COLUMNS // beside, "height": item["meta"]["height"] + EXTRA_HEIGHT}
    return item | {"meta": meta, "parents": [*item["parents"][:-1], row]}
