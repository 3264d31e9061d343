"""How long a dashboard takes until all its charts are drawn, and pictures of all five: `make bench-dashboards`.

Looks at the running installation (`make demo`) as the user `viewer`, at the tab that opens first. Cold is a browser that was
never here and a cache of data that is empty; warm is the same page opened again. Superset itself runs, as it does in the morning.
"""

import argparse
import shutil
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench import browsing
from bench.one_chart import one_chart_page
from funnel import secret_store, settings
from installation import dashboards, environments, processes

DASHBOARDS = ("funnel", "alignment", "money", "pipeline", "trust")
# Of the first dashboard, in units of a page of one chart.
LIMIT = 1.6
# Number of browsers; each opens a dashboard once cold and several times warm.
REPEATS, AGAIN = 3, 3
BOTTOM = """() => Math.max(...[...document.querySelectorAll('[data-test-chart-name]')]
    .map((chart) => chart.getBoundingClientRect().bottom))"""


def main() -> None:
    """Measure, or take pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, help="take pictures into this folder instead")
    chosen = parser.parse_args()
    if browsing.CHROMIUM is None:
        raise SystemExit("There is no Chromium on this machine: apt install chromium.")
    if not processes.process("superset"):
        raise SystemExit("Superset does not run: make demo.")
    if chosen.pictures:
        _take_pictures(chosen.pictures)
    else:
        _measure()


def _measure() -> None:
    header = f"{'dashboard':12} {'cold s':>8} {'warm s':>8} {'cold ÷':>8} {'warm ÷':>8}"
    print(f"{header}   (medians of {REPEATS} and {REPEATS * AGAIN}; ÷ page of one chart)")
    one, first = (0.0, 0.0), (0.0, 0.0)
    with one_chart_page() as single:
        for slug in (single, *DASHBOARDS):
            cold, warm = _opened(slug, at_least=1 if slug == single else 2)
            one = (cold, warm) if slug == single else one
            first = (cold, warm) if slug == DASHBOARDS[0] else first
            print(f"{slug:12} {cold:8.2f} {warm:8.2f} {cold / one[0]:8.2f} {warm / one[1]:8.2f}", flush=True)
    for name, seconds, unit in zip(("cold", "warm"), first, one, strict=True):
        ratio = seconds / unit
        kept = "kept" if ratio <= LIMIT else "MISSED"
        print(f"{name} first dashboard {ratio:.2f} x a page of one chart, asked for {LIMIT}: {kept}")


def _opened(slug: str, at_least: int) -> tuple[float, float]:
    """Medians of seconds until a dashboard is drawn, cold and warm."""
    cold, warm = [], []
    for _ in range(REPEATS):
        shutil.rmtree(settings.read().home / "superset" / "cache" / "data", ignore_errors=True)
        with browsing.browser() as browser:
            page = _page(browser)
            cold.append(_seconds(page, slug, at_least))
            warm += [_seconds(page, slug, at_least) for _ in range(AGAIN)]
    return median(cold), median(warm)


def _page(browser: Any) -> Any:
    page = browser.new_page()
    password = secret_store.secret("superset_viewer_password")
    browsing.log_in(page, environments.superset_url(), dashboards.VIEWER, password)
    return page


def _seconds(page: Any, slug: str, at_least: int) -> float:
    began = time.monotonic()
    browsing.open_dashboard(page, environments.superset_url(), slug, at_least)
    return time.monotonic() - began


def _take_pictures(folder: Path) -> None:
    """A picture of each dashboard's first tab, scaled down to keep the repository small."""
    folder.mkdir(parents=True, exist_ok=True)
    with browsing.browser(device_scale_factor=0.7) as browser:
        page = _page(browser)
        for slug in DASHBOARDS:
            browsing.open_dashboard(page, environments.superset_url(), slug)
            page.wait_for_timeout(1000)
            path = folder / f"{slug}.png"
            bottom = page.evaluate(BOTTOM)
            page.screenshot(path=path, clip={"x": 0, "y": 0, "width": browsing.WIDTH, "height": bottom + 20})
            print(f"{path}  {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
