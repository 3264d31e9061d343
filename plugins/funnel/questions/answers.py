"""The answer to a question: MetricFlow writes the statement, and `bi_reader` runs it on published data.

What a user wrote never becomes part of a statement: names are looked up, and values are parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.build.metrics import READER
from funnel.questions.catalogue import CLOCKS, GRAINS, Catalogue, Dimension, Metric, distinct, find
from funnel.questions.errors import QuestionError
from funnel.questions.grammar import Condition, Question
from funnel.questions.periods import Period, recent, start_of

Row = dict[str, Any]
Key = tuple[Any, ...]

STATUS = """
    select
        data_as_of,
        (data_as_of at time zone reporting_timezone - interval '1 microsecond')::date as complete_through,
        published_at,
        last_audit_passed,
        sources_late,
        reporting_currency,
        reporting_timezone,
        held_by,
        readers_see
    from bi.data_status
    limit 1
"""


@dataclass(frozen=True)
class Answer:
    """The rows of an answer with what must be said beside them."""

    columns: tuple[str, ...]
    rows: list[Row]
    metrics: tuple[Metric, ...]
    period: Period
    status: Mapping[str, Any]

    @property
    def notes(self) -> list[str]:
        """Sentences: period, freshness, and the clock and limits of each metric."""
        said = [f"{_period_in_words(self.period)} {freshness(self.status)}"]
        for metric in self.metrics:
            said.append(f"{metric.name} ({metric.label}): {CLOCKS[metric.clock]}. {metric.description}")
        return said


def answer(question: Question, catalogue: Catalogue) -> Answer:
    """Ask the published data. Raises QuestionError if the question names what does not exist."""
    metrics = tuple(catalogue.metric(written) for written in distinct(question.metrics))
    with warehouse.connect(READER) as connection:
        status = data_status(connection)
        period = Period(question.first, question.last)
        if question.recent:
            period = recent(*question.recent, status["complete_through"])
        keys = tuple(_key_name(written, metrics) for written in distinct(question.by))
        merged: dict[Key, Row] = {}
        for group in _groups(metrics):
            for row in _ask(connection, catalogue, group, keys, question.where, period):
                merged.setdefault(tuple(row[key] for key in keys), {}).update(row)
    names = tuple(metric.name for metric in metrics)
    columns = (*keys, *names)
    rows = [{column: row.get(column) for column in columns} for row in merged.values()]
    rows = _sorted(rows, question, columns, keys)
    return Answer(columns, rows[: question.limit], metrics, period, status)


def data_status(connection: psycopg.Connection[Any]) -> Row:
    """How fresh the published data are. Raises QuestionError if nothing is published."""
    found = warehouse.dicts(connection, STATUS) if warehouse.has_table(connection, "bi", "data_status") else []
    if not found:
        raise QuestionError(
            "Nothing is published yet: `make demo`, or `make build` and `make publish`, publishes data."
        )
    return found[0]


def freshness(status: Mapping[str, Any]) -> str:
    """How far the data are complete, and what is wrong with them, in sentences."""
    said = (
        f"Data are complete through {status['complete_through']} "
        f"(data_as_of {status['data_as_of']:%Y-%m-%d %H:%M} UTC), in {status['reporting_currency']}, "
        f"days in {status['reporting_timezone']}."
    )
    if not status["last_audit_passed"]:
        said += " The newest audit failed: these are the figures of the publication before it."
    if status["sources_late"]:
        said += f" Late: {', '.join(status['sources_late'])}."
    return said + (f" Held: {status['readers_see']}." if status["held_by"] else "")


def _period_in_words(period: Period) -> str:
    if period.first and period.last:
        return f"{period.first} to {period.last}, both included."
    if period.first:
        return f"From {period.first} on."
    return f"Up to {period.last}, included." if period.last else "All days."


def _groups(metrics: Sequence[Metric]) -> list[list[Metric]]:
    """Metrics that one statement can compute: those with the same dimensions and grain."""
    groups: dict[Any, list[Metric]] = {}
    for metric in metrics:
        groups.setdefault((metric.dimensions, metric.smallest_grain), []).append(metric)
    return list(groups.values())


def _key_name(written: str, metrics: Sequence[Metric]) -> str:
    """The column of an answer that a text names: a grain of time or a dimension that every metric has."""
    names = {_grain_or_dimension(written, metric) for metric in metrics}
    return names.pop() if len(names) == 1 else written


def _grain_or_dimension(written: str, metric: Metric) -> str:
    grain = {"date": "day", "days": "day"}.get(written.lower(), written.lower().removesuffix("s"))
    if grain in metric.grains:
        return grain
    if grain in GRAINS:
        raise QuestionError(f"{metric.name} is not known by {grain}; it is by {', '.join(metric.grains)}.")
    return dimension_of(written, metric).name


def dimension_of(written: str, metric: Metric) -> Dimension:
    """The dimension of a metric that a text names. Raises QuestionError with those that it has."""
    labels = {one.name: one.label for one in metric.dimensions}
    known = ", ".join([*metric.grains, *labels])
    name = find(written, labels, "dimension", f"{metric.name} can be asked by {known}.")
    return next(one for one in metric.dimensions if one.name == name)


def _ask(
    connection: psycopg.Connection[Any],
    catalogue: Catalogue,
    metrics: Sequence[Metric],
    keys: Sequence[str],
    conditions: Sequence[Condition],
    period: Period,
) -> list[Row]:
    """The rows of metrics with the same dimensions, by the names of the answer's columns."""
    metric = metrics[0]
    by = {key: f"metric_time__{key}" if key in GRAINS else dimension_of(key, metric).group_by for key in keys}
    parameters: dict[str, Any] = {}
    where = [*_conditions(connection, metric, conditions, parameters), *_days(metric, period, parameters)]
    text = catalogue.metrics.statement([one.name for one in metrics], list(by.values()), where)
    found = warehouse.dicts(connection, _with_parameters(text, parameters), parameters)
    wanted = {**by, **{one.name: one.name for one in metrics}}
    return [{name: _value(row[column]) for name, column in wanted.items()} for row in found]


def _conditions(
    connection: psycopg.Connection[Any], metric: Metric, conditions: Sequence[Condition], parameters: dict[str, Any]
) -> list[str]:
    """Conditions as MetricFlow reads them, with the names of parameters instead of values."""
    found = []
    for condition in conditions:
        dimension = dimension_of(condition.name, metric)
        stored = stored_values(connection, dimension)
        values = [_stored_value(value, dimension, stored, condition) for value in condition.values]
        names = [_parameter(value, parameters) for value in values]
        column = f"{{{{ Dimension('{dimension.group_by}') }}}}"
        if condition.operator == "=":
            found.append(f"{column} in ({', '.join(names)})")
        elif condition.operator == "!=":
            found.append(f"({column} not in ({', '.join(names)}) or {column} is null)")
        else:
            found.append(f"{column} {condition.operator} {names[0]}")
    return found


def stored_values(connection: psycopg.Connection[Any], dimension: Dimension) -> list[Any]:
    """The values that a dimension has in published data, in their order."""
    query = sql.SQL(
        "select distinct {column} from bi.{table} where {column} is not null order by 1 limit 100000"
    ).format(column=sql.Identifier(dimension.column), table=sql.Identifier(dimension.table))
    return [value for (value,) in connection.execute(query).fetchall()]


def _stored_value(written: str, dimension: Dimension, stored: Sequence[Any], condition: Condition) -> Any:
    """The stored value that a text means, whatever its case. Raises QuestionError with the nearest ones."""
    if condition.operator not in ("=", "!="):
        return written
    exact = next((value for value in stored if str(value) == written), None)
    same = [value for value in stored if str(value).casefold() == written.casefold()]
    if exact is not None or len(same) == 1:
        return same[0] if exact is None else exact
    labels = {str(value): str(value) for value in stored}
    known = ", ".join(list(labels)[:30]) + (", …" if len(labels) > 30 else "")
    name = find(written, labels, dimension.label.lower(), f"{dimension.name} has: {known or 'no value'}.")
    return next(value for value in stored if str(value) == name)


def _days(metric: Metric, period: Period, parameters: dict[str, Any]) -> list[str]:
    """The conditions of a period. Raises QuestionError if it cuts a month of a metric known by month."""
    grain = metric.smallest_grain
    time = f"{{{{ TimeDimension('metric_time', '{grain}') }}}}"
    found = []
    if period.first:
        if start_of(grain, period.first) != period.first:
            raise QuestionError(f"{metric.name} is known by {grain}: {period.first} is not the first day of one.")
        found.append(f"{time} >= {_parameter(period.first, parameters)}")
    if period.last:
        after = period.last + timedelta(days=1)
        if start_of(grain, after) != after:
            raise QuestionError(f"{metric.name} is known by {grain}: {period.last} is not the last day of one.")
        found.append(f"{time} < {_parameter(after, parameters)}")
    return found


def _parameter(value: Any, parameters: dict[str, Any]) -> str:
    """A text literal that stands for a value in MetricFlow's statement: see _with_parameters."""
    name = f"value_{len(parameters)}_of_question"
    parameters[name] = value
    return f"'{name}'"


def _with_parameters(text: str, parameters: Mapping[str, Any]) -> str:
    """The statement with a parameter of psycopg in the place of each text literal that stands for a value."""
    text = text.replace("%", "%%")
    for name in parameters:
        text = text.replace(f"'{name}'", f"%({name})s")
    return text


def _value(value: Any) -> Any:
    """Starts of periods are days."""
    return value.date() if isinstance(value, datetime) else value


def _sorted(rows: list[Row], question: Question, columns: Sequence[str], keys: Sequence[str]) -> list[Row]:
    """By the columns that the question names first, otherwise by the keys; nulls last."""
    rows = sorted(rows, key=lambda row: [_rank(row[key]) for key in keys])
    if question.order is None:
        return rows
    written, descending = question.order
    name = find(written, dict.fromkeys(columns, ""), "column of the answer", f"It has {', '.join(columns)}.")
    filled = [row for row in rows if row[name] is not None]
    return [
        *sorted(filled, key=lambda row: _rank(row[name]), reverse=descending),
        *(row for row in rows if row[name] is None),
    ]


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return 2, ""
    return (0, value) if isinstance(value, int | float | Decimal | date) else (1, str(value))
