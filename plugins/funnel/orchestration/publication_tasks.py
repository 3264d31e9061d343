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
PLAN_PARAM = {
    "plan_only": Param(
        False,
        type="boolean",
        title="Only plan",
        description="Build, audit, and show what publishing would change; publish nothing.",
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
    """Make an audited build visible in `bi`.

    Raises AirflowSkipException if the run is only planned, or if the build has to wait for a person: the log then ends
    with the plan and the reason.
    """
    from funnel.publication import holds, publication
    from funnel.publication.errors import ApprovalNeeded, PublicationHeld
    from funnel.reporting import alerts

    if get_current_context()["params"].get("plan_only"):
        _log_plan(build_id)
        raise AirflowSkipException(
            f"Build {build_id} is planned and not published, as this run's parameter `plan_only` says. "
            "`make publish`, or the DAG `approve`, publishes it; so does the next run with what it builds."
        )
    try:
        log.info("%s", publication.publish(build_id))
    except ApprovalNeeded as asked:
        _log_plan(build_id)
        text = f"{asked}\n{_log_of(get_current_context())}"
        alerts.send("Publication waits for approval: build_funnel", text, severity="warning")
        raise AirflowSkipException(str(asked)) from None
    except PublicationHeld as held:
        _log_plan(build_id)
        if holds.is_reminder_due():
            alerts.send(
                "Publication held: build_funnel", f"{held}\n{_log_of(get_current_context())}", severity="warning"
            )
        raise AirflowSkipException(str(held)) from None


def _log_plan(build_id: int) -> None:
    """Write the plan to the log and as a page. A plan that cannot be made stops nothing."""
    from funnel.publication import plan_page, plan_text, preview

    try:
        planned = preview.preview(build_id)
        log.info("%s\n\nAs a page: %s", plan_text.text(planned), plan_page.write(planned))
    except Exception as error:
        log.warning("The plan of build %d could not be made: %s", build_id, error)


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
