"""The Airflow DAGs by which a person changes what readers see: roll back, resume, approve.

Wiring only. The tasks are in `funnel.orchestration.publication_tasks`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from funnel.orchestration import failures, publication_tasks

ROLLBACK = """
### rollback

**Owner** data · **Runs** when a person triggers it, with a reason · **Alerts** see docs/runbook.md

Returns readers to the publication before the one they see, at once, and holds publication: running and later builds are
built and audited, and wait. The dashboards and `bi.data_status` name who did it, since when, and why. A second run goes
one publication further back. `make rollback REASON="…"` does the same.

**Normal.** Seconds. Runs of `build_funnel` then succeed with `publish` skipped, until `resume` is triggered.

**When it fails.** Nothing changes for readers: there is no earlier publication, or the database did not answer. A retry
of this run never goes back twice.
"""

RESUME = """
### resume

**Owner** data · **Runs** when a person triggers it · **Alerts** see docs/runbook.md

Releases publication after one or more runs of `rollback`. If an audited build waits, it is published at once; otherwise
the next run of `build_funnel` publishes. Trigger it after the cause of the roll-back is repaired: loaded again, or
corrected in `dbt_project`. `make resume` does the same.

**Normal.** Seconds to a minute. The log names the publication that readers see now, or what comes next.

**When it fails.** Publication is released if the log says so; trigger it again, which publishes the build that waits.
"""

APPROVE = """
### approve

**Owner** data · **Runs** when a person triggers it · **Alerts** see docs/runbook.md

Publishes the newest audited build. With `PUBLISH=approve`, a build whose change passes a limit waits for this; its plan
is in the log of the task `publish` of its `build_funnel` run, and as a page. `make publish` does the same.

**Normal.** Seconds to a minute. The log names the publication.

**When it fails.** Nothing changes for readers; the message says why: publication is held (trigger `resume`), the audit
failed, or a newer build has begun.
"""


def manual(dag_id: str, runbook: str, params: dict[str, Param] | None = None) -> DAG:
    """A DAG that runs only when a person triggers it, and is never paused."""
    return DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        is_paused_upon_creation=False,
        dagrun_timeout=timedelta(hours=2),
        tags=["publication"],
        doc_md=runbook,
        default_args={
            "owner": "data",
            "retries": 1,
            "retry_delay": timedelta(seconds=20),
            "retry_policy": failures.FailureRetryPolicy(),
            "execution_timeout": timedelta(hours=1),
            "on_retry_callback": failures.say_why_it_is_retried,
            "on_failure_callback": failures.alert,
        },
        params=params,
    )


with manual("rollback", ROLLBACK, params=publication_tasks.REASON_PARAM):
    publication_tasks.roll_back()
with manual("resume", RESUME):
    publication_tasks.resume()
with manual("approve", APPROVE, params=publication_tasks.BUILD_PARAM):
    publication_tasks.approve()
