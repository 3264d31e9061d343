"""What really happened in the simulated company, as its generator decided it: the input of the truth.

No vendor record is derived from these objects and none of them is derived from a vendor record: generators write both.
Nothing here is served.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Kind = Literal["touch", "mql", "sal", "sql", "disqualified", "recycled", "response", "owner"]


@dataclass(slots=True, frozen=True)
class Happening:
    """An event of a person; only touches have `channel` and `campaign_id`, only changes of owner have `rep_id`.

    The vendors know it from `known_at` on, if that is later than the event, and until `removed_at`.
    """

    at: int
    kind: Kind
    channel: str | None = None
    campaign_id: str | None = None
    rep_id: str | None = None
    known_at: int | None = None
    removed_at: int | None = None

    def is_known(self, known: int) -> bool:
        """True if the vendors know of it at a moment."""
        return (self.known_at is None or self.known_at <= known) and (
            self.removed_at is None or self.removed_at > known
        )


@dataclass(slots=True)
class Person:
    """One human being in sales and marketing.

    `records` are (created, source, vendor id) of the records that count as one each: a Salesforce contact converted
    from a lead continues that lead. From `merged_at` on the vendors treat this person as `merged_into`.
    """

    person_id: str
    happenings: list[Happening] = field(default_factory=list)
    records: list[tuple[int, str, str]] = field(default_factory=list)
    regions: list[tuple[int, str]] = field(default_factory=list)
    removed_at: int | None = None
    merged_into: str | None = None
    merged_at: int | None = None


@dataclass(slots=True)
class Deal:
    """One opportunity, once, however many vendors hold a copy.

    `moves` are its stages with the moments at which they were entered. `entered_at` is that of the final one;
    `close_date` is the day of the close by the rep, which may be another one, and is missing if the vendor keeps a
    close time. `renamed` is (when, id): from then on the vendor keeps the deal under another id, as after a merge.
    """

    opportunity_id: str
    source: str
    opportunity_type: str
    created_at: int
    amounts: list[tuple[int, int]]
    currency: str
    list_amount: int | None
    region: str
    person_id: str | None = None
    other_person_id: str | None = None
    lead_source: str | None = None
    entered_at: int | None = None
    close_date: date | None = None
    is_won: bool | None = None
    removed_at: int | None = None
    moves: list[tuple[int, str]] = field(default_factory=list)
    lost_reason: str | None = None
    people: list[str] = field(default_factory=list)
    renamed: tuple[int, str] | None = None
