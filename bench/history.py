"""A simulated company of any size, for benchmarks: history written straight into `raw`, and the days after it.

The history is a function of its size alone. Every row is computed from its number, so that a benchmark can predict the
next lead, touch or opportunity; the days after it go through landing and loading, like vendors' responses.
"""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import psycopg

from bench.mornings import CUSTOMER, EPOCH, LAST_DAY, RESTATED_DAYS, Size, number_of
from funnel import ledger, settings
from funnel.build import dbt_run
from funnel.contract import Connection, Stream, Window
from funnel.gate import deliveries, marts, report
from funnel.ingest import completeness, landing, load
from funnel.publication import publication
from funnel.sources import SOURCES

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

-- Where people first came from.
create temporary table origins (place, analytics_source, utm_source, utm_medium) as
values
(0, 'PAID_SEARCH', 'google', 'cpc'), (1, 'PAID_SOCIAL', 'facebook', 'paid_social'), (2, 'ORGANIC_SEARCH', null, null),
(3, 'EMAIL_MARKETING', 'newsletter', 'email'), (4, 'DIRECT_TRAFFIC', null, null), (5, 'REFERRALS', 'blog', 'referral');

insert into raw.hubspot__contacts (
    contact_id, updated_at, is_archived, email_key, email_domain, created_at, last_modified_at, lifecycle_stage,
    analytics_source, utm_source, utm_medium, utm_campaign, utm_id, company_id, lifecycle_stage_history,
    _record_key, _connection_id, _load_id, _fetched_at
)
select
    number::text, created_at + interval '2 days', false, email_key, 'd' || number % 5000 || '.example', created_at,
    created_at + interval '2 days', case when number % 5 < 2 then 'marketingqualifiedlead' else 'lead' end,
    origins.analytics_source, origins.utm_source, origins.utm_medium, 'c',
    case when origins.place = 0 then (number % {campaigns} + 1)::text end, (number % 20000)::text,
    case when number % 5 < 2 then jsonb_build_array(
        jsonb_build_object('value', 'marketingqualifiedlead', 'timestamp', created_at + interval '1 day', 'sourceType', 'AUTOMATION'),
        jsonb_build_object('value', 'lead', 'timestamp', created_at, 'sourceType', 'FORM')
    ) else jsonb_build_array(jsonb_build_object('value', 'lead', 'timestamp', created_at, 'sourceType', 'FORM')) end,
    md5('hubspot ' || number), 'hubspot', 2, '{first_day}'
from leads
inner join origins on leads.number % 6 = origins.place;

insert into raw.hubspot__contact_events (
    event_id, occurred_on, occurred_at, event_type, contact_id, utm_source, utm_medium, utm_id, _connection_id, _load_id,
    _fetched_at
)
select
    'e' || number || '.' || nth, occurred_at::date, occurred_at,
    (array['e_clicked_link_in_email_v2', 'pe4242_ad_landing_visit', 'pe4242_webinar_attended', 'e_replied_email_v2'])[kind + 1],
    number::text, case when kind = 1 then 'google' end, case when kind = 1 then 'cpc' end,
    case when kind = 1 then ((number + nth) % {campaigns} + 1)::text end, 'hubspot', 3, '{first_day}'
from (
    select leads.number, nth, (number + nth) % 4 as kind, created_at + interval '3 hours' + nth * interval '61 hours' as occurred_at
    from leads cross join generate_series(0, {most_events} - 1) as nth
    where (number * 7 + nth) % 100 < {event_share} and created_at + nth * interval '61 hours' < '{last_moment}'
) as happened;

insert into raw.hubspot__companies (
    company_id, updated_at, is_archived, company_name, domain, country, created_at, _connection_id, _load_id, _fetched_at
)
select number::text, '{first_day}', false, 'Company ' || number, 'company' || number || '.example', {country}, '{first_day}',
    'hubspot', 4, '{first_day}'
from generate_series(0, 19999) as number;

insert into raw.salesforce__leads (
    lead_id, modified_at, is_deleted, created_at, email_key, email_domain, status, lead_source, owner_id, country,
    is_converted, _record_key, _connection_id, _load_id, _fetched_at
)
select
    'L' || number, created_at + interval '2 days', false, created_at + interval '25 hours', email_key,
    'd' || number % 5000 || '.example', case when number % {every} = 0 then 'Closed - Converted' else 'Working - Contacted' end,
    'Web', 'U' || number % 40, 'Germany', number % {every} = 0, md5('salesforce ' || number), 'salesforce', 5, '{first_day}'
from leads where number % 5 < 2;

insert into raw.salesforce__lead_history (
    history_id, modified_at, is_deleted, lead_id, field, old_value, new_value, created_at, _connection_id, _load_id, _fetched_at
)
select
    'H' || number || '.' || nth, entered_at, false, 'L' || number, 'Status',
    case nth when 0 then 'Open - Not Contacted' else 'Working - Contacted' end,
    case nth when 0 then 'Working - Contacted' else 'Closed - Not Converted' end, entered_at, 'salesforce', 6, '{first_day}'
from (
    select *, created_at + (27 + nth * 200) * interval '1 hour' as entered_at
    from leads cross join generate_series(0, 1) as nth
    where number % 5 < 2 and (nth = 0 or number % 5 = 1)
) as entered
where entered_at < '{last_moment}';

insert into raw.salesforce__contacts (
    contact_id, modified_at, is_deleted, created_at, email_key, email_domain, account_id, _record_key, _connection_id,
    _load_id, _fetched_at
)
select
    'C' || number, created_at + interval '2 days', false, created_at + interval '2 days', email_key,
    'd' || number % 5000 || '.example', 'A' || number % 10000, md5('contact ' || number), 'salesforce', 7, '{first_day}'
from leads where number % {every} = 0;

insert into raw.salesforce__accounts (
    account_id, modified_at, is_deleted, created_at, account_name, industry, country, _connection_id, _load_id, _fetched_at
)
select 'A' || number, '{first_day}', false, '{first_day}', 'Account ' || number, 'Software', {country}, 'salesforce', 8, '{first_day}'
from generate_series(0, 9999) as number;

create temporary table opportunities as
select
    number, created_at + interval '2 days' as created_at, number / {every} % 5 < 4 as is_closed, number / {every} % 5 = 0 as is_won,
    created_at + interval '2 days' + (10 + number / {every} % 60) * interval '1 day' as closes_at
from leads where number % {every} = 0;

insert into raw.salesforce__opportunities (
    opportunity_id, modified_at, is_deleted, created_at, account_id, opportunity_type, stage, is_closed, is_won, close_date,
    amount, currency_code, list_amount, probability, owner_id, primary_contact_id, _connection_id, _load_id, _fetched_at
)
select
    'O' || number, least(closes_at, '{last_moment}'), false, created_at, 'A' || number % 10000,
    case when number / {every} % 10 = 9 then 'Renewal' else 'New Business' end,
    case when not closed then 'Proposal' when is_won then 'Closed Won' else 'Closed Lost' end, closed, closed and is_won,
    closes_at::date, number % 900 + 100, (array['EUR', 'USD', 'GBP'])[number / {every} % 3 + 1], number % 900 + 150,
    case when not closed then 50 when is_won then 100 else 0 end, 'U' || number % 40, 'C' || number,
    'salesforce', 9, '{first_day}'
from (select *, is_closed and closes_at < '{last_moment}' as closed from opportunities) as known;

insert into raw.salesforce__opportunity_history (
    history_id, modified_at, is_deleted, opportunity_id, stage, amount, close_date, created_at, _connection_id, _load_id,
    _fetched_at
)
select
    'OH' || number || '.' || nth, entered_at, false, 'O' || number,
    case nth when 0 then 'Qualification' when 1 then 'Proposal' else case when is_won then 'Closed Won' else 'Closed Lost' end end,
    number % 900 + 100, closes_at::date, entered_at, 'salesforce', 11, '{first_day}'
from (
    select *, case nth when 0 then created_at when 1 then created_at + interval '5 days' else closes_at end as entered_at
    from opportunities cross join generate_series(0, 2) as nth
    where nth < 2 or is_closed
) as entered
where entered_at < '{last_moment}';

insert into raw.salesforce__tasks (
    task_id, modified_at, is_deleted, who_id, owner_id, task_subtype, status, is_closed, completed_at, created_at,
    _connection_id, _load_id, _fetched_at
)
select
    'T' || number, created_at + interval '50 hours', false, case when number % {every} = 0 then 'C' else 'L' end || number,
    'U' || number % 40, 'Call', 'Completed', true, created_at + interval '50 hours', created_at + interval '26 hours',
    'salesforce', 12, '{first_day}'
from leads where number % 5 < 2 and number % 3 < 2;

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


def write_history(size: Size) -> None:
    """Fill `raw` with `size.days` days that end with LAST_DAY."""
    load.create_tables()
    first = number_of(LAST_DAY) - size.days + 1
    # Every new person is a touch; the other touches are events, at most `most_events` per person, of which a share
    # happens.
    events = size.touches - 1
    most_events = max(1, math.ceil(events))
    statement = HISTORY.format(
        customer=CUSTOMER,
        campaigns=size.campaigns,
        leads=size.leads,
        every=size.leads_per_opportunity,
        most_events=most_events,
        event_share=round(100 * events / most_events),
        country="(array['Germany', 'France', 'United States', 'Brazil', 'Japan', 'United Kingdom', 'India'])[number % 7 + 1]",
        epoch=EPOCH,
        last_moment=LAST_DAY + timedelta(days=1),
        first=first,
        last=number_of(LAST_DAY),
        first_day=EPOCH + timedelta(days=first),
    )
    with psycopg.connect(settings.dsn("admin")) as admin:
        admin.execute("set time zone 'UTC'")
        admin.execute(statement.encode())
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute("vacuum analyze")


def run_day(day: date, bodies: dict[tuple[str, str], list[bytes]]) -> dict[str, float]:
    """Load, build, audit and publish one day; returns the seconds of each part."""
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
            report.require(deliveries.check_raw(source_name, run_id))
            completeness.complete(SOURCES[source_name], run_id)
    with _timed(seconds, "build"):
        built = dbt_run.build()
    if built.is_full:
        raise SystemExit("The daily build was a full one; the benchmark would measure the wrong thing.")
    with _timed(seconds, "audit"):
        report.require(marts.check_marts(built.build_id))
    with _timed(seconds, "publish"):
        publication.publish(built.build_id)
    return seconds


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - started


def prepare(name: str, size: Size) -> dict[str, float]:
    """A warehouse of its own with that history, published once; returns the seconds of each part."""
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    use(name)
    ledger.migrate()
    seconds: dict[str, float] = {}
    with _timed(seconds, "history"):
        write_history(size)
    with _timed(seconds, "build"):
        built = dbt_run.build()
    with _timed(seconds, "audit"):
        report.require(marts.check_marts(built.build_id))
    with _timed(seconds, "publish"):
        publication.publish(built.build_id)
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute("vacuum analyze")
    return seconds


def use(name: str) -> None:
    """Make this process use the warehouse of this name."""
    os.environ["WAREHOUSE_DATABASE"] = name
