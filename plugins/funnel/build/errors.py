"""Exceptions of builds, computations and metrics."""

from funnel.errors import Failure


class BuildFailed(Failure):
    """dbt could not build the marts. The message names the model or test, rows, and what to do."""

    is_permanent = True


class StatisticsFailed(Failure):
    """A statistic could not be computed. The message names it, the group, and what to do."""


class MetricsError(Failure):
    """A metric is not defined as MetricFlow needs it, or reads a table that is not published. The
    message names each.
    """
