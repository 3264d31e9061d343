"""Builds: full and incremental ones give the same rows, and failures say what to do."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from funnel import ledger, settings
from funnel.build import dbt_run
from tests.conftest import fresh_warehouse

from .builds import CONTACT, STATS, assert_as_of_a_full_build, publish_build
from .conftest import Write, rows, writer


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
