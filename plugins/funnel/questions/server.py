"""Metrics, dictionary and freshness as tools of other programs, by the Model Context Protocol over standard input and
output. Everything is read as `bi_reader`; a tool takes names and values, never SQL, and changes nothing.
"""

from functools import cached_property
from typing import Any

from funnel import warehouse
from funnel.build.metrics import READER
from funnel.questions import answers, grammar, output
from funnel.questions.catalogue import CLOCKS, Catalogue, find
from funnel.questions.errors import QuestionError

INSTRUCTIONS = (
    "The marketing and sales funnel of one company, from published and audited data. Look up a metric with "
    "list_metrics and describe_metric, then ask it with ask_metric, for example `leads by month, channel where region "
    "= EMEA`. Say the period, the clock and complete_through with every figure; null means that a source is not "
    "configured or that there are too few data. Do not average rates: ask for them by the dimension that is wanted."
)
TABLES = """
    select class.relname as name, obj_description(class.oid, 'pg_class') as description
    from pg_class as class
    where class.relnamespace = 'bi'::regnamespace and class.relkind in ('r', 'v')
    order by class.relname
"""
COLUMNS = """
    select
        attribute.attname as name,
        format_type(attribute.atttypid, attribute.atttypmod) as type,
        attribute.attnotnull as is_never_null,
        col_description(attribute.attrelid, attribute.attnum) as description
    from pg_attribute as attribute
    where
        attribute.attrelid = format('bi.%%I', %s::text)::regclass
        and attribute.attnum > 0 and not attribute.attisdropped
    order by attribute.attnum
"""


class Tools:
    """The tools. The project is read once, at the first question."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """The metrics of the project."""
        return Catalogue()

    def list_metrics(self) -> list[dict[str, str]]:
        """All metrics with their labels."""
        return [{"name": name, "label": self.catalogue.label(name)} for name in self.catalogue.names()]

    def describe_metric(self, metric: str) -> dict[str, Any]:
        """Formula, limits, clock, tables, grains of time and dimensions of a metric, by its name or label."""
        found = self.catalogue.metric(metric)
        return {
            "name": found.name,
            "label": found.label,
            "description": found.description,
            "clock": CLOCKS[found.clock],
            "tables": [f"bi.{table}" for table in found.tables],
            "by": [*found.grains, *(one.name for one in found.dimensions)],
        }

    def dimension_values(self, metric: str, dimension: str) -> list[str]:
        """The values that a dimension of a metric has, at most 500."""
        found = answers.dimension_of(dimension, self.catalogue.metric(metric))
        with warehouse.connect(READER) as connection:
            return [str(value) for value in answers.stored_values(connection, found)[:500]]

    def ask_metric(self, question: str) -> dict[str, Any]:
        """Figures of metrics: `<metric>, … [by <dimension>, …] [where <dimension> = <value> and …] [from <day>]
        [to <day>] [in <period>] [last 30 days] [order by <column> desc] [top 10 by <metric>]`. Time is day, week,
        month, quarter or year.
        """
        return output.document(answers.answer(grammar.parse(question), self.catalogue))

    def data_status(self) -> dict[str, Any]:
        """How fresh and how checked the published data are, in values and in words."""
        with warehouse.connect(READER) as connection:
            status = answers.data_status(connection)
        plain = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in status.items()}
        return {**plain, "in_words": answers.freshness(status)}

    def list_tables(self) -> list[dict[str, str]]:
        """The tables and views of schema bi that analysts may read, with what one row is."""
        with warehouse.connect(READER) as connection:
            return warehouse.dicts(connection, TABLES)

    def describe_table(self, table: str) -> dict[str, Any]:
        """The columns of a table of schema bi, with types and meaning."""
        tables = {one["name"]: one["description"] for one in self.list_tables()}
        name = find(table.removeprefix("bi."), dict.fromkeys(tables, ""), "table", "list_tables lists all tables.")
        with warehouse.connect(READER) as connection:
            columns = warehouse.dicts(connection, COLUMNS, (name,))
        return {"table": f"bi.{name}", "description": tables[name], "columns": columns}


def make(tools: Tools | None = None) -> Any:
    """The server, with every tool marked as read-only."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ToolAnnotations

    from funnel import release

    server = MCPServer("funnel", instructions=INSTRUCTIONS, version=release.version(), log_level="WARNING")
    marks = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    offered = tools or Tools()
    for tool in (
        offered.list_metrics,
        offered.describe_metric,
        offered.dimension_values,
        offered.ask_metric,
        offered.data_status,
        offered.list_tables,
        offered.describe_table,
    ):
        server.tool(annotations=marks)(_said(tool, ToolError))
    return server


def _said(tool: Any, tool_error: type[Exception]) -> Any:
    """The tool, whose errors are the sentences that people are shown, without a traceback."""
    from functools import wraps

    from funnel.reporting.sentences import sentence_of

    @wraps(tool)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return tool(*arguments, **named)
        except Exception as error:
            text = str(error) if isinstance(error, QuestionError) else sentence_of(error)
            raise tool_error(text or f"{type(error).__name__}: see the log of this server") from error

    return call


def run() -> None:
    """Serve on standard input and output until the client closes them."""
    make().run("stdio")
