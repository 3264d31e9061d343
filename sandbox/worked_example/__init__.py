"""A company small enough to check by hand: four people, four deals, four campaigns, in January 2026."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sandbox.clock import moment
from sandbox.decisions import Deal, Happening, Person
from sandbox.scenario import Scenario
from sandbox.visits import Property
from sandbox.worked_example.marketing import ANA, BEN, CARL, CARL_AGAIN, advertise, meet_people_in_hubspot, trade
from sandbox.worked_example.sales import DEALS, LEAD_ANA, LEAD_DORA, sell_in_salesforce

__all__ = ["make_worked_example"]


def make_worked_example() -> Scenario:
    scenario = Scenario("worked_example", portal_id=4242)
    scenario.dollars_per_euro = [
        (date(2026, 1, 5), "1.10"),
        (date(2026, 1, 20), "1.20"),
        (date(2026, 2, 10), "1.25"),
    ]
    # A source without any figures: it answers and reports nothing.
    scenario.properties.append(Property("310000009", "example.example", "USD", "UTC"))
    advertise(scenario)
    meet_people_in_hubspot(scenario)
    sell_in_salesforce(scenario)
    trade(scenario)
    scenario.people.update({person.person_id: person for person in _people()})
    scenario.deals += _deals()
    return scenario


def _happened(text: str, kind: Any, channel: str | None = None, campaign: str | None = None) -> Happening:
    return Happening(moment(text), kind, channel, campaign)


def _person(
    name: str,
    happenings: list[Happening],
    records: list[tuple[str, str, str]],
    regions: Sequence[tuple[str, str]] = (),
    **merged: Any,
) -> Person:
    return Person(
        name,
        happenings,
        [(moment(at), source, record_id) for at, source, record_id in records],
        [(moment(at), region) for at, region in regions],
        **merged,
    )


def _people() -> list[Person]:
    return [
        _person(
            "ana",
            [
                _happened("2026-01-05T10:00:00Z", "touch", "Paid Search", "11"),
                _happened("2026-01-06T09:00:00Z", "mql"),
                _happened("2026-01-06T11:00:00Z", "sal"),
                _happened("2026-01-07T12:00:00Z", "touch", "Email"),
                _happened("2026-01-08T14:00:00Z", "sql"),
                _happened("2026-01-09T15:00:00Z", "touch", "Events"),
            ],
            [("2026-01-05T10:00:00Z", "hubspot", ANA), ("2026-01-06T09:05:00Z", "salesforce", LEAD_ANA)],
            [("2026-01-08T14:00:00Z", "EMEA")],
        ),
        _person(
            "ben",
            [
                _happened("2026-01-05T11:00:00Z", "touch", "Paid Social", "22"),
                _happened("2026-01-07T08:00:00Z", "mql"),
                _happened("2026-01-09T10:00:00Z", "recycled"),
                _happened("2026-01-25T09:00:00Z", "touch", "Email"),
                _happened("2026-01-26T09:00:00Z", "mql"),
            ],
            [("2026-01-05T11:00:00Z", "hubspot", BEN)],
            [("2026-01-05T11:00:00Z", "Americas")],
        ),
        _person(
            "carl",
            [_happened("2026-01-06", "touch", "Organic Search")],
            [("2026-01-06", "hubspot", CARL)],
        ),
        _person(
            "carl again",
            [_happened("2026-01-10", "touch", "Organic Search")],
            [("2026-01-10", "hubspot", CARL_AGAIN)],
            merged_into="carl",
            merged_at=moment("2026-01-15"),
        ),
        _person(
            "dora",
            [
                _happened("2026-01-10T09:00:00Z", "touch", "Outbound"),
                _happened("2026-01-10T09:30:00Z", "sal"),
                _happened("2026-01-12T10:00:00Z", "sql"),
            ],
            [("2026-01-10T09:00:00Z", "salesforce", LEAD_DORA)],
            [("2026-01-12T10:00:00Z", "EMEA")],
        ),
    ]


def _deals() -> list[Deal]:
    return [
        Deal(
            DEALS["O1"], "salesforce", "new_business", moment("2026-01-08T14:00:00Z"),
            [(moment("2026-01-08T14:00:00Z"), 1000)], "EUR", 1250, "EMEA", "ana", lead_source="Web",
            entered_at=moment("2026-01-20"), close_date=date(2026, 1, 20), is_won=True,
        ),
        Deal(
            DEALS["O2"], "salesforce", "new_business", moment("2026-01-12T10:00:00Z"),
            [(moment("2026-01-12T10:00:00Z"), 500)], "USD", 500, "EMEA", "dora", lead_source="Outbound",
            entered_at=moment("2026-02-10"), close_date=date(2026, 2, 10), is_won=False,
        ),
        Deal(
            DEALS["O3"], "salesforce", "renewal", moment("2026-02-01"),
            [(moment("2026-02-01"), 2000)], "USD", 2000, "EMEA", "ana",
            entered_at=moment("2026-02-10"), close_date=date(2026, 2, 10), is_won=True,
        ),
        Deal(
            DEALS["O5"], "salesforce", "new_business", moment("2026-01-22"),
            [(moment("2026-01-22"), 300)], "USD", 300, "Unknown", lead_source="Partner",
            entered_at=moment("2026-01-22"), close_date=date(2026, 1, 20), is_won=True,
        ),
    ]  # fmt: skip
