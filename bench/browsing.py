"""Looking at the dashboards with a real browser: for measurements, for pictures, and for tests.

Chromium is the machine's own; Playwright brings none.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
# Superset draws only visible charts: the window is tall enough for the longest tab of a dashboard.
WIDTH, HEIGHT = 1440, 2000

ALL_DRAWN = """(atLeast) => {
    const places = [...document.querySelectorAll('[data-test="dashboard-component-chart-holder"]')];
    const charts = places.map((place) => place.querySelector('[data-test="chart-grid-component"]'))
        .filter((chart) => chart);
    // A chart whose code is still loading has its place and no spinner, but nothing in it.
    const isEmpty = (chart) => chart.offsetParent && chart.getBoundingClientRect().top < window.innerHeight
        && ![...chart.querySelectorAll('.slice_container')].some(
            (place) => place.textContent.trim() || place.querySelector('canvas, svg, img'));
    return charts.length >= atLeast && charts.every((chart) => chart.querySelector('.slice_container')
        && !chart.querySelector('[data-test="loading-indicator"], .loading') && !isEmpty(chart));
}"""


@contextmanager
def browser(**options: Any) -> Iterator[Any]:
    """A headless Chromium with a new profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        opened = playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=list(OPTIONS), **options
        )
        try:
            yield opened
        finally:
            opened.close()


def log_in(page: Any, url: str, username: str, password: str) -> None:
    """Log in through the page, as a user does."""
    page.goto(f"{url}/login/")
    page.fill("#username, input[name=username]", username)
    page.fill("input[type=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "/login" not in address)


def open_dashboard(page: Any, url: str, slug: str, at_least: int = 2) -> None:
    """Open a dashboard and wait until every chart is drawn, of which there are at least so many."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.goto(f"{url}/superset/dashboard/{slug}/", wait_until="commit")
    wait_for_charts(page, at_least)


def wait_for_charts(page: Any, at_least: int = 2) -> None:
    """Wait until every chart in sight is drawn."""
    page.wait_for_function(ALL_DRAWN, arg=at_least, timeout=60_000, polling=50)
