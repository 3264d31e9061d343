"""A dashboard of one chart, for the time of a measurement: what Superset and this machine need for any page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from funnel import secret_store
from installation import environments

SLUG = "one_chart"
CHART = "The funnel"


@contextmanager
def one_chart_page() -> Iterator[str]:
    """The slug of a dashboard that shows the first chart of the funnel and that viewers may open."""
    with _administrator() as client:
        number = _dashboard(client)
        try:
            yield SLUG
        finally:
            client.delete(f"/api/v1/dashboard/{number}").raise_for_status()


@contextmanager
def _administrator() -> Iterator[httpx.Client]:
    with httpx.Client(base_url=environments.superset_url(), timeout=60) as client:
        password = secret_store.secret("superset_admin_password")
        body = {"username": "admin", "password": password, "provider": "db"}
        token = client.post("/api/v1/security/login", json=body).raise_for_status().json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        csrf = client.get("/api/v1/security/csrf_token/").raise_for_status().json()["result"]
        client.headers.update({"X-CSRFToken": csrf, "Referer": environments.superset_url()})
        yield client


def _dashboard(client: httpx.Client) -> int:
    charts = client.get("/api/v1/dashboard/funnel/charts").raise_for_status().json()["result"]
    (chart,) = (each for each in charts if each["slice_name"] == CHART)
    roles = client.get("/api/v1/dashboard/related/roles?q=(page_size:200)").raise_for_status().json()["result"]
    viewers = [each["value"] for each in roles if each["text"] == "Dashboard: funnel"]
    left = client.get(f"/api/v1/dashboard/{SLUG}")
    if left.status_code == 200:
        client.delete(f"/api/v1/dashboard/{left.json()['result']['id']}").raise_for_status()
    body = {"dashboard_title": "One chart", "slug": SLUG, "published": True, "roles": viewers}
    number = int(client.post("/api/v1/dashboard/", json=body).raise_for_status().json()["id"])
    placed = json.dumps({"positions": _position(chart)})
    client.put(f"/api/v1/dashboard/{number}", json={"json_metadata": placed}).raise_for_status()
    return number


def _position(chart: dict[str, Any]) -> dict[str, Any]:
    meta = {"chartId": chart["id"], "width": 12, "height": 50, "sliceName": chart["slice_name"]}
    return {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": ["ROW"], "parents": ["ROOT_ID"]},
        "ROW": {"type": "ROW", "id": "ROW", "children": ["CHART"], "parents": ["ROOT_ID", "GRID_ID"], "meta": {}},
        "CHART": {
            "type": "CHART", "id": "CHART", "children": [], "parents": ["ROOT_ID", "GRID_ID", "ROW"], "meta": meta,
        },
    }  # fmt: skip
