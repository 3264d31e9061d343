"""Airflow's tasks that change what readers see: publish, roll back, resume.

The rules are in `funnel.publication`. The person is the user who triggered the run.
"""

import logging

from airflow.sdk import Context, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

log = logging.getLogger(__name__)

REASON_PARAM = {
    "reason": Param(
        None,
        type=["null", "string"],
        title="Reason",
        description="Why the publication is withdrawn. Readers see it on every dashboard and in bi.data_status.",
    )
}
BUILD_PARAM = {
    "build": Param(
        None,
        type=["null", "integer"],
        title="Build",
        description="The build that you approve (ops.builds). Empty: the newest.",
    )
}


@task
def publish(build_id: int) -> None:
    """Make an audited build visible in `bi`. Raises AirflowSkipException if it has to wait for a person."""
    from funnel.publication import holds, publication
    from funnel.publication.errors import PublicationHeld
    from funnel.reporting import alerts

    try:
        log.info("%s", publication.publish(build_id))
    except PublicationHeld as held:
        if holds.is_reminder_due():
            alerts.send(
                "Publication held: build_funnel", f"{held}\n{_log_of(get_current_context())}", severity="warning"
            )
        raise AirflowSkipException(str(held)) from None


@task
def approve() -> None:
    """Publish the newest audited build, or the one that the run names, in the name of the run's user."""
    from funnel import ledger
    from funnel.publication import publication

    context = get_current_context()
    build_id = context["params"].get("build") or ledger.newest_build()
    log.info("%s", publication.publish(build_id, published_by=person(context)))


@task
def roll_back() -> None:
    """Return readers to the publication before, and hold publication; once for each run, whatever is retried."""
    from funnel.publication import undo
    from funnel.reporting import alerts

    context = get_current_context()
    done = undo.roll_back(person(context), context["params"].get("reason"), requested_as=context["run_id"])
    alerts.send("Publication held: rollback", f"{done}\n{_log_of(context)}", severity="warning")


@task
def resume() -> None:
    """Release publication, and publish the newest audited build if one waits."""
    from funnel.publication import undo

    log.info("%s", undo.resume(person(get_current_context())))


def person(context: Context) -> str:
    """The user who triggered the run."""
    run = context["dag_run"]
    return getattr(run, "triggering_user_name", None) or f"Airflow ({run.run_type} run)"


def _log_of(context: Context) -> str:
    return f"Log: {context['ti'].log_url}"
