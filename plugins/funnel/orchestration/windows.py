"""The window of days that an Airflow run reads."""

from datetime import date, timedelta

from airflow.sdk import (
    Context,
    Param,
)

from funnel import contract, settings
from funnel.contract import Source

# Airflow shows these in the form that triggers a single run, and in the form of a backfill.
FIRST_DAY = (
    "Single run: the first day to read. Backfill: leave `from` and `to` empty; the date range of the backfill counts, "
    "and each of its days is one run."
)
LAST_DAY = "Single run: the last day, included. Backfill: leave it empty."
WINDOW_PARAMS = {
    "from": Param(None, type=["null", "string"], format="date", description=FIRST_DAY),
    "to": Param(None, type=["null", "string"], format="date", description=LAST_DAY),
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
    if (first or last) and context["dag_run"].run_type == "backfill":
        raise settings.ConfigurationError(
            f"A backfill reads the days of its own date range, one in each run; this one also has from={first!r} and "
            f"to={last!r}, which every run would read again. Start it again with `from` and `to` empty, or trigger one "
            "single run with both."
        )
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
