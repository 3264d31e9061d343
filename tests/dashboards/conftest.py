"""A published company, Superset over it, and a browser: slow to start, so all tests of this folder share them."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from bench import browsing
from funnel import secret_store, settings
from installation import dashboards, databases, environments, ports, services
from tests.conftest import fresh_warehouse
from tests.end_to_end.pipeline import Pipeline, published_company, rows

SEED = 7
# The median of the minutes until sales answers is 160.5 there, and a page rounds up.
TODAY = date(2026, 11, 30)
# Long enough for the last calendar month, and for thirty days with the thirty before them.
DAYS = 62
# Kept for readers of a test's result.
SCREENSHOTS = settings.REPOSITORY / ".local" / "screenshots"
PASSWORD = "made-up-for-a-test"
FIRST_TAB = "At a glance"

USERS = (
    ("only_funnel", ["Viewer", "Dashboard: funnel"]),
    ("of_emea", ["Viewer", "Dashboard: funnel", "Dashboard: pipeline", "Region: EMEA"]),
    ("two_regions", ["Viewer", "Dashboard: funnel", "Region: EMEA", "Region: APAC"]),
    ("nobody", ["Viewer"]),
)


TURNED = """(tab) => {
    const selected = document.querySelector('.dashboard [role=tab][aria-selected=true]');
    const panel = document.getElementById(selected?.getAttribute('aria-controls'));
    const charts = [...panel?.querySelectorAll('[data-test="chart-grid-component"]') ?? []];
    return selected?.innerText.includes(tab) && charts.some((chart) => chart.offsetParent);
}"""


@dataclass
class House:
    """A running Superset over a published warehouse."""

    url: str
    pipeline: Pipeline
    today: date
    build_id: int
    password: str
    names: dict[str, int] = field(default_factory=dict)
    datasets: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def client(self, username: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
        """A client of Superset's API with a logged-in user."""
        # A connection for each request: Superset may close an idle one just as the next request is sent.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=self.url, timeout=60, limits=limits) as client:
            body = {"username": username, "password": password, "provider": "db"}
            token = client.post("/api/v1/security/login", json=body).raise_for_status().json()["access_token"]
            client.headers["authorization"] = f"Bearer {token}"
            yield client

    def chart(self, name: str) -> int:
        """Superset's number of a chart of the files, such as `funnel/leads`."""
        path = settings.REPOSITORY / "dashboards/assets/charts" / f"{name}.yaml"
        return self.names[yaml.safe_load(path.read_text())["uuid"]]


@pytest.fixture(scope="module")
def house(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened_house(cluster_home, tmp_path_factory.mktemp("dashboards"), TODAY) as made:
        yield made


@contextmanager
def opened_house(cluster_home: Path, folder: Path, today: date, days: int = DAYS) -> Iterator[House]:
    """Superset over the company that was read and published on a day."""
    if not environments.SUPERSET.exists():
        pytest.skip("Superset is not installed: make dashboards")
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, folder) as dsn:
        patch.setenv("FUNNEL_TODAY", today.isoformat())
        with published_company(SEED, today, days, folder / "inbox") as (pipeline, build_id):
            access = yaml.safe_load((settings.REPOSITORY / "dashboards/access.yaml").read_text())
            access["users"] += [
                {"username": name, "password_from": "TEST_PASSWORD", "roles": roles} for name, roles in USERS
            ]
            written = folder / "access.yaml"
            written.write_text(yaml.safe_dump(access))
            # For the installation this cluster is an existing server.
            patch.setenv("WAREHOUSE_DSN", dsn)
            patch.setenv("TEST_PASSWORD", PASSWORD)
            patch.setenv("DASHBOARDS_ACCESS", str(written))
            patch.setenv("SUPERSET_PORT", str(ports.free_port()))
            patch.delenv("DASHBOARDS", raising=False)
            databases.start_database(lambda text: None)
            try:
                services.start_dashboards(lambda text: None)
                secrets = secret_store.secrets()
                made = House(
                    environments.superset_url(), pipeline, today, build_id, secrets["superset_viewer_password"]
                )
                with psycopg.connect(
                    dashboards.superset_environment()["SUPERSET_DATABASE_URI"].replace("+psycopg2", "")
                ) as db:
                    made.names = {str(uuid): number for uuid, number in db.execute("select uuid, id from slices")}
                    made.datasets = dict(db.execute("select table_name, id from tables").fetchall())
                yield made
            finally:
                services.down(lambda text: None)


@dataclass
class Viewer:
    """A browser with a logged-in user, and the errors that it reported."""

    page: Any
    house: House
    complaints: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)

    def hear(self, said: str) -> None:
        """Record an error of the console, except those of the page's content policy."""
        if "Content Security Policy" not in said:
            self.complaints.append(said)
        elif refused := re.search(r"https?://[^'\s]+", said):
            self.blocked.append(refused[0])

    def note(self, asked: Any, outcome: str) -> None:
        """Record a request to another host, unless the content policy stopped it in the browser."""
        if asked.url.startswith((self.house.url, "data:", "blob:")):
            return
        if "csp" in outcome.lower():
            self.blocked.append(asked.url)
        else:
            self.complaints.append(f"asked outside: {asked.url} ({outcome})")

    def open(self, slug: str, tab: str = FIRST_TAB) -> None:
        browsing.open_dashboard(self.page, self.house.url, slug)
        self.wait_for_charts()
        if tab != FIRST_TAB:
            self.turn_to(tab)

    def turn_to(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab).click()
        # A tab is selected before its charts have their places.
        self.page.wait_for_function(TURNED, arg=tab)
        self.wait_for_charts()

    def wait_for_charts(self) -> None:
        browsing.wait_for_charts(self.page)
        # A chart is first drawn after its data came.
        self.page.wait_for_timeout(300)

    def text(self, title: str) -> str:
        """The whole text of a chart."""
        chart = self.page.locator(f'[data-test-chart-name="{title}"] .slice_container')
        return " ".join(chart.first.inner_text().split())

    def charts(self) -> list[str]:
        """Titles of the visible charts."""
        names: list[str] = self.page.evaluate(
            "() => [...document.querySelectorAll('[data-test-chart-name]')]"
            ".filter((one) => one.offsetParent).map((one) => one.dataset.testChartName)"
        )
        return names


@pytest.fixture(scope="module")
def viewer(house: House) -> Iterator[Viewer]:
    with viewing(house) as seen:
        yield seen


@contextmanager
def viewing(house: House) -> Iterator[Viewer]:
    """The user that `make demo` creates, logged in through the page."""
    if not browsing.CHROMIUM:
        pytest.skip("no Chromium on this machine: apt install chromium")
    with browsing.browser() as opened:
        yield log_in(opened, house, dashboards.VIEWER, house.password)


def log_in(browser: Any, house: House, username: str, password: str) -> Viewer:
    page = browser.new_page()
    found = Viewer(page, house)
    page.on("console", lambda said: found.hear(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("requestfinished", lambda asked: found.note(asked, "reached"))
    page.on("requestfailed", lambda asked: found.note(asked, asked.failure or ""))
    browsing.log_in(page, house.url, username, password)
    return found


@contextmanager
def seen_by(viewer: Viewer, user: str, password: str) -> Iterator[Viewer]:
    """Another user in the same browser, in place of the viewer."""
    context = viewer.page.context
    context.clear_cookies()
    seen = log_in(context, viewer.house, user, password)
    try:
        yield seen
    finally:
        seen.page.close()
        context.clear_cookies()
        browsing.log_in(viewer.page, viewer.house.url, dashboards.VIEWER, viewer.house.password)


@contextmanager
def reading(house: House, user: str) -> Iterator[httpx.Client]:
    """A client with the headers that Superset's own pages send."""
    if user == "(anonymous)":
        # Superset may close an idle connection just as the next request is sent.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=house.url, timeout=60, limits=limits) as stranger:
            yield stranger
        return
    with house.client(user) as client:
        client.headers["X-CSRFToken"] = client.get("/api/v1/security/csrf_token/").raise_for_status().json()["result"]
        client.headers["Referer"] = house.url
        yield client


def value(query: str) -> Any:
    """One number, queried as the role of readers."""
    ((_, found),) = rows(query)[0].items()
    return found


def screenshot(viewer: Viewer, name: str) -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    viewer.page.screenshot(path=path, full_page=True)
    assert os.path.getsize(path) > 20_000
    return path
