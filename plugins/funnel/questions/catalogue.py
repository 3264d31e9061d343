"""The metrics that can be asked for, their dimensions, clocks and tables, found by the names that people write."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from funnel.build.metrics import Metrics
from funnel.questions.errors import QuestionError

GRAINS = ("day", "week", "month", "quarter", "year")
CLOCKS = {
    "activity": "activity clock: an event counts in the period in which it happened",
    "cohort": "cohort clock: an event counts in the period in which its lead began",
    "stock": "a stock: what was there on the newest day; do not add it over time",
}


@dataclass(frozen=True)
class Dimension:
    """What a metric can be grouped by: the name people use, MetricFlow's name, and the column of bi with its values."""

    name: str
    label: str
    group_by: str
    table: str
    column: str


@dataclass(frozen=True)
class Metric:
    """A metric with what is said beside its figures."""

    name: str
    label: str
    description: str
    clock: str
    tables: tuple[str, ...]
    smallest_grain: str
    dimensions: tuple[Dimension, ...]

    @property
    def grains(self) -> tuple[str, ...]:
        """The grains of time by which it is known."""
        return GRAINS[GRAINS.index(self.smallest_grain) :]


class Catalogue:
    """The metrics of a project by name. Reading the project takes seconds; after that look-ups are immediate."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self._known: dict[str, Metric] = {}

    def names(self) -> list[str]:
        """All metrics, in the order of their names."""
        return self.metrics.names()

    def metric(self, written: str) -> Metric:
        """The metric that a text names. Raises QuestionError with the nearest ones."""
        labels = {name: one.label for name, one in self._stated.items()}
        name = find(written, labels, "metric", "`make ask` lists all metrics.")
        if name not in self._known:
            self._known[name] = self._describe(name)
        return self._known[name]

    def label(self, name: str) -> str:
        """The label of a metric."""
        return str(self._stated[name].label)

    @cached_property
    def _stated(self) -> dict[str, Any]:
        return {one.name: one for one in self.metrics.manifest.metrics}

    @cached_property
    def _models(self) -> dict[str, Any]:
        return {model.name: model for model in self.metrics.manifest.semantic_models}

    @cached_property
    def _columns(self) -> dict[str, tuple[str, str, str]]:
        """The label, table and column of each dimension by MetricFlow's name of it."""
        found = {}
        for model in self._models.values():
            primary = next((one.name for one in model.entities if one.type.value == "primary"), model.primary_entity)
            for one in (each for each in model.dimensions if each.type.value == "categorical"):
                found[f"{primary}__{one.name}"] = (
                    one.label or one.name,
                    model.node_relation.alias,
                    one.expr or one.name,
                )
        return found

    def _describe(self, name: str) -> Metric:
        stated = self._stated[name]
        models = {self._stated[one].type_params.metric_aggregation_params.semantic_model for one in self._inputs(name)}
        dimensions, grains = [], set()
        for group_by in self.metrics.group_bys(name):
            if group_by.startswith("metric_time__"):
                grains.add(group_by.partition("__")[2])
            elif group_by in self._columns:
                label, table, column = self._columns[group_by]
                plain = group_by.partition("__")[2]
                dimensions.append(Dimension(plain.removesuffix("_name"), label, group_by, table, column))
        clocks = {self._stated[one].config.meta.get("clock", "activity") for one in [name, *self._inputs(name)]}
        return Metric(
            name=name,
            label=stated.label,
            description=stated.description,
            clock=next((clock for clock in ("cohort", "stock") if clock in clocks), "activity"),
            tables=tuple(sorted(self._models[model].node_relation.alias for model in models)),
            smallest_grain=next(grain for grain in GRAINS if grain in grains),
            dimensions=tuple(sorted(dimensions, key=lambda one: one.name)),
        )

    def _inputs(self, name: str) -> list[str]:
        """The simple metrics that a metric is computed from."""
        stated = self._stated[name]
        if stated.type.value == "simple":
            return [name]
        parts = [*(stated.type_params.metrics or []), stated.type_params.numerator, stated.type_params.denominator]
        return sorted({one for part in parts if part for one in self._inputs(part.name)})


def find(written: str, labels: Mapping[str, str], kind: str, advice: str) -> str:
    """The name that a text means: by name or label, whatever its case, spaces and number. Raises QuestionError."""
    wanted = _plain(written)
    for spelled in (wanted, _singular(wanted)):
        fitting = {
            name
            for name, label in labels.items()
            if spelled in (_plain(name), _plain(label), _singular(_plain(name)), _singular(_plain(label)))
        }
        exact = {name for name in fitting if spelled == _plain(name)}
        if len(exact or fitting) == 1:
            return (exact or fitting).pop()
    near = nearest(written, labels)
    listed = ", ".join(f"{name} ({labels[name]})" if labels[name].lower() != name else name for name in near)
    raise QuestionError(f"There is no {kind} `{written}`." + (f" Nearest: {listed}." if near else "") + f" {advice}")


def nearest(written: str, labels: Mapping[str, str], number: int = 5) -> list[str]:
    """The names that are spelled most like a text, by name, by label, or because they contain it."""
    wanted = _plain(written)
    spelled: dict[str, str] = {}
    for name, label in labels.items():
        spelled.setdefault(_plain(label), name)
        spelled[_plain(name)] = name
    close = [spelled[each] for each in get_close_matches(wanted, spelled, n=2 * number, cutoff=0.6)]
    parts = {part for part in wanted.split("_") if len(part) > 2}
    related = [name for each, name in spelled.items() if parts & {_singular(one) for one in (*each.split("_"), each)}]
    related += [name for each, name in spelled.items() if wanted in each]
    return list(dict.fromkeys([*close, *related]))[:number]


def _plain(text: str) -> str:
    return re.sub(r"[^\w]+", "_", text.lower()).strip("_")


def _singular(text: str) -> str:
    return text[:-1] if text.endswith("s") and len(text) > 3 else text


def distinct(items: Iterable[str]) -> tuple[str, ...]:
    """The items in their order, each once."""
    return tuple(dict.fromkeys(items))
