"""Data Docs: pages of the suites and of the latest result of every delivery and of the marts."""

import re
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from funnel import warehouse
from funnel.gate.records import LATEST_REPORTS
from funnel.gate.runner import new_context
from funnel.gate.suites import all_stated


def build_data_docs(out_dir: Path) -> Path:
    """Write pages of the suites and of the latest results of every delivery and of the marts; returns the index.

    The results are those in ops.checks, so no data are read again and no value of them is on a page. The pages work
    without a network: Great Expectations' own styles are on outside hosts and are replaced by a short sheet.
    """
    from great_expectations import ExpectationSuite

    with warehouse.connect("builder") as connection:
        rows = warehouse.dicts(connection, LATEST_REPORTS)
    context = new_context()
    out_dir.mkdir(parents=True, exist_ok=True)
    context.add_data_docs_site(
        "local",
        {
            "class_name": "SiteBuilder",
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(out_dir.resolve())},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "show_how_to_buttons": False,
        },
    )
    for name, stated in all_stated().items():
        suite_name = name.replace("/", ".").replace(":", ".")
        context.suites.add(ExpectationSuite(name=suite_name, expectations=[each.copy() for each in stated]))
        for report, checks in _reports(rows, name).items():
            _store(context, suite_name, {each.description: each for each in stated}, report, checks)
    context.build_data_docs()
    _make_readable_offline(out_dir)
    return out_dir / "index.html"


Report = tuple[str | None, str | None, int | None, datetime]


def _reports(rows: list[dict[str, Any]], name: str) -> dict[Report, list[dict[str, Any]]]:
    """Checks of one suite and table by report: source, run, build and moment."""
    reports: dict[Report, list[dict[str, Any]]] = {}
    for row in rows:
        if name == f"{row['suite']}:{row['table_name']}":
            source = row["connection_id"] or row["source"]
            reports.setdefault((source, row["run_id"], row["build_id"], row["checked_at"]), []).append(row)
    return reports


def _store(context: Any, suite: str, stated: dict[Any, Any], report: Report, checks: list[dict[str, Any]]) -> None:
    """Give Great Expectations the checks of one report as it keeps its own results."""
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    source, run_id, build_id, checked_at = report
    table = checks[0]["table_name"]
    results = [
        ExpectationValidationResult(
            success=check["passed"],
            expectation_config=stated[check["expectation"]].configuration,
            result=_shown(check),
            exception_info={
                "raised_exception": "raised" in (check["observed"] or {}),
                "exception_message": (check["observed"] or {}).get("raised"),
                "exception_traceback": None,
            },
        )
        for check in checks
        if check["expectation"] in stated
    ]
    passed = sum(bool(result.success) for result in results)
    label = f"build {build_id}" if build_id is not None else f"{source} {run_id}"
    run = RunIdentifier(run_name=label, run_time=checked_at)
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": passed,
        "unsuccessful_expectations": len(results) - passed,
        "success_percent": 100 * passed / len(results) if results else None,
    }
    batch = {"datasource_name": "warehouse", "data_asset_name": table}
    context.validation_results_store.set(
        ValidationResultIdentifier(ExpectationSuiteIdentifier(suite), run, table),
        ExpectationSuiteValidationResult(
            results=results,
            success=passed == len(results),
            suite_name=suite,
            statistics=statistics,
            meta={"run_id": run, "active_batch_definition": batch, "validation_time": checked_at},
        ),
    )


# Styles, scripts and pictures on outside hosts.
_OUTSIDE = re.compile(
    r'<link\b[^>]*\bhref="https?://[^>]*>|<script\b[^>]*\bsrc="https?://[^>]*>\s*</script>|<img\b[^>]*\bsrc="https?://[^>]*>'
)

# An invitation to the makers' newsletter.
_FOOTER = re.compile(r"<footer\b.*?</footer>", re.DOTALL)

_SHEET = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#222}table{border-collapse:collapse;margin:.5rem 0}"
    "td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "a{color:#0b57d0}code,pre{background:#f4f4f4;padding:.1rem .3rem}.collapse{display:block}.modal,.btn{display:none}"
    ".failed,.alert-danger,.text-danger{color:#b3261e}.badge{padding:0 .3rem;border:1px solid #ccc}"
)


def _make_readable_offline(site: Path) -> None:
    """Replace what pages load from outside hosts by a short sheet, and list the pages in the index without a script."""
    for page in site.rglob("*.html"):
        text = _FOOTER.sub("", _OUTSIDE.sub("", page.read_text()))
        if page == site / "index.html":
            text = text.replace("</body>", f"{_judgements(site)}{_suites(site)}</body>", 1)
        page.write_text(text.replace("</head>", f"<style>{_SHEET}</style></head>", 1))


def _judgements(site: Path) -> str:
    """The latest result of each table as a table of links, the failed ones first."""
    rows = []
    for page in (site / "validations").rglob("*.html"):
        # Great Expectations lays them out as …/run/time/table.html.
        run, moment, table = (*page.parent.parts[-2:], page.stem)
        verdict = "failed" if re.search(r"Status:</span>.*Failed", page.read_text()) else "passed"
        link = f'<a href="{quote(page.relative_to(site).as_posix())}">{escape(table)}</a>'
        when = datetime.strptime(moment, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
        rows.append((verdict, table, f"{run} ({when:%Y-%m-%d %H:%M} UTC)", link))
    cells = "".join(
        f'<tr><td class="{verdict}">{verdict}</td><td>{link}</td><td>{escape(run)}</td></tr>'
        for verdict, _, run, link in sorted(rows)
    )
    return f"<h2>Latest results</h2><table><tr><th>result</th><th>table</th><th>run</th></tr>{cells}</table>"


def _suites(site: Path) -> str:
    pages = sorted(page.relative_to(site).as_posix() for page in (site / "expectations").rglob("*.html"))
    links = "".join(
        f'<li><a href="{quote(page)}">{escape(page.removeprefix("expectations/").removesuffix(".html"))}</a></li>'
        for page in pages
    )
    return f"<h2>Expectations</h2><ul>{links}</ul>"


def _shown(check: dict[str, Any]) -> dict[str, Any]:
    observed = check["observed"] or {}
    shown: dict[str, Any] = {}
    if check["unexpected_count"] is not None:
        rows = observed.get("rows") or 0
        share = 100 * check["unexpected_count"] / rows if rows else 0.0
        shown = {
            "element_count": rows,
            "unexpected_count": check["unexpected_count"],
            "unexpected_percent": share,
            "unexpected_percent_total": share,
            "partial_unexpected_list": check["sample_keys"],
            "partial_unexpected_counts": [{"value": key, "count": 1} for key in check["sample_keys"]],
        }
    if "value" in observed:
        shown["observed_value"] = observed["value"]
    return shown
