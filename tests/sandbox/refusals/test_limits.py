"""Rate limits, unknown paths, and rates that the central bank does not publish."""

import pytest

from sandbox import process
from tests.sandbox.conftest import Vendors


def test_real_rate_limits_stop_the_sixth_search_of_a_second():
    with process.running(scenario="worked_example", rate_limits="real") as handle:
        ask = Vendors(handle)
        answers = [ask.hubspot_search("contacts") for _ in range(8)]
        stopped = [one.json() for one in answers if one.status_code == 429]
        assert stopped
        assert stopped[0]["errorType"] == "RATE_LIMIT"
        assert stopped[0]["policyName"] == "SECONDLY"
        assert answers[0].status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/crm/nowhere", 404), ("/services/data/v68.0/nowhere", 404), ("/v26.0/a/b/c/d", 400), ("/elsewhere", 404)],
)
def test_unknown_paths_are_refused_by_their_vendor(ask, path, status):
    assert ask.http.get(path).status_code == status


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("D.USD.EUR.SP00.A", {"startPeriod": "2026-01-03", "endPeriod": "2026-01-04"}, 404),
        ("D.ZZZ.EUR.SP00.A", {"startPeriod": "2026-01-05", "endPeriod": "2026-01-06"}, 404),
        ("D.USD.EUR.SP00.A", {"startPeriod": "yesterday"}, 400),
        ("D.USD.EUR.SP00.A", {"format": "jsondata"}, 406),
        ("M.USD.EUR.SP00.A", {}, 404),
    ],
)
def test_the_central_bank_has_nothing_to_say(ask, path, parameters, status):
    """A weekend, an unknown currency, an invalid period, another format or frequency."""
    answer = ask.http.get(f"/service/data/EXR/{path}", params={"format": "csvdata", **parameters})
    assert answer.status_code == status
    assert "TIME_PERIOD" not in answer.text
