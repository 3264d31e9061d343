"""What one day costs as history grows: load, build, audit and publish with 3 years of history against 60 days.

`make bench-daily` makes two warehouses on a throw-away server, one with 60 days and one with 3 years of the same made-up
company (by default 2,000 campaigns and 500 leads a day), publishes each once, then brings the same few days to both
and prints what each part took. A day re-reads 30 days of ad statistics, of which 3 % changed; brings its new leads,
changes of older ones, opportunities won and lost. The first day warms caches and the dbt manifest up and is not counted:
start-up is left out. The history is written straight into `raw`; the days go through landing and loading. Between the
full build and the first day both are vacuumed, as the server does by itself in the hours that really lie between them.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import psycopg

from bench.cluster import throw_away_warehouse
from funnel import config, landing, ledger, load, publish, quality, transform
from funnel.contract import Connection, Stream, Window
from funnel.sources import SOURCES

# Three years before it, the seed of currency rates begins.
LAST_DAY = date(2026, 12, 31)
CUSTOMER = "1234567890"
RESTATED_DAYS = 30

HISTORY = """
insert into raw.google_ads__campaigns (
    customer_id, campaign_id, time_zone, campaign_name, status, advertising_channel_type, _connection_id, _load_id, _fetched_at
)
select '{customer}', campaign::text, 'UTC', 'Campaign ' || campaign, 'ENABLED', 'SEARCH', 'google_ads', 1, '{first_day}'
from generate_series(1, {campaigns}) as campaign;

insert into raw.google_ads__campaign_stats (
    date, customer_id, currency_code, campaign_id, impressions, clicks, cost_micros, conversions, conversions_value,
    _connection_id, _load_id, _fetched_at
)
select
    '{epoch}'::date + day, '{customer}', 'EUR', campaign::text,
    (campaign * 7 + day * 13) % 1000 + 1, (campaign + day) % 50, ((campaign * 31 + day * 17) % 5000 + 1) * 10000,
    (campaign + day) % 7 * 0.5, (campaign + day) % 7 * 12.5, 'google_ads', 1, '{first_day}'
from generate_series({first}, {last}) as day
cross join generate_series(1, {campaigns}) as campaign;

create temporary table leads as
select
    number,
    '{epoch}'::timestamptz + number / {leads} * interval '1 day' + number * 7919 % 80000 * interval '1 second' as created_at,
    md5('address ' || number) as email_key
from generate_series({first}::bigint * {leads}, ({last}::bigint + 1) * {leads} - 1) as number;

insert into raw.hubspot__contacts (
    contact_id, updated_at, is_archived, email_key, email_domain, created_at, last_modified_at, lifecycle_stage,
    analytics_source, utm_source, utm_medium, utm_campaign, utm_id, company_id, lifecycle_stage_history,
    _record_key, _connection_id, _load_id, _fetched_at
)
select
    number::text, created_at + interval '2 days', false, email_key, 'd' || number % 5000 || '.example', created_at,
    created_at + interval '2 days', case when number % 5 < 2 then 'marketingqualifiedlead' else 'lead' end,
    'PAID_SEARCH', 'google', 'cpc', 'c', (number % {campaigns} + 1)::text, (number % 20000)::text,
    case when number % 5 < 2 then jsonb_build_array(
        jsonb_build_object('value', 'marketingqualifiedlead', 'timestamp', created_at + interval '1 day', 'sourceType', 'AUTOMATION'),
        jsonb_build_object('value', 'lead', 'timestamp', created_at, 'sourceType', 'FORM')
    ) else jsonb_build_array(jsonb_build_object('value', 'lead', 'timestamp', created_at, 'sourceType', 'FORM')) end,
    md5('hubspot ' || number), 'hubspot', 2, '{first_day}'
from leads;

insert into raw.hubspot__contact_events (
    event_id, occurred_on, occurred_at, event_type, contact_id, _connection_id, _load_id, _fetched_at
)
select
    'e' || number, (created_at + interval '3 hours')::date, created_at + interval '3 hours', 'e_clicked_link_in_email_v2',
    number::text, 'hubspot', 3, '{first_day}'
from leads where number % 2 = 0;

insert into raw.hubspot__companies (
    company_id, updated_at, is_archived, company_name, domain, country, created_at, _connection_id, _load_id, _fetched_at
)
select number::text, '{first_day}', false, 'Company ' || number, 'company' || number || '.example', 'Germany', '{first_day}',
    'hubspot', 4, '{first_day}'
from generate_series(0, 19999) as number;

insert into raw.salesforce__leads (
    lead_id, modified_at, is_deleted, created_at, email_key, email_domain, status, lead_source, owner_id, country,
    is_converted, _record_key, _connection_id, _load_id, _fetched_at
)
select
    'L' || number, created_at + interval '2 days', false, created_at + interval '25 hours', email_key,
    'd' || number % 5000 || '.example', case when number % 20 = 0 then 'Closed - Converted' else 'Working - Contacted' end,
    'Web', 'U' || number % 40, 'Germany', number % 20 = 0, md5('salesforce ' || number), 'salesforce', 5, '{first_day}'
from leads where number % 5 < 2;

insert into raw.salesforce__lead_history (
    history_id, modified_at, is_deleted, lead_id, field, old_value, new_value, created_at, _connection_id, _load_id, _fetched_at
)
select
    'H' || number, created_at + interval '27 hours', false, 'L' || number, 'Status', 'Open - Not Contacted',
    'Working - Contacted', created_at + interval '27 hours', 'salesforce', 6, '{first_day}'
from leads where number % 5 < 2;

insert into raw.salesforce__contacts (
    contact_id, modified_at, is_deleted, created_at, email_key, email_domain, account_id, _record_key, _connection_id,
    _load_id, _fetched_at
)
select
    'C' || number, created_at + interval '2 days', false, created_at + interval '2 days', email_key,
    'd' || number % 5000 || '.example', 'A' || number % 10000, md5('contact ' || number), 'salesforce', 7, '{first_day}'
from leads where number % 20 = 0;

insert into raw.salesforce__accounts (
    account_id, modified_at, is_deleted, created_at, account_name, industry, country, _connection_id, _load_id, _fetched_at
)
select 'A' || number, '{first_day}', false, '{first_day}', 'Account ' || number, 'Software', 'France', 'salesforce', 8, '{first_day}'
from generate_series(0, 9999) as number;

insert into raw.salesforce__opportunities (
    opportunity_id, modified_at, is_deleted, created_at, account_id, opportunity_type, stage, is_closed, is_won, close_date,
    amount, currency_code, list_amount, probability, owner_id, primary_contact_id, _connection_id, _load_id, _fetched_at
)
select
    'O' || number, created_at + interval '20 days', false, created_at + interval '2 days', 'A' || number % 10000, 'New Business',
    case when number % 60 = 0 then 'Closed Won' when number % 60 = 20 then 'Closed Lost' else 'Proposal' end,
    number % 60 < 40, number % 60 = 0, (created_at + interval '20 days')::date, number % 900 + 100, 'EUR', number % 900 + 150,
    case when number % 60 = 0 then 100 when number % 60 = 20 then 0 else 50 end, 'U' || number % 40, 'C' || number,
    'salesforce', 9, '{first_day}'
from leads where number % 20 = 0;

insert into raw.salesforce__users (user_id, modified_at, user_name, is_active, team, region, _connection_id, _load_id, _fetched_at)
select 'U' || number, '{first_day}', 'Rep ' || number, true, 'Sales', 'EMEA', 'salesforce', 10, '{first_day}'
from generate_series(0, 39) as number;

insert into ops.loads (
    source, connection_id, stream, window_from, window_to, rows_read, rows_loaded, rows_quarantined, rows_retracted,
    rows_superseded, rows_duplicated, bytes, fetched_at, started_at, finished_at, run_id, landing, code_version
)
select
    split_part(tablename, '__', 1), split_part(tablename, '__', 1), split_part(tablename, '__', 2),
    '{epoch}'::date + {first}, '{epoch}'::date + {last} + 1, 0, 0, 0, 0, 0, 0, 0, '{first_day}', now(), now(), 'history',
    'history/' || tablename, 'bench'
from pg_tables where schemaname = 'raw' and tablename like '%\\_\\_%';

insert into ops.sources (source, connection_id, restatement_days, first_day, last_day_complete)
select distinct source, source, 30, window_from, window_to - 1 from ops.loads;
"""

EPOCH = date(2020, 1, 1)


def number_of(day: date) -> int:
    return (day - EPOCH).days


def write_history(days: int, campaigns: int, leads: int) -> None:
    """Fill `raw` with `days` days that end with LAST_DAY."""
    load.create_tables()
    first = number_of(LAST_DAY) - days + 1
    statement = HISTORY.format(
        customer=CUSTOMER,
        campaigns=campaigns,
        leads=leads,
        epoch=EPOCH,
        first=first,
        last=number_of(LAST_DAY),
        first_day=EPOCH + timedelta(days=first),
    )
    with psycopg.connect(config.dsn("admin")) as admin:
        admin.execute("set time zone 'UTC'")
        admin.execute(statement.encode())
    with psycopg.connect(config.dsn("admin"), autocommit=True) as admin:
        admin.execute("vacuum analyze")


def bodies_of(day: date, campaigns: int, leads: int) -> dict[tuple[str, str], list[bytes]]:
    """What the vendors answer the morning after `day`, for the streams that have something to say."""
    moment = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    stats = []
    for back in range(RESTATED_DAYS, -1, -1):
        stat_day = day - timedelta(days=back)
        number = number_of(stat_day)
        for campaign in range(1, campaigns + 1):
            restated = (campaign + number_of(day)) % 33 == 0
            stats.append(
                {
                    "customer": {"resourceName": f"customers/{CUSTOMER}", "id": CUSTOMER, "currencyCode": "EUR"},
                    "campaign": {"resourceName": f"customers/{CUSTOMER}/campaigns/{campaign}", "id": str(campaign)},
                    "metrics": {
                        "impressions": str((campaign * 7 + number * 13) % 1000 + 1),
                        "clicks": str((campaign + number) % 50),
                        "costMicros": str(
                            ((campaign * 31 + number * 17) % 5000 + 1) * 10000 + restated * number_of(day) * 100
                        ),
                        "conversions": (campaign + number) % 7 * 0.5,
                        "conversionsValue": (campaign + number) % 7 * 12.5,
                    },
                    "segments": {"date": str(stat_day)},
                }
            )
    first = number_of(day) * leads
    new = range(first, first + leads)
    qualified = [number for number in range(first - leads * 2, first - leads) if number % 5 < 2]
    closed = [number for number in range(first - leads * 19, first - leads * 18) if number % 20 == 0]

    def stamp(hours: float) -> str:
        return (moment + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    contacts = [
        {
            "id": str(number),
            "updatedAt": stamp(1),
            "archived": False,
            "properties": {
                "email": f"p{number}@d{number % 5000}.example",
                "createdate": stamp(0),
                "lastmodifieddate": stamp(1),
                "lifecyclestage": "lead",
                "hs_analytics_source": "PAID_SEARCH",
                "utm_source": "google",
                "utm_medium": "cpc",
                "utm_campaign": "c",
                "utm_id": str(number % campaigns + 1),
                "associatedcompanyid": str(number % 20000),
            },
            "propertiesWithHistory": {
                "lifecyclestage": [{"value": "lead", "timestamp": stamp(0), "sourceType": "FORM"}]
            },
        }
        for number in new
    ]
    events = [
        {
            "id": f"e{number}",
            "occurredAt": stamp(3),
            "eventType": "e_clicked_link_in_email_v2",
            "objectType": "CONTACT",
            "objectId": str(number),
        }
        for number in new
        if number % 2 == 0
    ]
    changed_leads = [
        {
            "Id": f"L{number}",
            "SystemModstamp": stamp(2),
            "IsDeleted": False,
            "CreatedDate": stamp(1),
            "Email": f"q{number}@d{number % 5000}.example",
            "Status": "Working - Contacted",
            "LeadSource": "Web",
            "OwnerId": f"U{number % 40}",
            "Country": "Germany",
            "IsConverted": False,
        }
        for number in qualified
    ]
    history = [
        {
            "Id": f"HX{number}",
            "CreatedDate": stamp(3),
            "IsDeleted": False,
            "LeadId": f"L{number}",
            "Field": "Status",
            "OldValue": "Open - Not Contacted",
            "NewValue": "Working - Contacted",
        }
        for number in qualified
    ]
    opportunities = [
        {
            "Id": f"O{number}",
            "SystemModstamp": stamp(4),
            "IsDeleted": False,
            "CreatedDate": stamp(-24 * 16),
            "AccountId": f"A{number % 10000}",
            "Type": "New Business",
            "StageName": "Closed Won",
            "IsClosed": True,
            "IsWon": True,
            "CloseDate": str(day),
            "Amount": number % 900 + 100,
            "CurrencyIsoCode": "EUR",
            "List_Amount__c": number % 900 + 150,
            "Probability": 100,
            "OwnerId": f"U{number % 40}",
            "ContactId": f"C{number}",
        }
        for number in closed
    ]
    return {
        ("google_ads", "campaign_stats"): [
            orjson.dumps({"results": stats[start : start + 10_000]}) for start in range(0, len(stats), 10_000)
        ],
        ("hubspot", "contacts"): [orjson.dumps({"results": contacts})],
        ("hubspot", "contact_events"): [orjson.dumps({"results": events})],
        ("salesforce", "leads"): [orjson.dumps({"records": changed_leads})],
        ("salesforce", "lead_history"): [orjson.dumps({"records": history})],
        ("salesforce", "opportunities"): [orjson.dumps({"records": opportunities})],
    }


def run_day(day: date, bodies: dict[tuple[str, str], list[bytes]]) -> dict[str, float]:
    """Load, build, audit and publish one day; seconds of each part."""
    seconds: dict[str, float] = {}
    fetched_at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(days=1)
    run_id = f"bench__{day}"
    with _timed(seconds, "load"):
        for source_name, stream_name in [
            (source.name, one.name) for source in SOURCES.values() for one in source.streams
        ]:
            source, pages = SOURCES[source_name], bodies.get((source_name, stream_name), [])

            def fetch(
                connection: Connection, stream: Stream, window: Window, pages: list[bytes] = pages
            ) -> Iterator[bytes]:
                yield from pages

            stream = source.stream(stream_name)
            reach = RESTATED_DAYS if stream.kind == "dated" and source_name == "google_ads" else 0
            window = Window(day - timedelta(days=reach), day + timedelta(days=1))
            read = landing.land(
                replace(source, fetch=fetch), Connection(source_name, ""), stream, window, run_id, fetched_at
            )
            result = load.load(read)
            if result.rows_quarantined:
                raise SystemExit(f"{stream_name}: {result.rows_quarantined} rows were quarantined.")
        for source_name in SOURCES:
            quality.require(quality.check_raw(source_name, run_id))
            ledger.complete(SOURCES[source_name], run_id)
    with _timed(seconds, "build"):
        built = transform.build()
    if built.is_full:
        raise SystemExit("The daily build was a full one; the benchmark would measure the wrong thing.")
    with _timed(seconds, "audit"):
        quality.require(quality.check_marts(built.build_id))
    with _timed(seconds, "publish"):
        publish.publish(built.build_id)
    return seconds


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - started


def prepare(name: str, days: int, campaigns: int, leads: int) -> None:
    """A warehouse of its own with `days` days of history, published once."""
    with psycopg.connect(config.dsn("admin"), autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    use(name)
    ledger.migrate()
    started = time.perf_counter()
    write_history(days, campaigns, leads)
    written = time.perf_counter()
    built = transform.build()
    quality.require(quality.check_marts(built.build_id))
    publish.publish(built.build_id)
    with psycopg.connect(config.dsn("admin"), autocommit=True) as admin:
        admin.execute("vacuum analyze")
    print(
        f"{days:5} days: history written in {written - started:.0f} s, "
        f"full build, audit and publication in {time.perf_counter() - written:.0f} s",
        flush=True,
    )


def use(name: str) -> None:
    os.environ["WAREHOUSE_DATABASE"] = name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", type=int, default=60, help="days of the short history")
    parser.add_argument("--long", type=int, default=1095, help="days of the long history")
    parser.add_argument("--campaigns", type=int, default=2_000)
    parser.add_argument("--leads", type=int, default=500, help="leads a day")
    parser.add_argument("--days", type=int, default=3, help="counted days, after one that warms up")
    chosen = parser.parse_args()
    histories = {"short": chosen.short, "long": chosen.long}
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in histories}
    with throw_away_warehouse():
        for name, days in histories.items():
            prepare(name, days, chosen.campaigns, chosen.leads)
        for offset in range(chosen.days + 1):
            day = LAST_DAY + timedelta(days=offset + 1)
            bodies = bodies_of(day, chosen.campaigns, chosen.leads)
            for name in histories:
                use(name)
                seconds = run_day(day, bodies)
                parts = ", ".join(f"{part} {value:.1f}" for part, value in seconds.items())
                print(
                    f"{name:5} {day}: {sum(seconds.values()):.1f} s ({parts}){' warm-up' if not offset else ''}",
                    flush=True,
                )
                if offset:
                    measured[name].append(seconds)
    medians = {name: statistics.median(sum(one.values()) for one in runs) for name, runs in measured.items()}
    ratio = medians["long"] / medians["short"]
    print(
        f"a day with {chosen.long} days of history {medians['long']:.1f} s, with {chosen.short} {medians['short']:.1f} s"
    )
    figures: dict[str, Any] = {"bench": "daily", "ratio": round(ratio, 3)}
    figures |= {f"{name}_seconds": round(value, 2) for name, value in medians.items()}
    for part in measured["long"][0]:
        figures[f"{part}_ratio"] = round(
            statistics.median(one[part] for one in measured["long"])
            / statistics.median(one[part] for one in measured["short"]),
            2,
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
