"""Names as people write them, and the nearest ones where there is none."""

import pytest

from funnel.questions.catalogue import find, nearest
from funnel.questions.errors import QuestionError

LABELS = {
    "leads": "Leads",
    "won": "Won deals",
    "won_amount": "Won revenue",
    "win_rate": "Win rate",
    "cost_per_lead": "Spend per lead",
    "lead_response_minutes": "Mean lead response in business minutes",
}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("leads", "leads"),
        ("Lead", "leads"),
        ("won", "won"),
        ("won revenue", "won_amount"),
        ("Win-Rate", "win_rate"),
        ("win rates", "win_rate"),
        ("COST PER LEAD", "cost_per_lead"),
        ("spend per lead", "cost_per_lead"),
    ],
)
def test_case_spaces_and_number_do_not_matter(written: str, name: str) -> None:
    assert find(written, LABELS, "metric", "") == name


@pytest.mark.parametrize(
    ("written", "first"),
    [
        ("leeds", "leads"),
        ("wonamount", "won_amount"),
        ("winrate", "win_rate"),
        ("response time", "lead_response_minutes"),
    ],
)
def test_the_nearest_names_are_offered(written: str, first: str) -> None:
    assert nearest(written, LABELS)[0] == first
    with pytest.raises(QuestionError, match=f"There is no metric `{written}`. Nearest: {first}"):
        find(written, LABELS, "metric", "")


def test_nothing_is_offered_where_nothing_is_near() -> None:
    with pytest.raises(QuestionError, match=r"There is no metric `xyzzy`\. `make ask`"):
        find("xyzzy", LABELS, "metric", "`make ask` lists all metrics.")
