"""The Airflow DAG that removes what is older than its retention.

Wiring only. The rules are in `funnel.erasure.retention`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from funnel.orchestration import failures, retention_tasks

RUNBOOK = """
### retention

**Owner** data · **Runs** daily at 05:30 UTC · **Alerts** see docs/runbook.md

Removes landed files, content of unreadable rows, details of checks and reads, history of publications, and logs of
tasks that are older than their setting (docs/privacy.md), and takes forgotten persons out of files that were landed
while the warehouse did not answer. `ops.retention` has what was removed.

**Normal.** Seconds. It waits for a running build or load.

**When it fails.** Nothing is half removed; the next run continues. A message that names `RETENTION_…_DAYS` says which
value is allowed.
"""

with DAG(
    dag_id="retention",
    schedule="30 5 * * *",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=4),
    tags=["retention", "privacy"],
    doc_md=RUNBOOK,
    default_args={
        "owner": "data",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "retry_policy": failures.FailureRetryPolicy(),
        "execution_timeout": timedelta(hours=2),
        "on_retry_callback": failures.say_why_it_is_retried,
        "on_failure_callback": failures.alert,
    },
) as dag:
    retention_tasks.remove_old() >> retention_tasks.reduce_landed()
