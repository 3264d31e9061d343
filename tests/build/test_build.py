"""Builds: full and incremental ones give the same rows, and failures say what to do."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import ledger, settings, warehouse
from funnel.build import dbt_run, errors
from funnel.ingest import removals
from funnel.sources import SOURCES
from tests.conftest import fresh_warehouse

from .builds import assert_as_of_a_full_build, publish_build
from .conftest import Write, rows, template, writer

CONTACT: dict[str, Any] = {
    "contact_id": "1",
    "updated_at": "2026-01-05T10:00:00Z",
    "email_key": "ana",
    "created_at": "2026-01-05T10:00:00Z",
    "_record_key": "k1",
}
STATS: dict[str, Any] = {
    "date": "2026-01-05",
    "customer_id": "1",
    "campaign_id": "11",
    "currency_code": "EUR",
    "impressions": 1000,
    "clicks": 50,
    "cost_micros": 100_000_000,
}


def set_rates(project: Path, *lines: str) -> None:
    (project / "seeds/currency_rates.csv").write_text("rate_date,currency_code,rate_to_usd\n" + "\n".join(lines) + "\n")


def statuses() -> list[str]:
    return [status for (status,) in rows("select status from ops.builds order by build_id")]


def test_a_warehouse_without_loads_is_not_built(warehouse: str) -> None:
    with pytest.raises(ledger.LedgerError, match="Ingest a source first"):
        dbt_run.build()


def test_orders_of_a_file_alone_fill_the_funnel(write: Write) -> None:
    """An order's value is that of its lines; an order that bills a deal of the same files is not counted twice."""
    order = {"_file_order": "1", "ordered_on": "2026-01-05", "currency_code": "USD"}
    line = {"_file_order": "1", "order_line": "1"}
    deal = {"_file_order": "1", "stage": "won", "created_on": "2026-01-02", "closed_on": "2026-01-04", "amount": 500}
    write(
        "files__orders",
        order | {"row_key": "1", "order_id": "1", "status": "delivered"},
        order | {"row_key": "2", "order_id": "2", "status": "canceled"},
        order | {"row_key": "3", "order_id": "3", "status": "delivered", "opportunity_id": "O1"},
    )
    write(
        "files__order_lines",
        line | {"row_key": "1:1", "order_id": "1", "amount": 90, "discount_amount": 10, "product_id": "KIT"},
        line | {"row_key": "1:2", "order_id": "1", "order_line": "2", "amount": 5},
        line | {"row_key": "2:1", "order_id": "2", "amount": 70},
        line | {"row_key": "3:1", "order_id": "3", "amount": 500},
    )
    # Paid in three instalments and by two cards: a payment is neither revenue nor a second line.
    write(
        "files__payments",
        *(
            {"_file_order": "1", "row_key": f"1:{number}", "order_id": "1", "payment_no": str(number), "amount": 30}
            for number in range(1, 4)
        ),
        {"_file_order": "1", "row_key": "3:1", "order_id": "3", "payment_no": "1", "amount": 250},
        {"_file_order": "1", "row_key": "3:2", "order_id": "3", "payment_no": "2", "amount": 250},
    )
    write(
        "files__costs",
        {"_file_order": "1", "row_key": "1", "month": "2026-01-01", "team": "sales", "cost_type": "tools", "amount": 9},
    )
    write("files__opportunities", deal | {"row_key": "O1", "opportunity_id": "O1", "currency_code": "USD"})
    with psycopg.connect(settings.dsn("admin")) as admin:
        admin.execute(
            """
            insert into ops.files (
                load_id, source, connection_id, stream, path, fingerprint, bytes, status, rows_read, rows_loaded,
                rows_quarantined, settings, fetched_at
            )
            select load_id, source, connection_id, stream, stream || '.csv', 'x', 0, 'loaded', 1, 1, 0, '{}', fetched_at
            from ops.loads
            """
        )
    dbt_run.build()
    assert rows(
        "select sum(orders), sum(order_amount), sum(won_amount), sum(sessions) from marts.fct_funnel_daily"
    ) == [(1, 95, 500, None)]
    assert rows(
        "select order_id, order_line, gross_amount, net_amount, is_counted, opportunity_key is not null "
        "from marts.fct_orders order by 1, 2"
    ) == [
        ("1", "1", 100, 90, True, False),
        ("1", "2", 5, 5, True, False),
        ("2", "1", 70, 70, False, False),
        ("3", "1", 500, 500, True, True),
    ]
    assert rows(
        "select order_id, count(*), sum(amount_local) from staging.stg_files__payments group by 1 order by 1"
    ) == [("1", 3, 90), ("3", 2, 500)]
    assert rows("select month::text, team, cost_type, amount_local from staging.stg_files__costs") == [
        ("2026-01-01", "sales", "tools", 9)
    ]
    # No person was reached by a channel with costs. A deal without a type is a new customer's: it bears the cost.
    assert rows(
        "select channel, region, costs, cac, count(*) from marts.rpt_channel_return "
        "where costs <> 0 group by 1, 2, 3, 4"
    ) == [("(unattributed)", "Unknown", 9, 9, 11)]


def test_rates_are_carried_and_converted_on_both_sides(
    write: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reporting in euros: a dollar has the last quotation before the day, and a euro the rate 1."""
    monkeypatch.setenv("REPORTING_CURRENCY", "EUR")
    set_rates(
        project,
        *("2026-01-05,EUR,1.25", "2026-01-05,GBP,1.50", "2026-01-12,GBP,2.00"),
        *("2026-01-05,CHF,1.00", "2026-01-12,CHF,9.90"),
    )
    # The European Central Bank begins on the 8th, the accountants' own file on the 9th, a Friday.
    for day, dollars, francs in (("08", "1.25", "1.0"), ("09", "1.25", "1.0"), ("12", "1.25", "0.5")):
        write(
            "exchange_rates__rates",
            {"rate_date": f"2026-01-{day}", "currency_code": "USD", "units_per_euro": dollars},
            {"rate_date": f"2026-01-{day}", "currency_code": "CHF", "units_per_euro": francs},
        )
    in_dollars = {"rate_date": "2026-01-09", "base_currency": "chf", "rate": "1.5", "_file_order": "|a"}
    write("files__exchange_rates", {**in_dollars, "row_key": "1"})
    set_reference_data(write, project)
    write("google_ads__campaign_stats", STATS)
    dbt_run.build(project_dir=project)
    found = rows(
        "select date_day, currency_code, rate, is_carried from intermediate.int_currency_rates_daily "
        "where currency_code <> 'CHF' and date_day in ('2026-01-04', '2026-01-05', '2026-01-11', '2026-01-12') "
        "order by 1, 2"
    )
    assert found == [
        (date(2026, 1, 4), "EUR", Decimal(1), False),
        (date(2026, 1, 5), "EUR", Decimal(1), False),
        (date(2026, 1, 5), "GBP", Decimal("1.2"), False),
        (date(2026, 1, 5), "USD", Decimal("0.8"), False),
        (date(2026, 1, 11), "EUR", Decimal(1), False),
        (date(2026, 1, 11), "GBP", Decimal("1.2"), True),
        (date(2026, 1, 11), "USD", Decimal("0.8"), False),
        (date(2026, 1, 12), "EUR", Decimal(1), False),
        (date(2026, 1, 12), "GBP", Decimal("1.6"), False),
        (date(2026, 1, 12), "USD", Decimal("0.8"), False),
    ]
    # One origin at a time: from the first day of a better one on, the others are ignored.
    francs = rows(
        "select extract(day from date_day), origin, rate, is_carried from intermediate.int_currency_rates_daily "
        "where currency_code = 'CHF' and date_day between '2026-01-05' and '2026-01-13' order by 1"
    )
    assert francs == [
        (5, "seed", Decimal("0.8"), False),
        (6, "seed", Decimal("0.8"), True),
        (7, "seed", Decimal("0.8"), True),
        (8, "exchange_rates", Decimal(1), False),
        (9, "files", Decimal("1.2"), False),
        (10, "files", Decimal("1.2"), True),
        (11, "files", Decimal("1.2"), True),
        (12, "files", Decimal("1.2"), True),
        (13, "files", Decimal("1.2"), True),
    ]
    see_reference_data()


def set_reference_data(write: Write, project: Path) -> None:
    """Targets, prices and plans of the seeds, some of them overridden by files; the German calendar."""
    rules = project / "dbt_project.yml"
    rules.write_text(rules.read_text().replace("business_calendar: weekends", "business_calendar: DE"))
    for name, lines in {
        "targets": ["2026-01-01,month,sales,won_amount,(all),100,", "2026-01-01,quarter,sales,leads,EMEA,9,"],
        "price_list": ["p,10,EUR,2026-01-01,2026-02-01", "p,12,EUR,2026-02-01,", "q,5,USD,2026-01-01,"],
        "commission_plans": ["new,sales,0,0.05,2026-01-01,", "new,sales,1,0.08,2026-01-01,"],
    }.items():
        with open(project / f"seeds/{name}.csv", "a") as file:
            file.write("\n".join(lines) + "\n")
    target = {"period_start": "2026-01-01", "team": "sales", "_file_order": "|a"}
    write(
        "files__targets",
        {**target, "row_key": "1", "metric": "Won_Amount", "target": 120, "currency_code": "USD"},
        {**target, "row_key": "2", "metric": "happiness", "target": 1},
    )
    product = {"product_id": "p", "currency_code": "EUR", "_file_order": "|a"}
    write(
        "files__products",
        {**product, "row_key": "1", "list_price": 11, "valid_from": None},
        {**product, "row_key": "2", "list_price": 13, "valid_from": "2026-01-15"},
    )


def see_reference_data() -> None:
    """Files override the seeds; invalid targets are left out; steps and prices have the right ends."""
    assert rows("select * from intermediate.int_targets order by metric") == [
        ("quarter", "sales", "leads", "EMEA", "seed", None, 9, date(2026, 1, 1), date(2026, 4, 1)),
        ("month", "sales", "won_amount", "(all)", "files", "USD", 120, date(2026, 1, 1), date(2026, 2, 1)),
    ]
    assert rows("select * from intermediate.int_product_prices order by product_id, valid_from") == [
        ("p", "files", "EUR", 11, date(2000, 1, 1), date(2026, 1, 15)),
        ("p", "files", "EUR", 13, date(2026, 1, 15), None),
        ("q", "seed", "USD", 5, date(2026, 1, 1), None),
    ]
    assert rows("select step_from, step_to, commission_rate from intermediate.int_commission_steps order by 1") == [
        (0, 1, Decimal("0.05")),
        (1, None, Decimal("0.08")),
    ]
    assert rows("select holiday_date from intermediate.int_regional_holidays where region = 'EMEA' limit 1") != []
    # In Germany New Year is not a business day, Saturday is not one anywhere, Epiphany is one in most of Germany.
    assert rows(
        "select is_business_day from marts.dim_dates "
        "where date_day in ('2026-01-01', '2026-01-02', '2026-01-03', '2026-01-06') order by date_day"
    ) == [(False,), (True,), (False,), (True,)]


def test_contradicting_rules_are_reported_by_name(warehouse: str, project: Path) -> None:
    """Each seed with one mistake of each kind, and one correct row or period."""
    seeds = {
        "holidays": ["XX,2026-01-01,one", "XX,2026-01-01,two", "US,2026-12-25,right"],
        "region_calendars": ["Nowhere,US", "EMEA,YY"],
        "targets": [
            "2026-01-01,month,a,won_amount,(all),1,USD",
            "2026-01-01,quarter,a,won_amount,(all),3,USD",
            "2026-02-02,month,b,leads,(all),1,",
            "2026-01-01,month,c,happiness,(all),1,",
            "2026-01-01,month,d,leads,(all),1,",
        ],
        "price_list": [
            "overlap,1,USD,2026-01-01,2026-03-01",
            "overlap,2,USD,2026-02-01,",
            "gap,1,USD,2026-01-01,2026-02-01",
            "gap,2,USD,2026-03-01,",
            "negative,-1,USD,2026-01-01,",
            "right,1,USD,2026-01-01,2026-02-01",
            "right,2,USD,2026-02-01,",
        ],
        "commission_plans": [
            "late step,a,0.5,0.05,2026-01-01,",
            "one,b,0,0.05,2026-01-01,2026-06-01",
            "two,b,0,0.05,2026-03-01,",
            "one,c,0,0.05,2026-01-01,2026-06-01",
            "two,c,0,0.05,2026-07-01,",
            "too much,d,0,5,2026-01-01,",
            "right,e,0,0.05,2026-01-01,2026-06-01",
            "right,e,1,0.08,2026-01-01,2026-06-01",
            "next,e,0,0.05,2026-06-01,",
        ],
    }
    for name, lines in seeds.items():
        path = project / f"seeds/{name}.csv"
        path.write_text("\n".join([path.read_text().splitlines()[0], *lines]) + "\n")
    rules = project / "dbt_project.yml"
    rules.write_text(rules.read_text().replace("business_calendar: weekends", "business_calendar: ZZ"))
    wanted = [*seeds, "country_regions"]
    outcome = dbt_run._invoke(project, "build", "--select", *wanted, "--indirect-selection", "cautious")
    failed = {
        result.node.name: result.failures
        for result in outcome.result.results
        if str(result.status) in ("fail", "error")
    }
    # One row each: correct rows are not reported.
    assert failed == dict.fromkeys(failed, 1)
    told = (
        *("assert_business_calendar_is_known", "assert_commission_steps_begin_at_zero"),
        *("accepted_values_targets_metric", "is_key_of_seed_holidays", "is_true_of_seed_commission_plans"),
        *("is_true_of_seed_price_list", "is_true_of_seed_targets"),
        *("periods_do_not_overlap_commission_plans", "periods_do_not_overlap_price_list"),
        *("periods_do_not_overlap_targets", "periods_have_no_gaps_commission_plans", "periods_have_no_gaps_price_list"),
        *("relationships_region_calendars_calendar", "relationships_region_calendars_region"),
    )
    assert {next((one for one in told if name.startswith(one)), name) for name in failed} == set(told)
    assert len(failed) == len(told)


def test_an_incremental_build_equals_a_full_one(write: Write) -> None:
    """Persons that merge, split, move and vanish; deals that change owners; days that are retracted."""
    event = {
        "event_type": "e_form_submission_v2",
        "contact_id": "2",
        "occurred_on": "2026-01-05",
        "occurred_at": "2026-01-05T12:00:00Z",
    }
    lead = {"modified_at": "2026-01-05T10:00:00Z", "created_at": "2026-01-05T11:00:00Z"}
    deal = {"modified_at": "2026-01-05T10:00:00Z", "created_at": "2026-01-05T18:00:00Z", "currency_code": "USD"}
    write("google_ads__campaign_stats", STATS, STATS | {"campaign_id": "12"})
    write(
        "hubspot__contacts",
        CONTACT,
        CONTACT | {"contact_id": "2", "email_key": "ben", "_record_key": "k2", "utm_campaign": "Later"},
        CONTACT | {"contact_id": "3", "email_key": "carl", "_record_key": "k3", "company_id": "7"},
    )
    write("hubspot__contact_events", event | {"event_id": "e1"}, event | {"event_id": "e2"})
    write("salesforce__leads", lead | {"lead_id": "L1", "email_key": "ana", "_record_key": "k4"})
    write(
        "salesforce__contacts",
        lead | {"contact_id": "C1", "email_key": "dora", "_record_key": "k5", "account_id": "A1"},
    )
    write("salesforce__accounts", {"account_id": "A1", "modified_at": "2026-01-05T10:00:00Z", "country": "France"})
    write("salesforce__opportunities", deal | {"opportunity_id": "O1", "primary_contact_id": "C1", "amount": 100})
    stamp = {"updated_at": "2026-01-05T10:00:00Z"}
    own_deal = stamp | {"created_at": "2026-01-05T18:00:00Z", "closed_at": "2026-01-05T20:00:00Z", "amount": 50}
    own_deal |= {"pipeline": "p", "stage": "s1"}
    entered = [{"value": "s1", "timestamp": "2026-01-05T18:00:00Z"}]
    write(
        "hubspot__deals",
        own_deal | {"deal_id": "D1", "stage_history": entered, "contacts": [{"toObjectId": "2"}]},
        own_deal | {"deal_id": "D2", "stage_history": entered, "contacts": []},
    )
    stage = {"id": "s1", "label": "Demo", "metadata": {"isClosed": "false", "probability": "0.4"}}
    write("hubspot__pipelines", stamp | {"pipeline_id": "p", "stages": [stage]})
    write(
        "hubspot__line_items",
        stamp | {"line_item_id": "1", "deal_id": "D1", "sku": "SEAT", "amount": 30},
        stamp | {"line_item_id": "2", "deal_id": "D1", "product_name": "Training", "amount": 20},
    )
    member = {"modified_at": "2026-01-05T11:30:00Z", "created_at": "2026-01-05T11:30:00Z", "campaign_id": "K1"}
    write(
        "salesforce__campaign_members",
        member | {"member_id": "M1", "lead_id": "L1", "has_responded": True},
        member | {"member_id": "M2", "contact_id": "C1", "has_responded": False},
    )
    write(
        "salesforce__campaigns",
        {"campaign_id": "K1", "modified_at": "2026-01-05T10:00:00Z", "campaign_type": "Webinar"},
    )
    write(
        "salesforce__opportunity_line_items",
        {"line_item_id": "1", "modified_at": "2026-01-05T10:00:00Z", "opportunity_id": "O1", "total_price": 40},
        {"line_item_id": "2", "modified_at": "2026-01-05T10:00:00Z", "opportunity_id": "O1", "total_price": 60},
    )
    answer = stamp | {"occurred_at": "2026-01-05T20:00:00Z", "contacts": [{"toObjectId": "2"}]}
    write("hubspot__calls", answer | {"call_id": "1"})
    write("hubspot__meetings", answer | {"meeting_id": "1", "starts_at": "2026-01-05T19:00:00Z"})
    order = {
        "updated_at": "2026-01-05T10:00:00Z",
        "created_at": "2026-01-05T10:00:00Z",
        "currency_code": "USD",
        "financial_status": "PAID",
        "lines": [
            {
                "id": "gid://shopify/LineItem/1",
                "sku": "KIT",
                "title": "Kit",
                "originalTotalSet": {"shopMoney": {"amount": "100.0"}},
            }
        ],
    }
    write(
        "shopify__orders",
        order | {"order_id": "1", "email_key": "ben", "customer_id": "7"},
        order | {"order_id": "2", "customer_id": "7", "utm_source": "google", "utm_campaign": "Later"},
        order | {"order_id": "3", "email_key": "eve", "opportunity_id": "O1"},
        order | {"order_id": "4", "email_key": "carl", "country_id": "BR"},
    )
    session = {
        "date": "2026-01-05",
        "property_id": "9",
        "channel_group": "Unassigned",
        "session_source": "google",
        "session_medium": "cpc",
        "campaign_id": "(not set)",
        "country_id": "DE",
    }
    write(
        "ga4__sessions",
        session | {"campaign_name": "Later", "sessions": 5},
        session | {"campaign_name": "12", "sessions": 7},
    )
    publish_build(dbt_run.build().build_id)

    with psycopg.connect(settings.dsn("admin")) as admin:
        admin.execute(
            "insert into ops.loaded_days (source, connection_id, stream, date_day, fetched_at, load_id) values "
            "('hubspot', 'hubspot', 'contact_events', '2026-01-05', now(), 1), "
            "('google_ads', 'google_ads', 'campaign_stats', '2026-01-05', now(), 1), "
            "('ga4', 'ga4', 'sessions', '2026-01-05', now(), 1)"
        )
    for changes in (
        # Two persons become one, and one vanishes; a deal's contact turns out to be another person.
        [
            "update raw.hubspot__contacts set email_key = 'ben', _load_id = {load} where contact_id = '1'",
            "update raw.hubspot__contacts set is_archived = true, _load_id = {load} where contact_id = '3'",
            "update raw.salesforce__contacts set email_key = 'ana', _load_id = {load} where contact_id = 'C1'",
            'update raw.hubspot__deals set _load_id = {load}, contacts = \'[{{"toObjectId": "3"}}, '
            '{{"toObjectId": "1", "associationTypes": [{{"label": "Primary"}}]}}]\' where deal_id = \'D2\'',
            "update raw.hubspot__meetings set outcome = 'CANCELED', _load_id = {load}",
            "update raw.salesforce__campaign_members set has_responded = not has_responded, _load_id = {load}",
            "update raw.salesforce__opportunity_line_items set is_deleted = true, _load_id = {load} "
            "where line_item_id = '1'",
            # A price and a product were edited, and nothing else about the order.
            "update raw.shopify__orders set _load_id = {load}, lines = "
            '\'[{{"id": "gid://shopify/LineItem/1", "sku": "BOX", "title": "Box", '
            '"originalTotalSet": {{"shopMoney": {{"amount": "90.0"}}}}}}]\' where order_id = \'2\'',
            # The customer's other order loses its address, and with it the second order its person.
            "update raw.shopify__orders set email_key = null, _load_id = {load} where order_id = '1'",
        ],
        # A merge with a contact that was never loaded; a retracted event; an account moves; the deal is won.
        [
            "update raw.hubspot__contacts set merged_contact_ids = '9', _load_id = {load} where contact_id = '2'",
            "delete from raw.hubspot__contact_events where event_id = 'e1'",
            # The portal renames its stage, and closes the deals in it.
            'update raw.hubspot__pipelines set _load_id = {load}, stages = \'[{{"id": "s1", "label": "Signed", '
            '"metadata": {{"isClosed": "true", "probability": "1.0"}}}}]\'',
            "update raw.salesforce__campaigns set campaign_type = 'Email', _load_id = {load}",
            "update ops.loaded_days set load_id = {load} where stream = 'contact_events'",
            "update raw.salesforce__accounts set country = 'Brazil', _load_id = {load} where account_id = 'A1'",
            "update raw.salesforce__opportunities set is_closed = true, is_won = true, stage = 'Closed Won', "
            "close_date = '2026-01-07', amount = 150, _load_id = {load}",
        ],
        # A campaign gets the name of a waiting touch; another campaign's days are retracted.
        [
            "insert into raw.google_ads__campaigns (customer_id, campaign_id, campaign_name, _connection_id, _load_id, "
            "_fetched_at) values ('1', '12', 'Later', 'google_ads', {load}, '2026-01-07T03:00:00Z')",
            "delete from raw.google_ads__campaign_stats where campaign_id = '11'",
            "update ops.loaded_days set load_id = {load} where stream = 'campaign_stats'",
            "delete from raw.ga4__sessions where campaign_name = '12'",
            # A deal loses its lines: HubSpot keeps no associations of archived lines, and one moves to another deal.
            "update raw.hubspot__line_items set is_archived = true, deal_id = null, _load_id = {load} "
            "where line_item_id = '1'",
            "update raw.hubspot__line_items set deal_id = 'D2', _load_id = {load} where line_item_id = '2'",
            "update ops.loaded_days set load_id = {load} where stream = 'sessions'",
            "update raw.shopify__orders set email_key = 'ben', _load_id = {load} where order_id = '1'",
            # Days later a refund arrives, and another order is cancelled.
            'update raw.shopify__orders set _load_id = {load}, refunds = \'[{{"createdAt": "2026-01-06T00:00:00Z", '
            '"totalRefundedSet": {{"shopMoney": {{"amount": "30.0"}}}}}}]\' where order_id = \'3\'',
            "update raw.shopify__orders set cancelled_at = '2026-01-06', _load_id = {load} where order_id = '4'",
        ],
        # The two are separated again, the vanished one is back, and sales accepts the lead.
        [
            "update raw.hubspot__contacts set email_key = 'eve', _load_id = {load} where contact_id = '1'",
            "update raw.hubspot__contacts set is_archived = false, _load_id = {load} where contact_id = '3'",
            "update raw.hubspot__deals set contacts = '[]', _load_id = {load} where deal_id = 'D1'",
            "update raw.hubspot__calls set contacts = '[{{\"toObjectId\": 3}}]', _load_id = {load}",
            "insert into raw.hubspot__companies (company_id, updated_at, country, _connection_id, _load_id, "
            "_fetched_at) values ('7', '2026-01-06', 'Japan', 'hubspot', {load}, '2026-01-07T03:00:00Z')",
            "insert into raw.salesforce__lead_history (history_id, modified_at, lead_id, field, new_value, created_at, "
            "_connection_id, _load_id, _fetched_at) values ('H1', '2026-01-06', 'L1', 'Status', "
            "'Working - Contacted', '2026-01-06', 'salesforce', {load}, '2026-01-07T03:00:00Z')",
        ],
    ):
        ((load_id,),) = rows("select max(load_id) + 1 from ops.loads")
        with psycopg.connect(settings.dsn("admin")) as admin:
            for change in changes:
                admin.execute(change.format(load=load_id).encode())
        write("salesforce__users")
        built = dbt_run.build()
        assert not built.is_full
        publish_build(built.build_id)
    assert sorted(rows("select n_records_merged from marts.dim_people")) == [(1,), (1,), (2,), (2,)]
    assert rows("select sum(sessions) from marts.fct_funnel_daily") == [(5,)]
    assert rows(
        "select opportunity_id, stage, probability, is_won, lead_key is not null from marts.fct_opportunities "
        "where source_system = 'hubspot' order by 1"
    ) == [("D1", "Signed", 1, True, False), ("D2", "Signed", 1, True, True)]
    assert rows(
        "select product_id, amount from marts.fct_opportunity_lines left join marts.dim_products using (product_key) "
        "order by 2"
    ) == [("Training", 20), (None, 60)]
    assert rows("select channel from marts.fct_touchpoints where touch_type = 'campaign_response'") == [("Email",)]
    assert rows(
        "select product_name, count(*) from marts.fct_orders join marts.dim_products using (product_key) "
        "group by 1 order by 1"
    ) == [("Box", 1), ("Kit", 3)]
    called = "first_response_at = '2026-01-05 20:00+00'"
    assert rows(f"select person_key from marts.fct_leads where {called}") == [("k3",)]
    # The session's campaign was never described: it belongs where its spend is, whatever its tags alone say.
    assert rows("select channel from marts.fct_web_sessions_daily") == [("Paid Other",)]
    assert rows("select order_id, net_amount, is_counted from marts.fct_orders order by 1") == [
        ("1", 100, True),
        ("2", 90, True),
        ("3", 70, True),
        ("4", 100, False),
    ]
    assert rows("select count(*) from marts.fct_orders where opportunity_key is not null") == [(1,)]
    assert_as_of_a_full_build()


# --- what only looks at a build shares one ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A build of a single day of Google Ads."""
    with (
        pytest.MonkeyPatch.context() as patch,
        fresh_warehouse(cluster_home, patch, tmp_path_factory.mktemp("built")) as dsn,
    ):
        writer(dsn)("google_ads__campaign_stats", STATS)
        dbt_run.build()
        yield


def test_one_source_alone_can_be_built(built: None) -> None:
    """The other sides of the funnel are null, not 0: they are not connected."""
    ((spend, impressions, leads, won_amount),) = rows(
        "select spend is not null, impressions, leads, won_amount from marts.fct_funnel_daily"
    )
    assert (spend, impressions, leads, won_amount) == (True, 1000, None, None)


def test_the_unit_tests_of_the_project_pass(built: None) -> None:
    outcome = dbt_run._invoke(dbt_run.PROJECT, "test", "--select", "test_type:unit")
    failed = {result.node.name: result.message for result in outcome.result.results if str(result.status) != "pass"}
    assert failed == {}
    assert len(outcome.result.results) >= 25


def test_a_view_whose_rows_share_a_key_is_reported_by_name(built: None) -> None:
    wanted = ("test", "--select", "assert_loaded_rows_have_their_keys")
    assert dbt_run._invoke(dbt_run.PROJECT, *wanted).success
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute("alter table raw.google_ads__campaign_stats drop constraint google_ads__campaign_stats_pkey")
        admin.execute("insert into raw.google_ads__campaign_stats select * from raw.google_ads__campaign_stats")
        try:
            (result,) = dbt_run._invoke(dbt_run.PROJECT, *wanted).result.results
            ((view, key, n_rows),) = admin.execute(result.node.compiled_code.encode()).fetchall()
        finally:
            admin.execute(
                "delete from raw.google_ads__campaign_stats where ctid <> "
                "(select min(ctid) from raw.google_ads__campaign_stats)"
            )
    assert (str(result.status), result.failures) == ("fail", 1)
    assert (view, key["date_day"], n_rows) == ("stg_google_ads__campaign_stats", "2026-01-05", 2)


def test_the_documentation_is_one_file(built: None) -> None:
    page = dbt_run.docs()
    assert page.name == "static_index.html"
    assert "rpt_restatement" in page.read_text()


# --- what follows a publication shares one ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(
    cluster_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Two days of Google Ads and a contact, published; yields a copy of the project and a function that restores the
    rows.
    """
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, folder) as dsn:
        write = writer(dsn)
        write("google_ads__campaign_stats", STATS, STATS | {"date": "2026-01-03"})
        write("hubspot__contacts", CONTACT | {"utm_source": "fair", "utm_medium": "booth"})
        copy = fresh_project(folder / "dbt_project")
        publish_build(dbt_run.build(project_dir=copy).build_id)
        with template("published") as restore:
            yield copy, restore


def fresh_project(folder: Path) -> Path:
    """The project at this path, unchanged except for one rate."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(dbt_run.PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs"))
    set_rates(folder, "2026-01-01,EUR,1.10")
    return folder


@pytest.fixture
def copied(published: tuple[Path, Callable[[], None]]) -> Path:
    """The published warehouse restored, and a copy of the project whose files a test may change."""
    folder, restore = published
    restore()
    return fresh_project(folder)


def insert(table: str, *lines: dict[str, Any]) -> None:
    """Raw rows of the load after the two published ones."""
    writer(settings.dsn("admin"))(table, *lines, load_id=3)


def test_a_source_that_is_connected_later_says_0_of_the_days_before(copied: Path) -> None:
    """The first build after that is a full one automatically."""
    sessions = "select date_day::text, sum(sessions) from marts.fct_funnel_daily group by 1 order by 1"
    assert rows(sessions) == [("2026-01-03", None), ("2026-01-05", None)]
    key = {
        "session_source": "google",
        "session_medium": "cpc",
        "campaign_id": "12",
        "campaign_name": "Later",
        "country_id": "DE",
    }
    insert("ga4__sessions", key | {"date": "2026-01-05", "property_id": "9", "channel_group": "Direct", "sessions": 5})
    assert dbt_run.build(project_dir=copied).is_full
    assert rows(sessions) == [("2026-01-03", 0), ("2026-01-05", 5)]


def test_a_currency_without_a_rate_leaves_the_amount_empty(copied: Path) -> None:
    set_rates(copied, "2026-01-04,EUR,1.10")
    dbt_run.build(project_dir=copied)
    assert rows("select spend_local, spend from marts.fct_ad_stats_daily order by date_day") == [
        (Decimal(100), None),
        (Decimal(100), Decimal(110)),
    ]


def test_a_new_rate_reaches_the_days_it_changes_without_a_full_build(copied: Path) -> None:
    set_rates(copied, "2026-01-01,EUR,1.10", "2026-01-04,EUR,1.20")
    built = dbt_run.build(project_dir=copied)
    assert not built.is_full
    assert rows("select date_day, spend from marts.fct_ad_stats_daily order by 1") == [
        (date(2026, 1, 3), Decimal(110)),
        (date(2026, 1, 5), Decimal(120)),
    ]


def test_removed_rows_leave_the_marts_with_the_next_build(copied: Path) -> None:
    """Removed rows leave nothing behind by which an incremental build could find what to remove."""
    source = SOURCES["google_ads"]
    stream = source.stream("campaign_stats")
    day = psycopg.sql.SQL("stored.date = '2026-01-03'")
    with warehouse.connect("loader") as connection:
        assert removals.count_rows(connection, source, stream, "google_ads") == 2
        assert removals.count_rows(connection, source, stream, "another") == 0
        assert removals.remove_rows(connection, source, stream, "google_ads", "test", day) == 1
        contacts = SOURCES["hubspot"].stream("contacts")
        assert removals.remove_rows(connection, SOURCES["hubspot"], contacts, "hubspot", "test") == 1
    assert rows("select source, stream, reason, rows_removed from ops.removals order by removal_id") == [
        ("google_ads", "campaign_stats", "test", 1),
        ("hubspot", "contacts", "test", 1),
    ]
    assert ledger.has_unpublished_loads()
    built = dbt_run.build(project_dir=copied)
    assert built.is_full
    assert rows("select date_day from marts.fct_ad_stats_daily") == [(date(2026, 1, 5),)]
    assert rows("select count(*) from marts.fct_leads") == [(0,)]
    publish_build(built.build_id)
    assert not dbt_run.build(project_dir=copied).is_full


def test_a_changed_rule_rebuilds_everything(copied: Path) -> None:
    assert rows("select channel from marts.fct_leads") == [("Unknown",)]
    with (copied / "seeds/channel_rules.csv").open("a") as seed:
        seed.write("1,utm,^fair$,,,Events\n")
    built = dbt_run.build(project_dir=copied)
    assert built.is_full
    assert rows("select channel from marts.fct_leads") == [("Events",)]


def test_a_failed_test_names_itself_its_rows_and_what_to_do(copied: Path) -> None:
    (copied / "tests/reconciliation/assert_nobody_is_known.sql").write_text(
        "select person_key from {{ ref('dim_people') }}\n"
    )
    with pytest.raises(errors.BuildFailed) as failure:
        dbt_run.build(project_dir=copied)
    message = str(failure.value)
    assert "assert_nobody_is_known failed on 1 rows" in message
    assert '{"person_key": "k1"}' in message
    assert "What to do:" in message
    assert statuses() == ["published", "failed"]


def test_a_day_that_a_scope_forgets_is_found(copied: Path) -> None:
    """A daily build compares the days that the facts changed, not only those that the funnel computed again."""
    model = copied / "models/marts/fct_funnel_daily.sql"
    block = (
        "select unnest(array[created_date, mql_date, sal_date, sql_date]) from {{ changes('fct_leads') }}\nunion all\n"
    )
    assert block in model.read_text()
    model.write_text(model.read_text().replace(block, ""))
    publish_build(dbt_run.build(project_dir=copied).build_id)
    insert("hubspot__contacts", CONTACT | {"contact_id": "2", "email_key": "ben", "_record_key": "k2"})
    with pytest.raises(errors.BuildFailed) as failure:
        dbt_run.build(project_dir=copied)
    message = str(failure.value)
    assert "assert_funnel_counts_reconcile failed on 1 rows" in message
    assert '"date_day": "2026-01-05", "measure": "leads", "counted": "2", "shown": "1"' in message
    assert "assert_bridge_matches_both_clocks failed on 1 rows" in message


def test_a_broken_model_names_itself_and_the_error(copied: Path) -> None:
    model = copied / "models/marts/dim_channels.sql"
    model.write_text(model.read_text().replace("owner_team", "owner_tea"))
    with pytest.raises(errors.BuildFailed, match=r"Model dim_channels could not be built: .*owner_tea"):
        dbt_run.build(project_dir=copied)


def test_an_unreadable_project_says_which_file(copied: Path) -> None:
    (copied / "models/marts/fct_leads.yml").write_text("models: [{name: fct_leads")
    with pytest.raises(errors.BuildFailed, match=r"fct_leads\.yml"):
        dbt_run.build(project_dir=copied)


def test_what_a_failed_build_left_is_repaired_by_the_next(copied: Path) -> None:
    """The failed build already updated the first tables; the next one must still treat their rows as changed."""
    insert("hubspot__contacts", CONTACT | {"contact_id": "2", "email_key": "ben", "_record_key": "k2"})
    test = copied / "tests/reconciliation/assert_something.sql"
    test.write_text("-- depends_on: {{ ref('int_person_events') }}\nselect 1 as found\n")
    with pytest.raises(errors.BuildFailed):
        dbt_run.build(project_dir=copied)
    test.unlink()
    assert rows("select count(*) from marts.fct_leads") in ([(1,)], [(2,)])
    built = dbt_run.build(project_dir=copied)
    assert not built.is_full
    assert rows("select person_key from marts.fct_leads order by 1") == [("k1",), ("k2",)]
    publish_build(built.build_id)
    assert rows("select person_key from bi.fct_leads order by 1") == [("k1",), ("k2",)]
