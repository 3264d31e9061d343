"""Airflow's tasks of retention. The rules are in `funnel.erasure`."""

import logging

from airflow.sdk import task

log = logging.getLogger(__name__)


@task
def remove_old() -> None:
    """Remove what is older than its retention."""
    from funnel.erasure import retention

    for kind, removed in retention.enforce().items():
        log.info(
            "%s: %d rows and %d files (%d bytes) removed; the oldest kept is of %s",
            *(kind, removed.rows, removed.files, removed.size, removed.oldest_kept),
        )


@task
def reduce_landed() -> None:
    """Take forgotten persons out of files that were landed while the warehouse did not answer."""
    from funnel.erasure import landed_reads

    log.info("%s", landed_reads.reduce())
