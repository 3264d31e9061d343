"""What really happened, counted by the business's rules. For tests only: the server does not import it.

Everything is computed from what the scenario's author or generator decided (`sandbox.decisions`), never from a vendor
record, so it cannot share a mistake with the pipeline. `as_of` is the moment up to which things count (excluded);
`known_at` is the moment at which the vendors were read: merges, removals, amounts and closings entered later are not
known yet. `known_at` is `as_of` unless given. Days and months are those of `zone`.

A first load of the 90 days before the anchor of `company` reads every CRM record (`sandbox.company` says why), so no
`first_day` is needed to compare with it; `first_day` leaves out what is dated earlier.
"""

from __future__ import annotations

from sandbox.truth.clocks import Bridge, Quarter, Reach, Selling, bridge, cohorts, conversions, quarters, selling
from sandbox.truth.counts import monthly_counts, orders, pipeline, spend, visits
from sandbox.truth.cycles import Origin, lead_cycles, opportunities, origins
from sandbox.truth.facts import RENEWAL, Human, LeadCycle, Money, MonthCounts, Opportunity, Order, SpendDay, VisitDay
from sandbox.truth.moves import Holding, StageEvent, holdings, stage_events
from sandbox.truth.persons import people, records_of_people

__all__ = [
    "RENEWAL",
    "Bridge",
    "Holding",
    "Human",
    "LeadCycle",
    "Money",
    "MonthCounts",
    "Opportunity",
    "Order",
    "Origin",
    "Quarter",
    "Reach",
    "Selling",
    "SpendDay",
    "StageEvent",
    "VisitDay",
    "bridge",
    "cohorts",
    "conversions",
    "holdings",
    "lead_cycles",
    "monthly_counts",
    "opportunities",
    "orders",
    "origins",
    "people",
    "pipeline",
    "quarters",
    "records_of_people",
    "selling",
    "spend",
    "stage_events",
    "visits",
]
