"""The tools of `make mcp`, through the client of the library, over standard input and output."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from funnel.questions import server
from tests.end_to_end.company.conftest import ANCHOR
from tests.end_to_end.company.test_ask import environment
from tests.end_to_end.pipeline import Pipeline, rows


def talk(place: Any, do: Callable[[Any], Awaitable[Any]]) -> Any:
    async def session() -> Any:
        async with Client(place) as client:
            return await do(client)

    return asyncio.run(session())


@pytest.fixture(scope="module")
def made() -> Any:
    return server.make()


def called(made: Any, tool: str, **arguments: str) -> Any:
    """What a tool returns, or the text of its error."""
    found = talk(made, lambda client: client.call_tool(tool, arguments))
    if found.is_error:
        return found.content[0].text
    return found.structured_content.get("result", found.structured_content)


def test_the_server_speaks_over_standard_input_and_output(company: Pipeline) -> None:
    place = StdioServerParameters(command=sys.executable, args=["-m", "funnel.cli", "mcp"], env=environment())

    async def do(client: Any) -> Any:
        tools = await client.list_tools()
        return tools, await client.call_tool("ask_metric", {"question": "leads by month"})

    tools, answer = talk(place, do)
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools.tools)
    given = json.loads(answer.content[0].text)
    assert {row["month"]: row["leads"] for row in given["rows"]} == {
        row["month_start"].isoformat(): row["leads"]
        for row in rows("select month_start, sum(leads) as leads from bi.fct_funnel_monthly group by 1")
    }


def test_metrics_and_their_dimensions_can_be_looked_up(company: Pipeline, made: Any) -> None:
    assert {"name": "win_rate", "label": "Win rate"} in called(made, "list_metrics")
    described = called(made, "describe_metric", metric="leads that become MQL within 30 days")
    assert described["name"] == "cohort_mql_rate"
    assert described["clock"].startswith("cohort clock")
    assert described["by"][0] == "month"
    assert "EMEA" in called(made, "dimension_values", metric="leads", dimension="region")


def test_the_dictionary_is_that_of_the_catalogue(company: Pipeline, made: Any) -> None:
    tables = {row["name"]: row["description"] for row in called(made, "list_tables")}
    assert tables["fct_leads"].startswith("One row per lead cycle")
    described = called(made, "describe_table", table="bi.fct_leads")
    assert {column["name"] for column in described["columns"]} >= {"lead_key", "mql_at", "region"}
    assert all(column["description"] for column in described["columns"])


def test_freshness_is_said_in_words(company: Pipeline, made: Any) -> None:
    status = called(made, "data_status")
    assert status["complete_through"] == (ANCHOR - timedelta(days=1)).isoformat()
    assert status["in_words"].startswith(f"Data are complete through {status['complete_through']}")


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("ask_metric", {"question": "leeds by month"}, "There is no metric `leeds`. Nearest: leads"),
        ("describe_table", {"table": "fct_lead"}, "fct_leads"),
        ("describe_table", {"table": "raw.hubspot__contacts"}, "There is no table"),
        ("describe_table", {"table": "fct_leads'; drop table x"}, "There is no table"),
    ],
)
def test_errors_say_what_to_write(
    company: Pipeline, made: Any, tool: str, arguments: dict[str, str], said: str
) -> None:
    assert said in str(called(made, tool, **arguments))


def test_a_warehouse_that_is_gone_is_said_in_a_sentence(
    company: Pipeline, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_DSN", "postgresql://postgres@127.0.0.1:1/none?connect_timeout=1")
    said = called(made, "data_status")
    assert "does not answer" in said
    assert "Traceback" not in said
