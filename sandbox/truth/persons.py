"""People and the records that belong to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sandbox.clock import EPOCH, instant
from sandbox.decisions import Person
from sandbox.scenario import Scenario
from sandbox.truth.facts import Human


def moment_of(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone; give an aware datetime.")
    return (at - EPOCH) // timedelta(milliseconds=1)


def cuts(scenario: Scenario, as_of: datetime, known_at: datetime | None) -> tuple[int, int]:
    cut, known = moment_of(as_of), moment_of(known_at or as_of)
    scenario.grow(max(cut, known))
    return cut, known


def people_known_at(scenario: Scenario, known: int) -> list[Person]:
    """People as known at a moment: merged ones are part of their survivor, removed ones are left out."""
    known_people: dict[str, Person] = {}
    for person in scenario.people.values():
        if person.merged_into is None or person.merged_at is None or person.merged_at > known:
            known_people[person.person_id] = replace(
                person,
                happenings=[one for one in person.happenings if one.is_known(known)],
                records=list(person.records),
                regions=list(person.regions),
            )
    for person in scenario.people.values():
        if person.merged_into is not None and person.person_id not in known_people:
            survivor = known_people[person.merged_into]
            survivor.happenings.extend(one for one in person.happenings if one.is_known(known))
            survivor.records.extend(person.records)
            survivor.regions.extend(person.regions)
    return [
        person
        for person in known_people.values()
        if (person.removed_at is None or person.removed_at > known) and any(at <= known for at, _, _ in person.records)
    ]


def region_of(person: Person, known: int) -> str:
    regions = sorted((at, region) for at, region in person.regions if at <= known)
    return regions[-1][1] if regions else "Unknown"


def records_of_people(
    scenario: Scenario, as_of: datetime, known_at: datetime | None = None
) -> dict[str, set[tuple[str, str]]]:
    """Person id to the records of that person, by source and vendor id."""
    cut, known = cuts(scenario, as_of, known_at)
    return {
        person.person_id: {(source, record_id) for at, source, record_id in person.records if at < cut}
        for person in people_known_at(scenario, known)
    }


def people(scenario: Scenario, as_of: datetime, known_at: datetime | None = None) -> list[Human]:
    """All persons that the vendors know."""
    cut, known = cuts(scenario, as_of, known_at)
    found = []
    for person in people_known_at(scenario, known):
        records = [one for one in person.records if one[0] < cut]
        if records:
            first = min(at for at, _, _ in records)
            found.append(Human(person.person_id, instant(first), len(records), region_of(person, known)))
    return sorted(found, key=lambda human: human.person_id)
