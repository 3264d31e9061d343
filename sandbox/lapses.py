"""Changes in `company` that vendors do not report clearly: merges under a new id, deletions, late associations.

Each has a random generator of its own, by the record that it changes, so that nothing else of the company depends on
it. The generator also writes what the truth needs.
"""

from __future__ import annotations

import random
from dataclasses import replace

from sandbox.clock import MINUTE
from sandbox.decisions import Deal
from sandbox.office import Firm, Office, later
from sandbox.purchases import Purchase
from sandbox.records import Record


def enter_deal_twice(office: Office, record: Record, deal: Deal) -> None:
    """Two sellers enter one deal; HubSpot merges both into a third record, which has a new id and their history."""
    rng = random.Random(f"deal twice {office.seed} {record.id}")
    if record.removed is not None or rng.random() >= 0.6:
        return
    created = record.created + rng.randint(20, 90) * MINUTE
    merged = later(rng, created, 20, 300)
    deals = office.scenario.hubspot["deals"]
    double = Record(
        str(8_000_000 + office.number("deal")),
        created,
        {**record.fields, "_contacts": (), "_labels": {}},
        quiet=record.quiet,
        merged=merged,
    )
    survivor = Record(
        str(8_000_000 + office.number("deal")),
        record.created,
        {**record.fields, "hs_merged_object_ids": f"{record.id};{double.id}"},
        changes=record.changes,
        quiet=record.quiet,
        born=merged,
    )
    record.merged = merged
    for loser in (record, double):
        loser.fields["_survivor"] = survivor.id
    deals.add(double)
    deals.add(survivor)
    deal.renamed = (merged, survivor.id)
    office.scenario.deals.append(
        replace(
            deal,
            opportunity_id=double.id,
            created_at=created,
            amounts=[(created, amount) for _, amount in deal.amounts[:1]],
            person_id=None,
            other_person_id=None,
            entered_at=None,
            is_won=None,
            removed_at=merged,
            moves=[(created, deal.moves[0][1])],
            lost_reason=None,
            people=[],
            renamed=None,
        )
    )


def enter_company_twice(office: Office, firm: Firm, deal: Record) -> None:
    """A deal is entered with a second record of its firm, which is merged into the first a few days later."""
    rng = random.Random(f"company twice {office.seed} {deal.id}")
    if firm.company is None or rng.random() >= 0.7:
        return
    merged = later(rng, deal.created, 24, 150)
    fields = {
        name: value for name, value in firm.company.fields.items() if name not in ("domain", "salesforceaccountid")
    }
    double = Record(
        str(5_500_000 + office.number("double of a company")),
        deal.created,
        {**fields, "_survivor": firm.company.id},
        merged=merged,
    )
    office.scenario.hubspot["companies"].add(double)
    deal.quiet.append((merged, {"hs_primary_associated_company": firm.company.id}))
    deal.fields["hs_primary_associated_company"] = double.id
    known = [
        changed["hs_merged_object_ids"] for _, changed in firm.company.changes if "hs_merged_object_ids" in changed
    ]
    firm.company.change(merged, hs_merged_object_ids=";".join([*known[-1:], double.id]))
    firm.company.changes.sort(key=lambda change: change[0])
    office.scenario.hubspot["companies"].forget()


def delete_order(seed: int, purchase: Purchase, record: Record) -> None:
    """One order in sixty is deleted at the shop; no answer mentions it afterwards."""
    rng = random.Random(f"deleted {seed} {record.id}")
    if rng.random() < 1 / 60:
        record.purged = purchase.removed_at = later(rng, record.created, 20, 300)


def take_off_the_list(seed: int, member: Record) -> None:
    """One member of a campaign in ten is taken off its list, without the recycle bin."""
    rng = random.Random(f"member {seed} {member.id}")
    if rng.random() < 0.1:
        member.purged = later(rng, member.created, 20, 300)


def replace_line(office: Office, rng: random.Random, line: Record) -> Record:
    """A quote is synchronised: Salesforce replaces a line by another one, without putting the old one into its bin."""
    at = later(rng, line.created, 20, 60)
    known = line.known_at(at)
    line.purged = at
    later_changes = [change for change in line.changes if change[0] > at]
    return Record(office.salesforce_id("OpportunityLineItem"), at, dict(known.fields), changes=later_changes)


def delete_for_good(seed: int, record: Record) -> None:
    """A third of the deleted records is deleted permanently, as privacy law requires."""
    if record.removed is not None and random.Random(f"for good {seed} {record.id}").random() < 1 / 3:
        record.purged = record.removed


def associate_later(seed: int, engagement: Record) -> int | None:
    """One engagement in three is associated with its contact days after it was logged; returns the moment."""
    rng = random.Random(f"associated {seed} {engagement.id}")
    if rng.random() >= 1 / 3:
        return None
    linked = later(rng, engagement.created, 20, 150)
    engagement.quiet.append((linked, {"_contacts": engagement.fields["_contacts"]}))
    engagement.fields["_contacts"] = ()
    return linked
