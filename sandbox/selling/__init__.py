"""Opportunities of `company`: how they move, close, are copied to HubSpot and renewed, and their truth."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.clock import DAY, HOUR, day_of
from sandbox.decisions import Deal
from sandbox.office import Firm, Office, days_after, later, working_time
from sandbox.purchases import Bill
from sandbox.records import Record
from sandbox.selling.hubspot_deals import copy_to_hubspot, open_hubspot_deal
from sandbox.selling.pricing import CURRENCY_SCALE, DISCOUNTS, PRODUCTS, itemise
from sandbox.selling.terms import PROBABILITY, STAGES, TYPES, Close, Terms, decide_close, haste
from sandbox.staff import Rep

__all__ = ["PRODUCTS", "Close", "Terms", "log_partner_deal", "open_deal", "open_hubspot_deal"]


@dataclass(frozen=True)
class Price:
    """What a deal is listed at, and what is left of it after the discount."""

    currency: str
    listed: int
    amount: int


def open_deal(office: Office, rng: random.Random, created: int, terms: Terms) -> tuple[str, Close]:
    """A whole opportunity, from its first stage to wherever it ends; returns its id and its end."""
    currency = terms.firm.currency if terms.firm else "USD"
    listed = rng.randrange(20, 240) * 100 * CURRENCY_SCALE[currency]
    discount = rng.choice(DISCOUNTS)
    close = decide_close(rng, created, terms)
    price = Price(currency, listed, listed * (100 - discount - haste(close)) // 100)
    # One deal in thirty has a contact without the mark of a primary one.
    primary = terms.contact_id is not None and rng.random() >= 0.03
    deal = _opened(office, rng, created, terms, price, primary)
    steps = _plan_steps(rng, created, close)
    amounts = _move(deal, steps, price)
    steps += _finish(deal, close, price, amounts)
    deal.removed = close.deleted
    office.scenario.salesforce["Opportunity"].add(deal)
    itemise(office, deal, currency)
    _keep_history(office, deal, terms.rep, [created, *(at for at, _ in steps)])
    people = _assign_contacts(office, rng, deal, terms, primary)
    moves = [(created, STAGES[0]), *steps]
    if terms.hubspot_contact_id and rng.random() < 0.65:
        copy_to_hubspot(office, rng, deal, terms, moves)
    _bill(office, deal.id, price, close)
    office.scenario.deals.append(
        Deal(
            deal.id,
            "salesforce",
            TYPES[terms.kind],
            created,
            amounts,
            currency,
            deal.fields["List_Amount__c"],
            terms.firm.region if terms.firm else "Unknown",
            terms.person_id if primary else None,
            None if primary else terms.person_id,
            terms.lead_source,
            close.entered,
            close.day,
            close.won,
            close.deleted,
            moves,
            people=people,
        )
    )
    return deal.id, close


def _opened(office: Office, rng: random.Random, created: int, terms: Terms, price: Price, primary: bool) -> Record:
    """The opportunity as the rep enters it; `primary` says that it names its contact."""
    deal_id = office.salesforce_id("Opportunity")
    return Record(
        deal_id,
        created,
        {
            "Name": f"{terms.firm.name if terms.firm else 'Partner deal'} {terms.kind} {deal_id[-5:]}",
            "AccountId": office.account_of(terms.firm, created, terms.rep) if terms.firm else None,
            "ContactId": terms.contact_id if primary else None,
            "Type": terms.kind,
            "LeadSource": terms.lead_source,
            "StageName": STAGES[0],
            "IsClosed": False,
            "IsWon": False,
            "CloseDate": days_after(created, 30),
            "Amount": price.listed,
            "CurrencyIsoCode": price.currency,
            "List_Amount__c": price.listed if rng.random() >= 0.05 else None,
            "Probability": PROBABILITY[STAGES[0]],
            "OwnerId": terms.rep.user_id,
        },
    )


def _plan_steps(rng: random.Random, created: int, close: Close) -> list[tuple[int, str]]:
    """When the deal enters which stage between its first and its last."""
    end = close.entered or created + 25 * DAY
    steps: list[tuple[int, str]] = []
    previous = created
    for number, stage in enumerate(STAGES[1:], start=1):
        at = working_time(rng, created + (end - created) * (number / 4.2 + rng.uniform(-0.06, 0.06)))
        if not previous + HOUR < at < end - HOUR or (close.won is None and rng.random() < 0.3):
            break
        steps.append((at, stage))
        previous = at
    return steps


def _move(deal: Record, steps: list[tuple[int, str]], price: Price) -> list[tuple[int, int]]:
    """Take the deal through its stages, with the discount in the proposal; returns its amounts with their moments."""
    amounts = [(deal.created, price.listed)]
    for at, stage in steps:
        changed = {"StageName": stage, "Probability": PROBABILITY[stage]}
        if stage == "Proposal/Price Quote" and price.amount != price.listed:
            changed["Amount"] = price.amount
            amounts.append((at, price.amount))
        deal.change(at, **changed)
    return amounts


def _finish(deal: Record, close: Close, price: Price, amounts: list[tuple[int, int]]) -> list[tuple[int, str]]:
    """Win or lose the deal at what is left of its price; returns its last step, none while it stays open."""
    if close.entered is None:
        return []
    final = "Closed Won" if close.won else "Closed Lost"
    deal.change(
        close.entered,
        StageName=final,
        IsClosed=True,
        IsWon=bool(close.won),
        Probability=PROBABILITY[final],
        CloseDate=close.day,
        Amount=price.amount,
    )
    if amounts[-1][1] != price.amount:
        amounts.append((close.entered, price.amount))
    return [(close.entered, final)]


def _bill(office: Office, deal_id: str, price: Price, close: Close) -> None:
    """One won deal in five is billed through the shop, days after it closed, in the shop's currency."""
    chance = random.Random(f"{office.seed} bill {deal_id}")
    if not close.won or close.entered is None or chance.random() >= 0.2:
        return
    at = later(chance, close.entered, 24, 120)
    bill = Bill(at, deal_id, price.amount * 100 // CURRENCY_SCALE[price.currency], None, None)
    office.bills.setdefault(day_of(at), []).append(bill)


def _keep_history(office: Office, deal: Record, rep: Rep, moments: list[int]) -> None:
    for at in moments:
        state = deal.known_at(at)
        row = office.scenario.salesforce["OpportunityHistory"].add(
            Record(
                office.salesforce_id("OpportunityHistory"),
                at,
                {
                    "OpportunityId": deal.id,
                    **{name: state.fields[name] for name in ("StageName", "Amount", "CloseDate", "Probability")},
                    "CreatedById": rep.user_id,
                },
            )
        )
        row.removed = deal.removed


def _assign_contacts(office: Office, rng: random.Random, deal: Record, terms: Terms, primary: bool) -> list[str]:
    """Give a deal its contacts; returns their persons."""
    if terms.contact_id is None:
        return []
    members = [(terms.contact_id, primary)]
    colleagues = [one for since, one in terms.firm.contacts if since < deal.created] if terms.firm else []
    colleagues = [one for one in colleagues if one != terms.contact_id]
    if primary and colleagues and rng.random() < 0.5:
        members.append((rng.choice(colleagues), False))
    for contact_id, is_primary in members:
        role = office.scenario.salesforce["OpportunityContactRole"].add(
            Record(
                office.salesforce_id("OpportunityContactRole"),
                deal.created,
                {
                    "OpportunityId": deal.id,
                    "ContactId": contact_id,
                    "Role": "Decision Maker" if is_primary else "Evaluator",
                    "IsPrimary": is_primary,
                },
            )
        )
        role.removed = deal.removed
    return [office.persons[contact_id] for contact_id, _ in members]


def log_partner_deal(office: Office, rng: random.Random, created: int, firm: Firm | None, rep: Rep) -> None:
    """A partner's deal without any contact; two in five are booked only after they were won."""
    terms = Terms("New Business", firm, rep, "Partner", win_share=0.55, open_share=0.25)
    if rng.random() >= 0.4:
        open_deal(office, rng, created, terms)
        return
    currency = firm.currency if firm else "USD"
    amount = rng.randrange(10, 80) * 100 * CURRENCY_SCALE[currency]
    close_date: date = day_of(created) - timedelta(rng.randint(1, 3))
    deal = Record(
        office.salesforce_id("Opportunity"),
        created,
        {
            "Name": f"{firm.name if firm else 'Partner'} booked late",
            "AccountId": office.account_of(firm, created, rep) if firm else None,
            "ContactId": None,
            "Type": "New Business",
            "LeadSource": "Partner",
            "StageName": "Closed Won",
            "IsClosed": True,
            "IsWon": True,
            "CloseDate": close_date,
            "Amount": amount,
            "CurrencyIsoCode": currency,
            "List_Amount__c": amount,
            "Probability": 100,
            "OwnerId": rep.user_id,
        },
    )
    office.scenario.salesforce["Opportunity"].add(deal)
    _keep_history(office, deal, rep, [created])
    office.scenario.deals.append(
        Deal(
            deal.id,
            "salesforce",
            "new_business",
            created,
            [(created, amount)],
            currency,
            amount,
            firm.region if firm else "Unknown",
            lead_source="Partner",
            entered_at=created,
            close_date=close_date,
            is_won=True,
            moves=[(created, "Closed Won")],
        )
    )
