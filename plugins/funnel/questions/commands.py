"""The commands of analysts: `ask`, `mcp` and `mf`. Modules that take seconds to import are imported when one runs."""

import argparse
import sys
from collections.abc import Callable


def add_to(add: Callable[[str, object, str], argparse.ArgumentParser]) -> None:
    """Add the commands to the parser of the command line."""
    ask = add("ask", _ask, "answer a question about metrics from published data")
    ask.add_argument("question", nargs="?", default="", help="without one, all metrics are listed")
    ask.add_argument("--format", default="table", help="table, csv or json")
    add(
        "mcp",
        _mcp,
        "serve metrics, dictionary and freshness to tools (Model Context Protocol, standard input and output)",
    )
    shell = add("mf", _metricflow, "run MetricFlow's own command as the reader, over bi")
    shell.add_argument("arguments", nargs=argparse.REMAINDER, help="such as: query --metrics leads")


def _ask(chosen: argparse.Namespace) -> None:
    """Print the answer to a question, or all metrics if there is none. Notes of CSV go to standard error."""
    from funnel.questions import answers, grammar, output
    from funnel.questions.catalogue import Catalogue

    catalogue = Catalogue()
    if not chosen.question.strip():
        print(output.listing(catalogue))
        return
    form = output.checked(chosen.format)
    shown, notes = output.written(answers.answer(grammar.parse(chosen.question), catalogue), form)
    print(shown)
    if notes:
        print(notes, file=sys.stderr)


def _mcp(_: argparse.Namespace) -> None:
    from funnel.questions import server

    server.run()


def _metricflow(chosen: argparse.Namespace) -> None:
    from funnel.questions import metricflow_shell

    metricflow_shell.run(chosen.arguments)
