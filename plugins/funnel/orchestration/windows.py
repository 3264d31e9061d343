"""The window of days that an Airflow run reads."""

from datetime import date, timedelta

from airflow.sdk import (
    Context,
    Param,
)

from funnel import contract, settings
from funnel.contract import Source

WINDOW_PARAMS = {
    "from": Param(None, type=["null", "string"], format="date", description="First day of one windowed read."),
    "to": Param(None, type=["null", "string"], format="date", description="Last day of it, included."),
}


def window_of(context: Context, source: Source, connection_id: str) -> contract.Window:
    """The days that a run reads of one connection. Raises ConfigurationError for parameters that are not days.

    A scheduled run reads its day, the days before it that still change (as the vendor states and as was measured), and
    the days that were missed while nothing ran or while an account was refused. A backfill or a manual run reads
    exactly its day, or the days in its parameters.
    """
    from funnel.ingest import completeness

    params = context["params"]
    first, last = params.get("from"), params.get("to")
    if first or last:
        if not (first and last):
            raise settings.ConfigurationError(f"A windowed run needs both days; got from={first!r} and to={last!r}.")
        return _window(date.fromisoformat(first), date.fromisoformat(last))
    start = context.get("data_interval_start")
    if start is None:
        raise settings.ConfigurationError("The run has no day of its own: give it the parameters `from` and `to`.")
    day = date(start.year, start.month, start.day)
    if context["dag_run"].run_type != "scheduled":
        return _window(day, day)
    restated = day - timedelta(days=completeness.days_to_read_again(source, connection_id))
    complete = completeness.last_day_complete(source.name, connection_id)
    missed = complete + timedelta(days=1) if complete else restated
    return _window(min(restated, missed), day)


def _window(first: date, last: date) -> contract.Window:
    """The days first to last, both included; until now if they end with the newest complete day."""
    to_day = last + timedelta(days=1)
    return contract.Window(first, to_day, until_now=to_day >= settings.now().date())
