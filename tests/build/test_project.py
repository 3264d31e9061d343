"""Rules for every file of the dbt project, checked on the manifest."""

import re
from pathlib import Path
from typing import Any

import pytest

from funnel.build import dbt_run
from funnel.contract import raw_table
from funnel.sources import SOURCES

MARTS = {
    "dim_dates",
    "dim_channels",
    "dim_campaigns",
    "dim_campaigns_history",
    "dim_people",
    "dim_record_links",
    "dim_accounts",
    "dim_sales_reps",
    "dim_products",
    "dim_products_history",
    "fct_ad_stats_daily",
    "fct_web_sessions_daily",
    "fct_orders",
    "fct_payments",
    "fct_touchpoints",
    "fct_stage_events",
    "fct_targets",
    "fct_leads",
    "fct_opportunities",
    "fct_opportunities_daily",
    "fct_opportunity_lines",
    "fct_sell_through_weekly",
    "fct_attribution",
    "fct_funnel_daily",
    "fct_funnel_monthly",
    "fct_funnel_cohorts",
    "fct_funnel_bridge",
    "fct_funnel_stages",
    "fct_funnel_steps",
    "rpt_channel_removal",
    "rpt_channel_return",
    "rpt_drivers",
    "rpt_handoff",
    "rpt_identity",
    "rpt_alignment_parts",
    "rpt_alignment_scorecard",
    "rpt_pipeline_coverage",
    "rpt_price_leakage",
    "rpt_restatement",
    "rpt_sales_velocity",
    "rpt_retail_gap",
    # Views with one model, one clock and one total.
    "rpt_channel_return_default",
    "rpt_pipeline_coverage_default",
    "fct_attribution_default",
    "fct_funnel_cohorts_default",
    "fct_opportunities_daily_default",
}


# Where `(all)` is a member: reports that show a total beside its parts. Rows of all others can be added.
TOTALS = {"fct_targets", "rpt_alignment_parts", "rpt_alignment_scorecard", "rpt_pipeline_coverage", "rpt_restatement"}
SUBJECTS = {"persons", "advertising", "touches", "pipeline", "money", "alignment"}


def models(manifest: dict[str, Any], layer: str | None = None) -> list[dict[str, Any]]:
    found = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    return [node for node in found if layer is None or node["fqn"][1] == layer]


def test_the_marts_are_the_promised_ones(manifest: dict[str, Any]) -> None:
    assert {node["name"] for node in models(manifest, "marts")} == MARTS


def test_only_reports_with_totals_write_the_member_all(manifest: dict[str, Any]) -> None:
    """A view may leave the totals out."""
    writes = re.compile(r"(?<!<> )'\(all\)'")
    assert {node["name"] for node in models(manifest, "marts") if writes.search(node["raw_code"])} == TOTALS - {
        "rpt_alignment_scorecard"  # takes it from rpt_alignment_parts
    }


def test_source_is_called_in_staging_only(manifest: dict[str, Any]) -> None:
    strangers = [
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "test", "seed")
        and node["fqn"][1] != "staging"
        and any(parent.startswith("source.") for parent in node.get("depends_on", {}).get("nodes", []))
    ]
    assert strangers == []


def test_every_stream_has_a_staging_model_in_its_sources_folder(manifest: dict[str, Any]) -> None:
    read = {
        (Path(node["original_file_path"]).parent.name, parent.split(".")[-1])
        for node in models(manifest, "staging")
        for parent in node["depends_on"]["nodes"]
    }
    declared = {(source.name, raw_table(source, stream)) for source in SOURCES.values() for stream in source.streams}
    assert {(folder, table) for folder, table in read if folder not in ("ops", "statistics")} == declared


def test_staging_carries_every_declared_column(manifest: dict[str, Any]) -> None:
    for source in SOURCES.values():
        for stream in source.streams:
            entity = "campaign_versions" if stream.keep_versions else stream.name
            path = dbt_run.PROJECT / f"models/staging/{source.name}/stg_{source.name}__{entity}.sql"
            words = set(re.findall(r"\w+", path.read_text()))
            # The time zone of an account with one row per campaign is in the ledger; the order of files has decided
            # which row is stored.
            missing = {name for column in stream.columns for name, _ in column.raw_columns} - words
            assert missing <= {"time_zone", "_file_order"}, f"{path.name} leaves out {missing}"


def test_staging_neither_joins_nor_aggregates(manifest: dict[str, Any]) -> None:
    for node in models(manifest, "staging"):
        assert not re.search(r"\b(join|group by|distinct|union)\b", node["raw_code"]), node["name"]


@pytest.mark.parametrize("layer", ["intermediate", "marts"])
def test_a_model_has_files_of_its_own(manifest: dict[str, Any], layer: str) -> None:
    """`int_touches.sql`, `int_touches.yml` and `_int_touches_unit_tests.yml` are in one folder."""
    for node in models(manifest, layer):
        path = Path(node["original_file_path"])
        assert node["patch_path"] == f"funnel://{path.with_suffix('.yml')}"
        assert layer == "marts" or path.parent.name in SUBJECTS, path
    for test in manifest["unit_tests"].values():
        folder = Path(manifest["nodes"][test["depends_on"]["nodes"][0]]["original_file_path"]).parent
        if layer in folder.parts:
            assert test["original_file_path"] == str(folder / f"_{test['model']}_unit_tests.yml")


def test_joins_can_look_through_every_view(manifest: dict[str, Any]) -> None:
    for node in models(manifest):
        if node["config"]["materialized"] == "view":
            assert not re.search(r"^with\b", node["raw_code"], re.M), f"{node['name']} hides its tables behind a `with`"


def test_every_model_says_what_a_row_is_and_tests_its_key(manifest: dict[str, Any]) -> None:
    tested = {
        test["attached_node"]: test["test_metadata"]["name"]
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test"
        and test.get("test_metadata")
        and test["test_metadata"]["name"] in ("grain", "grain_of_view", "grain_of_loaded_rows")
    }
    for node in models(manifest):
        assert node["description"].startswith("One row per "), f"{node['name']}: {node['description']!r}"
        assert node["unique_id"] in tested, f"{node['name']} does not test its key"
        # Builds leave `grain` out: the table's primary key enforces it.
        is_table = node["config"]["materialized"] == "keyed_table"
        assert (tested[node["unique_id"]] == "grain") == is_table, node["name"]


def test_the_tested_key_is_the_key_of_the_table(manifest: dict[str, Any]) -> None:
    for test in manifest["nodes"].values():
        if test["resource_type"] == "test" and (test.get("test_metadata") or {}).get("name") == "grain":
            node = manifest["nodes"][test["attached_node"]]
            if node["config"]["materialized"] == "keyed_table":
                assert test["test_metadata"]["kwargs"]["columns"] == node["config"]["unique_key"], node["name"]


@pytest.mark.parametrize("layer", ["marts", "intermediate", "staging"])
def test_every_column_of_a_model_is_described(manifest: dict[str, Any], layer: str) -> None:
    for node in models(manifest, layer):
        assert node["columns"], node["name"]
        for column in node["columns"].values():
            assert len(column["description"]) > 3, f"{node['name']}.{column['name']}"


def test_every_mart_has_an_enforced_contract(manifest: dict[str, Any]) -> None:
    for node in models(manifest, "marts"):
        assert node["config"]["contract"]["enforced"], node["name"]
        assert all(column["data_type"] for column in node["columns"].values()), node["name"]


def test_money_and_shares_are_numeric(manifest: dict[str, Any]) -> None:
    for node in models(manifest, "marts"):
        for column in node["columns"].values():
            assert column["data_type"] not in ("double precision", "real", "float"), f"{node['name']}.{column['name']}"
            if not column["name"].startswith(("is_", "n_")) and re.search(
                r"amount|spend|revenue|credit|rate$|value$|roas|cac$", column["name"]
            ):
                assert column["data_type"] == "numeric", f"{node['name']}.{column['name']}"


def test_no_model_reads_the_clock() -> None:
    clock = re.compile(
        r"\b(now\(\)|current_date|current_timestamp|localtimestamp|clock_timestamp|run_started_at)\b|now\("
    )
    for path in (*dbt_run.PROJECT.glob("models/**/*.sql"), *dbt_run.PROJECT.glob("macros/*.sql")):
        assert not clock.search(path.read_text()), path


def test_no_number_is_a_float() -> None:
    for path in dbt_run.PROJECT.glob("**/*.sql"):
        assert not re.search(r"::\s*(float|real|double)", path.read_text()), path


def test_seeds_are_described_column_by_column(manifest: dict[str, Any]) -> None:
    for node in manifest["nodes"].values():
        if node["resource_type"] == "seed":
            header = (dbt_run.PROJECT / node["original_file_path"]).read_text().splitlines()[0].split(",")
            assert list(node["columns"]) == header, node["name"]
            assert node["description"].startswith("One row per "), node["name"]
            assert set(node["config"]["column_types"]) == set(header), node["name"]


def test_every_metric_says_its_formula_and_its_limits(manifest: dict[str, Any]) -> None:
    found = manifest["metrics"].values()
    assert len(found) > 50
    for metric in found:
        assert metric["label"], metric["name"]
        formula, limits, _ = metric["description"].partition("Limits: ")
        assert len(formula) > 20, metric["name"]
        assert limits, f"{metric['name']} says no limits"
        # A change here requires no full build; files are selected by their ending.
        assert metric["original_file_path"].endswith("_metrics.yml")
    assert len({metric["label"] for metric in found}) == len(found)
