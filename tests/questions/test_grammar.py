"""The text of a question becomes its parts, or an error that says what to write."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as some

from funnel.questions.errors import QuestionError
from funnel.questions.grammar import CLAUSES, Condition, Question, parse
from funnel.questions.periods import Period, period_of, recent

EMEA = (Condition("region", "=", ("EMEA",)),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("leads", Question(("leads",))),
        ("Leads?", Question(("Leads",))),
        ("leads and win rate", Question(("leads", "win rate"))),
        (
            "leads by month, channel where region = EMEA",
            Question(("leads",), ("month", "channel"), EMEA),
        ),
        ("leads where region=EMEA by month and channel", Question(("leads",), ("month", "channel"), EMEA)),
        ("LEADS BY month WHERE region IS EMEA", Question(("LEADS",), ("month",), EMEA)),
        ("cost per lead per month", Question(("cost per lead",), ("month",))),
        ("still to win, coverage", Question(("still to win", "coverage"))),
        (
            "leads where channel in (Paid Search, Email) and region != APAC",
            Question(
                ("leads",),
                where=(Condition("channel", "=", ("Paid Search", "Email")), Condition("region", "!=", ("APAC",))),
            ),
        ),
        (
            "leads where channel = Paid Search, Email, region is not APAC",
            Question(
                ("leads",),
                where=(Condition("channel", "=", ("Paid Search", "Email")), Condition("region", "!=", ("APAC",))),
            ),
        ),
        (
            "leads where region = EMEA or APAC",
            Question(("leads",), where=(Condition("region", "=", ("EMEA", "APAC")),)),
        ),
        (
            "leads where region = EMEA and APAC",
            Question(("leads",), where=(Condition("region", "=", ("EMEA", "APAC")),)),
        ),
        ("leads where region not in (EMEA)", Question(("leads",), where=(Condition("region", "!=", ("EMEA",)),))),
        (
            "spend where campaign = (no campaign)",
            Question(("spend",), where=(Condition("campaign", "=", ("(no campaign)",)),)),
        ),
        (
            "spend where campaign in ((no campaign), 'Sales by phone and mail')",
            Question(("spend",), where=(Condition("campaign", "=", ("(no campaign)", "Sales by phone and mail")),)),
        ),
        ("leads where age days >= 30", Question(("leads",), where=(Condition("age days", ">=", ("30",)),))),
        ("leads from 2026-01 to 2026-03", Question(("leads",), first=date(2026, 1, 1), last=date(2026, 3, 31))),
        ("leads since 2026-02-03", Question(("leads",), first=date(2026, 2, 3))),
        (
            "leads in March 2026 by week",
            Question(("leads",), ("week",), first=date(2026, 3, 1), last=date(2026, 3, 31)),
        ),
        ("leads in 2026-Q3", Question(("leads",), first=date(2026, 7, 1), last=date(2026, 9, 30))),
        ("leads last 30 days", Question(("leads",), recent=(30, "day"))),
        ("leads last month", Question(("leads",), recent=(1, "month"))),
        (
            "leads by channel order by leads desc limit 5",
            Question(("leads",), ("channel",), order=("leads", True), limit=5),
        ),
        ("leads by channel top 5 by leads", Question(("leads",), ("channel",), order=("leads", True), limit=5)),
        ("leads by channel sorted by channel", Question(("leads",), ("channel",), order=("channel", False))),
    ],
)
def test_a_question_in_its_parts(text: str, expected: Question) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no metric"),
        ("by month", "names no metric"),
        ("leads where EMEA", "`EMEA` is not a condition"),
        ("leads where region =", "has no value"),
        ("leads where region = EMEA or channel = Email", "`or` joins values of one dimension only"),
        ("leads where age > 1, 2", "compares with several values"),
        ("leads by month by channel", "`by` occurs twice"),
        ("leads from yesteryear", "`from yesteryear` is not a day or period"),
        ("leads from 2026-02-30", "is not a day or period"),
        ("leads from 2026-03 to 2026-01", "ends (2026-01-31) before it begins"),
        ("leads in 2026 from 2026-01", "`in` states the whole period"),
        ("leads last 3 months from 2026-01", "`last` states the whole period"),
        ("leads last 30 blinks", "`last 30 blinks` is not a period"),
        ("leads top 0", "is not a number of rows"),
        ("leads where region = 'EMEA", "A quote is not closed"),
    ],
)
def test_what_is_not_understood_is_named(text: str, said: str) -> None:
    with pytest.raises(QuestionError) as error:
        parse(text)
    assert said in str(error.value)


SIGNS = ["=", "!=", "(", ")", ",", "and", "or", "not", "is", "2026", "2026-03", "30", "days", "'x"]
WORDS = [*CLAUSES, *SIGNS, "leads", "win", "rate", "month", "channel", "region", "EMEA"]


@given(some.lists(some.sampled_from(WORDS), max_size=12).map(" ".join) | some.text(max_size=60))
def test_any_text_is_understood_or_refused_by_our_own_error(text: str) -> None:
    with suppress(QuestionError):
        assert parse(text).metrics


def test_the_last_days_end_with_the_last_complete_day_and_months_are_whole() -> None:
    day = date(2026, 3, 30)
    assert recent(30, "day", day) == Period(date(2026, 3, 1), day)
    assert recent(1, "month", day) == Period(date(2026, 2, 1), date(2026, 2, 28))
    assert recent(1, "month", date(2026, 3, 31)) == Period(date(2026, 3, 1), date(2026, 3, 31))
    assert recent(2, "week", day) == Period(date(2026, 3, 16), date(2026, 3, 29))
    assert recent(2, "quarter", day) == Period(date(2025, 7, 1), date(2025, 12, 31))
    assert recent(1, "year", day) == Period(date(2025, 1, 1), date(2025, 12, 31))


def test_periods_are_whole() -> None:
    assert period_of("2024-02") == Period(date(2024, 2, 1), date(2024, 2, 29))
    assert period_of("Q4 2025") == Period(date(2025, 10, 1), date(2025, 12, 31))
    assert period_of("dec 2025") == Period(date(2025, 12, 1), date(2025, 12, 31))
    assert period_of("2025") == Period(date(2025, 1, 1), date(2025, 12, 31))
    assert [period_of(text) for text in ("2026-13", "9999-12-32", "soon", "30", "may", "2026-00")] == [None] * 6
