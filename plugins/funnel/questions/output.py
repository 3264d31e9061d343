"""An answer as a table for people, or as CSV or JSON for programs."""

import csv
import io
import json
import textwrap
from decimal import Decimal
from typing import Any

from funnel.questions.answers import Answer
from funnel.questions.catalogue import CLOCKS, Catalogue
from funnel.questions.errors import QuestionError
from funnel.questions.grammar import EXAMPLE

FORMATS = ("table", "csv", "json")
WIDTH = 110


def checked(form: str) -> str:
    """The format. Raises QuestionError if it is not one."""
    if form not in FORMATS:
        raise QuestionError(f"FORMAT={form} is not a format: write {', '.join(FORMATS)}.")
    return form


def written(answer: Answer, form: str) -> tuple[str, str]:
    """The answer in one of FORMATS, and the notes that a program should not read."""
    if form == "csv":
        return _csv(answer), "\n".join(answer.notes)
    if form == "json":
        return json.dumps(document(answer), ensure_ascii=False, indent=2), ""
    notes = [textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in answer.notes]
    return "\n".join([_table(answer), "", *notes]), ""


def document(answer: Answer) -> dict[str, Any]:
    """The answer as values of JSON. Amounts are numbers; days are texts such as 2026-03-31."""
    return {
        "columns": list(answer.columns),
        "rows": [{name: _plain(value) for name, value in row.items()} for row in answer.rows],
        "from": answer.period.first and answer.period.first.isoformat(),
        "to": answer.period.last and answer.period.last.isoformat(),
        "data_as_of": answer.status["data_as_of"].isoformat(),
        "complete_through": answer.status["complete_through"].isoformat(),
        "last_audit_passed": answer.status["last_audit_passed"],
        "sources_late": answer.status["sources_late"],
        "currency": answer.status["reporting_currency"],
        "metrics": {
            one.name: {"label": one.label, "clock": CLOCKS[one.clock], "description": one.description}
            for one in answer.metrics
        },
    }


def listing(catalogue: Catalogue) -> str:
    """All metrics with their labels, and how to ask."""
    names = catalogue.names()
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {catalogue.label(name)}" for name in names]
    return "\n".join(
        [*lines, "", EXAMPLE, "FORMAT=csv or FORMAT=json is for programs. docs/analyst_guide.md has more."]
    )


def _csv(answer: Answer) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_plain(row[name]) for name in answer.columns] for row in answer.rows)
    return text.getvalue().rstrip("\n")


def _table(answer: Answer) -> str:
    if not answer.rows:
        return "No row fits the question."
    cells = [[_shown(row[name]) for name in answer.columns] for row in answer.rows]
    widths = [max(map(len, column)) for column in zip(answer.columns, *cells, strict=True)]
    is_number = [
        all(row[name] is None or isinstance(row[name], int | float | Decimal) for row in answer.rows)
        for name in answer.columns
    ]

    def line(texts: list[str]) -> str:
        placed = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(texts, widths, is_number, strict=True)
        )
        return "  ".join(placed).rstrip()

    return "\n".join([line(list(answer.columns)), line(["-" * width for width in widths]), *map(line, cells)])


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return str(value)
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
