"""Opportunities of `company`: how they move, close, are copied to HubSpot, renewed, and what truth keeps of them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.clock import DAY, HOUR, MINUTE, day_of, day_start
from sandbox.decisions import Deal
from sandbox.lapses import enter_company_twice, enter_deal_twice, replace_line
from sandbox.office import Firm, Office, Prospect, days_after, later, working_time
from sandbox.records import Record
from sandbox.staff import Rep
from sandbox.storefront import Bill

STAGES = ("Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review")
PROBABILITY = {**dict(zip(STAGES, (10, 20, 60, 80), strict=True)), "Closed Won": 100, "Closed Lost": 0}
HUBSPOT_STAGE = {
    "Qualification": "appointmentscheduled",
    "Needs Analysis": "qualifiedtobuy",
    "Proposal/Price Quote": "presentationscheduled",
    "Negotiation/Review": "decisionmakerboughtin",
    "Closed Won": "closedwon",
    "Closed Lost": "closedlost",
}
LOST_REASONS = ("Price", "Competitor", "No budget", None)
TYPES = {
    "New Business": "new_business",
    "Existing Business": "expansion",
    "Upsell": "expansion",
    "Expansion": "expansion",
    "Renewal": "renewal",
}
DISCOUNTS = (0, 0, 0, 5, 10, 10, 15, 20, 25, 30)
# Code, name, group and weight of what is sold.
PRODUCTS = (
    ("SEAT-100", "Seats", "Licences", 5),
    ("API-10", "Interface calls", "Licences", 2),
    ("TRAIN-1", "Training", "Services", 2),
    ("SETUP-1", "Set-up", "Services", 1),
)
CURRENCY_SCALE = {"BRL": 5, "EUR": 1, "GBP": 1, "USD": 1}


@dataclass(frozen=True)
class Close:
    """How a deal ends: `entered` its last stage, which counts from `closed`; `won` None while it stays open."""

    won: bool | None
    entered: int | None = None
    closed: int | None = None
    deleted: int | None = None


@dataclass
class Terms:
    """What is agreed about a deal before it starts."""

    kind: str
    firm: Firm | None
    rep: Rep
    lead_source: str | None = None
    person_id: str | None = None
    contact_id: str | None = None
    hubspot_contact_id: str | None = None
    win_share: float = 0.30
    open_share: float = 0.20
    days_to_close: float = 18.0


def open_deal(office: Office, rng: random.Random, created: int, terms: Terms) -> tuple[str, Close]:
    """A whole opportunity, from its first stage to wherever it ends; returns its id and its end."""
    currency = terms.firm.currency if terms.firm else "USD"
    listed = rng.randrange(20, 240) * 100 * CURRENCY_SCALE[currency]
    discount = rng.choice(DISCOUNTS)
    deal_id = office.salesforce_id("Opportunity")
    close = _decide_close(rng, created, terms)
    amount = listed * (100 - discount - _haste(close)) // 100
    account_id = office.account_of(terms.firm, created, terms.rep) if terms.firm else None
    # One deal in thirty has a contact that nobody marked as the primary one.
    primary = terms.contact_id is not None and rng.random() >= 0.03
    deal = Record(
        deal_id,
        created,
        {
            "Name": f"{terms.firm.name if terms.firm else 'Partner deal'} {terms.kind} {deal_id[-5:]}",
            "AccountId": account_id,
            "ContactId": terms.contact_id if primary else None,
            "Type": terms.kind,
            "LeadSource": terms.lead_source,
            "StageName": STAGES[0],
            "IsClosed": False,
            "IsWon": False,
            "CloseDate": days_after(created, 30),
            "Amount": listed,
            "CurrencyIsoCode": currency,
            "List_Amount__c": listed if rng.random() >= 0.05 else None,
            "Probability": PROBABILITY[STAGES[0]],
            "OwnerId": terms.rep.user_id,
        },
    )
    amounts = [(created, listed)]
    end = close.entered or created + 25 * DAY
    steps: list[tuple[int, str]] = []
    previous = created
    for number, stage in enumerate(STAGES[1:], start=1):
        at = working_time(rng, created + (end - created) * (number / 4.2 + rng.uniform(-0.06, 0.06)))
        if not previous + HOUR < at < end - HOUR or (close.won is None and rng.random() < 0.3):
            break
        steps.append((at, stage))
        previous = at
    for at, stage in steps:
        changed = {"StageName": stage, "Probability": PROBABILITY[stage]}
        if stage == "Proposal/Price Quote" and amount != listed:
            changed["Amount"] = amount
            amounts.append((at, amount))
        deal.change(at, **changed)
    close_date = None
    if close.entered is not None and close.closed is not None:
        close_date = day_of(close.closed)
        final = "Closed Won" if close.won else "Closed Lost"
        deal.change(
            close.entered,
            StageName=final,
            IsClosed=True,
            IsWon=bool(close.won),
            Probability=PROBABILITY[final],
            CloseDate=close_date,
            Amount=amount,
        )
        if amounts[-1][1] != amount:
            amounts.append((close.entered, amount))
        steps.append((close.entered, final))
    deal.removed = close.deleted
    office.scenario.salesforce["Opportunity"].add(deal)
    _itemise(office, deal, currency)
    _keep_history(office, deal, terms.rep, [created, *(at for at, _ in steps)])
    people = _assign_contacts(office, rng, deal, terms, primary)
    if terms.hubspot_contact_id and rng.random() < 0.65:
        _copy_to_hubspot(office, rng, deal, terms, [(created, STAGES[0]), *steps])
    _bill(office, deal_id, amount, currency, close, terms)
    office.scenario.deals.append(
        Deal(
            deal_id,
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
            close_date,
            close.won,
            close.deleted,
            [(created, STAGES[0]), *steps],
            people=people,
        )
    )
    return deal_id, close


def _bill(office: Office, deal_id: str, amount: int, currency: str, close: Close, terms: Terms) -> None:
    """One won deal in five is billed through the shop, days after it closed, in the shop's currency."""
    chance = random.Random(f"{office.seed} bill {deal_id}")
    if not close.won or close.entered is None or chance.random() >= 0.2:
        return
    at = later(chance, close.entered, 24, 120)
    bill = Bill(at, deal_id, amount * 100 // CURRENCY_SCALE[currency], None, None)
    office.bills.setdefault(day_of(at), []).append(bill)


def _haste(close: Close) -> int:
    """What is given away on top when the quarter is about to end: five per cent, ten in its last week."""
    if not close.won or close.closed is None:
        return 0
    day = day_of(close.closed)
    months = day.year * 12 + (day.month - 1) // 3 * 3 + 3
    left = (date(months // 12, months % 12 + 1, 1) - day).days
    return 10 if left <= 7 else 5 if left <= 14 else 0


def _decide_close(rng: random.Random, created: int, terms: Terms) -> Close:
    roll = rng.random()
    if terms.person_id and roll < 0.02:
        return Close(None, deleted=later(rng, created, 24, 240))
    if roll < terms.open_share:
        return Close(None)
    won = rng.random() < terms.win_share / (1 - terms.open_share)
    days = min(95.0, max(2.0, rng.lognormvariate(0, 0.6) * terms.days_to_close))
    entered = later(rng, created, days * 24, days * 24 + 8)
    backdated = day_of(entered) - timedelta(rng.randint(1, 3))
    if rng.random() < 0.08 and backdated > day_of(created):
        return Close(won, entered, day_start(backdated))
    return Close(won, entered, entered)


def _itemise(office: Office, deal: Record, currency: str) -> None:
    """Products of three deals in four, which follow the deal's amount; list price is what was asked for at first."""
    chance = random.Random(f"items {office.seed} {deal.id}")
    if chance.random() < 0.25:
        return
    places = _choose_products(chance)
    for number, place in enumerate(places):
        units, part = chance.randint(1, 20), _split(places, deal.fields["Amount"])[number]
        line = Record(
            office.salesforce_id("OpportunityLineItem"),
            deal.created,
            {
                "OpportunityId": deal.id,
                "Product2Id": office.products[place].id,
                "ProductCode": PRODUCTS[place][0],
                "Quantity": units,
                "ListPrice": part / units,
                "UnitPrice": part / units,
                "TotalPrice": part,
                "CurrencyIsoCode": currency,
            },
        )
        known = deal.fields["Amount"]
        for at, changed in deal.changes:
            if changed.get("Amount", known) != known:
                known = changed["Amount"]
                total = _split(places, known)[number]
                line.change(at, UnitPrice=total / units, TotalPrice=total)
        line.removed = deal.removed
        office.scenario.salesforce["OpportunityLineItem"].add(line)
    if deal.removed is None and chance.random() < 0.1:
        office.scenario.salesforce["OpportunityLineItem"].add(replace_line(office, chance, line))


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
    """Give a deal its contacts; returns the persons they are."""
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


def _copy_to_hubspot(
    office: Office, rng: random.Random, deal: Record, terms: Terms, steps: list[tuple[int, str]]
) -> None:
    """The sync makes a HubSpot deal of a Salesforce opportunity and follows it, minutes late."""
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
    """Contacts of a deal that lives in HubSpot alone, whoever it is about first, and whether a label says so.

    Who it is about has no other deal; the bystander may get one. One deal in four has nobody, two in five both.
    """
    chance = random.Random(f"contacts {office.seed} {deal_id}")
    free = [one for one in office.prospects if created - 40 * DAY < one.settled < created - HOUR]
    if len(free) < 2 or chance.random() < 0.25:
        return [], False
    # Of the two the one whom HubSpot, in order of ids, names last.
    other, one = sorted(chance.sample(free, 2), key=lambda prospect: int(prospect.contact.id))
    is_labelled = chance.random() < 0.55
    office.prospects.remove(one)
    if not is_labelled:
        return [one], False
    one.contact.change(created, lifecyclestage="opportunity")
    office.scenario.hubspot["contacts"].forget()
    return [one, other], True


def open_hubspot_deal(office: Office, rng: random.Random, created: int, firm: Firm, rep: Rep) -> None:
    """A deal that lives in HubSpot alone."""
    deal_id = str(8_000_000 + office.number("deal"))
    contacts, is_labelled = _invite(office, deal_id, created)
    firm = contacts[0].firm or firm if contacts else firm
    currency = firm.currency
    amount = rng.randrange(8, 90) * 100 * CURRENCY_SCALE[currency]
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
            "deal_currency_code": currency,
            "dealstage": "appointmentscheduled",
            "pipeline": "default",
            "dealtype": "newbusiness" if rng.random() < 0.7 else "existingbusiness",
            "closedate": day_start(days_after(created, 30)),
            "hubspot_owner_id": rep.owner_id,
            "hs_primary_associated_company": office.company_of(firm, created),
            "hs_salesforceopportunityid": None,
            # In order of their ids, as HubSpot gives them: only the label says who the deal is about.
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
    _itemise_in_hubspot(office, deal_id, created, amount, currency)
    office.scenario.deals.append(
        Deal(
            record.id,
            "hubspot",
            "new_business" if record.fields["dealtype"] == "newbusiness" else "expansion",
            created,
            [(created, amount)],
            currency,
            None,
            firm.region,
            contacts[0].person_id if is_labelled else None,
            contacts[0].person_id if contacts and not is_labelled else None,
            entered_at=closed if won is not None else None,
            is_won=won,
            removed_at=removed,
            moves=[(created, "Appointment Scheduled")]
            + ([(closed, "Closed Won" if won else "Closed Lost")] if won is not None else []),
            lost_reason=lost_reason,
            people=[one.person_id for one in contacts],
        )
    )
    enter_company_twice(office, firm, record)
    enter_deal_twice(office, record, office.scenario.deals[-1])


def _split(places: list[int], amount: int) -> list[int]:
    """An amount divided among lines of these products, to the last unit."""
    weights = [PRODUCTS[place][3] for place in places]
    parts = [amount * weight // sum(weights) for weight in weights]
    parts[0] += amount - sum(parts)
    return parts


def _choose_products(chance: random.Random) -> list[int]:
    return chance.sample(range(len(PRODUCTS)), chance.choice((1, 2, 2, 3)))


def _itemise_in_hubspot(office: Office, deal_id: str, created: int, amount: int, currency: str) -> None:
    """Line items of nine deals in ten; one in six has a line that was taken away the day after."""
    chance = random.Random(f"items {office.seed} {deal_id}")
    if chance.random() < 0.1:
        return

    def add(place: int, units: int, part: int) -> Record:
        code, name, *_ = PRODUCTS[place]
        discount = chance.choice((0, 0, 10, 20))
        return office.scenario.hubspot["line_items"].add(
            Record(
                str(6_000_000 + office.number("line item")),
                created,
                {
                    "hs_product_id": str(900 + place),
                    "hs_sku": code,
                    "name": name,
                    "quantity": str(units),
                    "price": f"{part / units / (1 - discount / 100):.6f}",
                    "hs_discount_percentage": str(discount) if discount else None,
                    "amount": str(part),
                    "hs_line_item_currency_code": currency,
                    "_deal": deal_id,
                },
            )
        )

    places = _choose_products(chance)
    for place, part in zip(places, _split(places, amount), strict=True):
        add(place, chance.randint(1, 20), part)
    if chance.random() < 0.17:
        add(3, 1, amount // 10).removed = later(chance, created, 20, 28)


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
