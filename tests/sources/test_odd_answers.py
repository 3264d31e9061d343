"""Answers of another format during a read: left to the load, or a vendor error that names the place."""

from collections.abc import Callable
from typing import Any

import pytest

from funnel.contract import Window
from funnel.rest import errors, retries
from funnel.rest.accounts import bodies as bodies_of
from funnel.rest.client import Client
from funnel.sources import SOURCES
from tests.sources.odd_bodies import LISTS, WEEK
from tests.vendors import Asked, Reply, Stub

VENDORS = [name for name in SOURCES if name != "files"]
ANSWERS: list[Any] = [
    None,
    [],
    {},
    "x",
    7,
    [["x"]],
    {"error": None},
    {"error": ["x"]},
    {"errors": {"a": 1}},
    {"Errors": ["x"], "OperationErrors": "y"},
    {"status": {"a": 1}, "errors": ["x"]},
    {"rowCount": "many", "kind": "analyticsData#runReport"},
    {"rows": None, "rowCount": 3, "kind": "analyticsData#runReport"},
    {"dimensionHeaders": "x", "rows": [], "kind": "analyticsData#runReport"},
    {"ReportRequestId": ["x"], "ReportRequestStatus": "x"},
    {"ReportRequestStatus": {"Status": "Success", "ReportDownloadUrl": {"a": 1}}},
    {"data": {"orders": {"nodes": ["x", {"refunds": {"a": 1}, "lineItems": {"pageInfo": {"hasNextPage": True}}}]}}},
    {"data": {"shop": ["x"]}},
    {"paging": {"next": 3}, "data": []},
    {"results": [], "nextPageToken": {"a": 1}},
    {"records": [], "nextRecordsUrl": 7},
    {"elements": [], "metadata": {"nextPageToken": ["x"]}},
    *({name.partition(".")[0]: odd} for name in {*LISTS.values()} for odd in (None, {}, "x", {"orders": []})),
    *({name: ["x", None, [1], {}, {"id": "1\x00"}, {"id": {"a": 1}}]} for name in {*LISTS.values()} if "." not in name),
]


@pytest.mark.parametrize("source", VENDORS)
def test_answer_of_another_form_raises_our_own_exception(
    vendor: Stub, slept: list[float], source: str, outcome: Callable[[str, str, str], None]
) -> None:
    connection = vendor.connection(property_ids=["1"])
    declared = SOURCES[source]
    read = failed = pathless = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retries, "ATTEMPTS", 1)
        patch.setattr(Client, "_access_token", lambda client: "t" * 20)
        for answer in ANSWERS:
            asked = 0

            def reply(request: Asked, answer: Any = answer) -> Reply:
                nonlocal asked
                asked += 1
                # A vendor that always has another page must end at some point.
                return Reply(answer if asked < 20 else {})

            vendor.answer = reply
            for stream in declared.streams:
                try:
                    list(bodies_of(declared.fetch(connection, stream, Window(WEEK.from_day, WEEK.to_day))))
                    read += 1
                except errors.VendorError as error:
                    failed += 1
                    pathless += not error.path
    assert failed
    assert not pathless
    outcome("answer of another form", source, f"{failed} x VendorError with its path, {read} x left to the load")
