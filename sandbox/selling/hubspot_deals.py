"""Deals that exist in HubSpot, and copies of deals there."""

from __future__ import annotations

import random

from sandbox.clock import DAY, HOUR, MINUTE, day_start
from sandbox.decisions import Deal
from sandbox.lapses import enter_company_twice, enter_deal_twice
from sandbox.office import Firm, Office, Prospect, days_after, later
from sandbox.records import Record
from sandbox.selling.pricing import CURRENCY_SCALE, itemise_in_hubspot
from sandbox.selling.terms import HUBSPOT_STAGE, LOST_REASONS, Terms
from sandbox.staff import Rep


def copy_to_hubspot(
    office: Office, rng: random.Random, deal: Record, terms: Terms, steps: list[tuple[int, str]]
) -> None:
    """The sync creates a HubSpot deal for a Salesforce opportunity and follows it, minutes late."""
    lag = rng.randint(4, 10) * MINUTE
    copy = Record(
        str(8_000_000 + office.number("deal")),
        deal.created + lag,
        {
            "dealname": deal.fields["Name"],
            "amount": str(deal.fields["Amount"]),
            "deal_currency_code": deal.fields["CurrencyIsoCode"],
            "dealstage": HUBSPOT_STAGE[steps[0][1]],
            "pipeline": "default",
            "dealtype": "newbusiness" if terms.kind == "New Business" else "existingbusiness",
            "closedate": day_start(deal.fields["CloseDate"]),
            "hubspot_owner_id": terms.rep.owner_id,
            "hs_primary_associated_company": terms.firm.company.id if terms.firm and terms.firm.company else None,
            "hs_salesforceopportunityid": deal.id,
            "_contacts": (terms.hubspot_contact_id,),
        },
    )
    for at, stage in steps[1:]:
        state = deal.known_at(at)
        copy.change(
            at + lag,
            dealstage=HUBSPOT_STAGE[stage],
            amount=str(state.fields["Amount"]),
            closedate=day_start(state.fields["CloseDate"]),
        )
    if deal.removed is not None:
        copy.removed = deal.removed + lag
    office.scenario.hubspot["deals"].add(copy)


def _invite(office: Office, deal_id: str, created: int) -> tuple[list[Prospect], bool]:
    """Contacts of a deal that exists only in HubSpot; a label may mark the primary one, and may be missing.

    The primary contact has no other deal; the other one may get one. One deal in four has no contact, two in five have
    both.
    """
    chance = random.Random(f"contacts {office.seed} {deal_id}")
    free = [one for one in office.prospects if created - 40 * DAY < one.settled < created - HOUR]
    if len(free) < 2 or chance.random() < 0.25:
        return [], False
    # Of the two, the one that HubSpot lists last in the order of ids.
    other, one = sorted(chance.sample(free, 2), key=lambda prospect: int(prospect.contact.id))
    is_labelled = chance.random() < 0.55
    office.prospects.remove(one)
    if not is_labelled:
        return [one], False
    one.contact.change(created, lifecyclestage="opportunity")
    office.scenario.hubspot["contacts"].forget()
    return [one, other], True


def open_hubspot_deal(office: Office, rng: random.Random, created: int, firm: Firm, rep: Rep) -> None:
    """A deal that exists only in HubSpot."""
    deal_id = str(8_000_000 + office.number("deal"))
    contacts, is_labelled = _invite(office, deal_id, created)
    firm = contacts[0].firm or firm if contacts else firm
    amount = rng.randrange(8, 90) * 100 * CURRENCY_SCALE[firm.currency]
    closed = later(rng, created, 48, 900)
    roll = rng.random()
    won = True if roll < 0.35 else False if roll < 0.75 else None
    removed = later(rng, created, 30, 200) if won is None and rng.random() < 0.3 else None
    record = Record(
        deal_id,
        created,
        {
            "dealname": f"{firm.name} small deal",
            "amount": str(amount),
            "deal_currency_code": firm.currency,
            "dealstage": "appointmentscheduled",
            "pipeline": "default",
            "dealtype": "newbusiness" if rng.random() < 0.7 else "existingbusiness",
            "closedate": day_start(days_after(created, 30)),
            "hubspot_owner_id": rep.owner_id,
            "hs_primary_associated_company": office.company_of(firm, created),
            "hs_salesforceopportunityid": None,
            # In the order of their ids, as in HubSpot: only the label marks the primary contact.
            "_contacts": tuple(sorted((one.contact.id for one in contacts), key=int)),
            "_labels": {contacts[0].contact.id: "Primary"} if is_labelled else {},
        },
    )
    lost_reason = random.Random(f"lost {office.seed} {deal_id}").choice(LOST_REASONS) if won is False else None
    if won is not None:
        stage = "closedwon" if won else "closedlost"
        record.change(closed, dealstage=stage, closedate=closed, closed_lost_reason=lost_reason)
    record.removed = removed
    office.scenario.hubspot["deals"].add(record)
    itemise_in_hubspot(office, deal_id, created, amount, firm.currency)
    deal = _truth(record, firm, amount, contacts, is_labelled)
    if won is not None:
        deal.entered_at, deal.is_won, deal.lost_reason = closed, won, lost_reason
        deal.moves.append((closed, "Closed Won" if won else "Closed Lost"))
    office.scenario.deals.append(deal)
    enter_company_twice(office, firm, record)
    enter_deal_twice(office, record, deal)


def _truth(record: Record, firm: Firm, amount: int, contacts: list[Prospect], is_labelled: bool) -> Deal:
    """The deal as it really is, still open."""
    return Deal(
        record.id,
        "hubspot",
        "new_business" if record.fields["dealtype"] == "newbusiness" else "expansion",
        record.created,
        [(record.created, amount)],
        firm.currency,
        None,
        firm.region,
        contacts[0].person_id if is_labelled else None,
        contacts[0].person_id if contacts and not is_labelled else None,
        removed_at=record.removed,
        moves=[(record.created, "Appointment Scheduled")],
        people=[one.person_id for one in contacts],
    )
