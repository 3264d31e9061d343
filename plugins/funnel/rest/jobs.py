"""Files that a vendor prepares on request: requested, polled until they are ready, and fetched."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from funnel.rest.client import Client
from funnel.rest.errors import DeadToken, QuotaExhausted, Refused, RestartWindow, TokenExpired
from funnel.rest.messages import Page, Request
from funnel.rest.retries import TRUSTED_WAITS, wait

log = logging.getLogger(__name__)
LONGEST_JOB = 1_800.0  # seconds a vendor may take to prepare a file while a worker waits


@dataclass(frozen=True)
class Report:
    """How a vendor prepares a file on request: submitted, polled until it is ready, and fetched.

    poll     the request for its state, from the submission and its answer
    state    the state in the answer to that request; an unknown word counts as a failure
    address  the URL of the file, from the same answer; None if there is nothing to fetch
    """

    poll: Callable[[Request, Any], Request]
    state: Callable[[Any], str]
    address: Callable[[Any], str | None]
    pending: tuple[str, ...]
    ready: tuple[str, ...]


def read_report(client: Client, submission: Request, report: Report) -> Iterator[Page]:
    """The file of a report; yields nothing if the vendor has no data. Raises RestartWindow if the vendor could not make
    it.

    URLs expire after minutes: if one is refused, polling the report again gives a new one.
    """
    question = report.poll(submission, client.ask(submission).parsed)
    for fetches_left in reversed(range(TRUSTED_WAITS)):
        answer = await_job(client, question, lambda parsed: report.state(parsed) not in report.pending).parsed
        state = report.state(answer)
        if state not in report.ready:
            raise client.fail(RestartWindow, f"the report ended as {state!r}", question)
        address = report.address(answer)
        if address is None:
            return
        try:
            page = client.download_archive(address)
        except (Refused, DeadToken, TokenExpired):
            if not fetches_left:
                raise
            log.info("%s: the address of a report is dead, asked for another", client.dialect.source)
            continue
        yield page
        return


def await_job(client: Client, request: Request, is_done: Callable[[Any], bool], pause: float = 0.25) -> Page:
    """Poll the state of a job until it is done, with growing pauses. Raises QuotaExhausted if that takes too long."""
    waited = 0.0
    while True:
        page = client.ask(request)
        if is_done(page.parsed):
            return page
        if waited >= LONGEST_JOB:
            message = f"the vendor has been preparing its answer for {waited:.0f} s and has not finished"
            raise client.fail(QuotaExhausted, message, request, wait_seconds=LONGEST_JOB)
        wait(pause)
        waited += pause
        pause = min(pause * 2, 30.0)
