"""The Airflow DAG that turns raw data into the published funnel: build, audit, publish.

Wiring only. The tasks are in `funnel.orchestration.tasks`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, AssetAny

from funnel import settings
from funnel.orchestration import failures, publication_tasks, tasks, waiting
from funnel.sources import SOURCES

RUNBOOK = """
### build_funnel

**Owner** data · **Runs on** any of the sources' assets · **Alerts** see docs/runbook.md

Builds the marts with dbt, audits them with Great Expectations and publishes them to `bi`: all marts or none.

**Normal.** One run after the day's ingests. It waits until none is queued or running, at most BUILD_DEADLINE_MINUTES,
so that a late source does not delay the others; `bi.data_status` names the late one. Many deliveries cause one build: a
run that finds everything published is skipped.

**When it fails.** Readers keep the last publication. `build`: the message names the model or test and shows rows;
correct the model or the rule and trigger this DAG. `audit`: the message names the expectation, the rows and their
hashed keys; `ops.checks` has all results. What was built and not published is part of the next build by itself.

**Look before you publish.** Trigger it with `plan_only`: it builds and audits, and the log of `publish` shows what
would change. With the setting `PUBLISH=approve`, a build whose change passes a limit waits in the same way, until
`approve` is triggered.

**When the figures are wrong.** Trigger `rollback` with a reason: readers see the publication before, and nothing is
published until `resume` is triggered. Until then this DAG builds and audits; `publish` is skipped and says so.
"""

with DAG(
    dag_id="build_funnel",
    schedule=AssetAny(*(tasks.asset(name) for name in SOURCES)),
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=publication_tasks.PLAN_PARAM,
    dagrun_timeout=timedelta(hours=12),
    tags=["build", "audit", "publish"],
    doc_md=RUNBOOK,
    default_args={
        "owner": "data",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "retry_policy": failures.FailureRetryPolicy(),
        "execution_timeout": timedelta(hours=4),
        "on_retry_callback": failures.say_why_it_is_retried,
        "on_failure_callback": failures.alert,
    },
) as dag:
    wait = waiting.WaitForIngests(
        task_id="wait_for_ingests",
        source_names=SOURCES,
        deadline_minutes=settings.read().build_deadline_minutes,
    )
    built = tasks.build()
    wait >> built
    publication_tasks.publish(tasks.audit(built))
