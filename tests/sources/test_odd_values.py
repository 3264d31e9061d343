"""Odd values of every source: what the database stores, what is recorded, what is quarantined."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.contract import raw_table
from funnel.ingest import arrow_rows, json_rows, load
from funnel.ingest.errors import LandingError
from funnel.sources import SOURCES
from tests.sources.odd_bodies import Sample, sample_of, struck_at
from tests.sources.test_fuzz import lines, read
from tests.vendors import Company

Outcome = Callable[[str, str, str], None]
# (source, stream, path in the record, raw column); `bulk` is Salesforce's CSV.
TEXTS = [
    ("google_ads", "campaigns", "campaign.name", "campaign_name"),
    ("meta_ads", "campaigns", "name", "campaign_name"),
    ("linkedin_ads", "campaigns", "name", "campaign_name"),
    ("microsoft_ads", "campaigns", "CampaignName", "campaign_name"),
    ("hubspot", "deals", "properties.closed_lost_reason", "lost_reason"),
    ("hubspot", "companies", "properties.name", "company_name"),
    ("salesforce", "accounts", "Name", "account_name"),
    ("salesforce bulk", "opportunities", "StageName", "stage"),
    ("shopify", "orders", "sourceName", "sales_channel"),
    # Part of the key, and free text nevertheless.
    ("ga4", "sessions", "dimensionValues.2.value", "session_source"),
]
AMOUNTS = [
    ("google_ads", "campaign_stats", "metrics.conversionsValue", "conversions_value"),
    ("meta_ads", "insights", "spend", "spend"),
    ("linkedin_ads", "campaign_stats", "costInLocalCurrency", "cost_in_local_currency"),
    ("microsoft_ads", "campaign_stats", "Spend", "spend"),
    ("hubspot", "deals", "properties.amount", "amount"),
    ("salesforce", "opportunities", "Amount", "amount"),
    ("salesforce bulk", "opportunities", "Amount", "amount"),
    ("shopify", "orders", "subtotalPriceSet.shopMoney.amount", "subtotal"),
    ("ga4", "sessions", "metricValues.3.value", "key_events"),
    ("exchange_rates", "rates", "OBS_VALUE", "units_per_euro"),
]
KEYS = [
    ("google_ads", "campaign_stats", "campaign.id", "campaign_id"),
    ("meta_ads", "insights", "campaign_id", "campaign_id"),
    ("linkedin_ads", "campaigns", "id", "campaign_id"),
    ("microsoft_ads", "campaign_stats", "CampaignId", "campaign_id"),
    ("hubspot", "deals", "id", "deal_id"),
    ("salesforce", "opportunities", "Id", "opportunity_id"),
    ("salesforce bulk", "opportunities", "Id", "opportunity_id"),
    ("shopify", "orders", "legacyResourceId", "order_id"),
    ("exchange_rates", "rates", "CURRENCY", "currency_code"),
]
# Ids and codes that a record may lack.
EMPTY = [
    ("meta_ads", "accounts", "currency", "currency_code"),
    ("linkedin_ads", "accounts", "currency", "currency_code"),
    ("hubspot", "deals", "properties.deal_currency_code", "currency_code"),
    ("hubspot", "deals", "properties.hs_primary_associated_company", "company_id"),
    ("hubspot", "line_items", "properties.hs_sku", "sku"),
    ("hubspot", "contacts", "properties.associatedcompanyid", "company_id"),
    ("salesforce", "opportunities", "AccountId", "account_id"),
    ("salesforce bulk", "opportunities", "AccountId", "account_id"),
    ("shopify", "orders", "customer.legacyResourceId", "customer_id"),
]


SAMPLES: dict[tuple[str, str], Sample] = {}


def of(company: Company, source: str, stream: str) -> Sample:
    """A sample of a stream, asked of the vendor once."""
    if (source, stream) not in SAMPLES:
        name, _, is_bulk = source.partition(" ")
        SAMPLES[source, stream] = sample_of(company, name, stream, in_bulk=bool(is_bulk))
    return SAMPLES[source, stream]


def loaded(sample: Sample, body: bytes, hour: int = 2) -> tuple[load.LoadResult, list[dict[str, Any]]]:
    """The load's result and the rows of raw, in the order in which they were sent."""
    result = load.load(read(sample, "odd", [body], hour))
    table = raw_table(SOURCES[sample.source], sample.stream)
    with psycopg.connect(settings.dsn("loader"), row_factory=psycopg.rows.dict_row) as connection:
        return result, connection.execute(f"select * from raw.{table} order by ctid".encode()).fetchall()


def quarantine() -> list[tuple[str, str]]:
    with psycopg.connect(settings.dsn("loader")) as connection:
        return connection.execute("select column_name, reason from ops.quarantine order by quarantine_id").fetchall()


@pytest.mark.parametrize(
    ("case", "token", "stored", "what"),
    [
        ("01 half an emoji, escaped", b'"Winter \\ud83d!"', "Winter \ufffd!", "half a letter replaced"),
        ("01 half an emoji, as bytes", b'"Winter \xff!"', "Winter \ufffd!", "half a letter replaced"),
        ("02 NUL", b'"x\\u0000y"', "xy", "NUL dropped"),
        ("02 NUL, raw", b'"x\x00y"', "xy", "NUL dropped"),
        ("02 literal \\u0000", b'"a\\\\u0000b"', "a\\u0000b", None),
    ],
)
@pytest.mark.parametrize(("source", "stream", "path", "column"), TEXTS)
def test_text_that_no_database_holds_is_repaired_and_noted(
    warehouse: str,
    company: Company,
    outcome: Outcome,
    source: str,
    stream: str,
    path: str,
    column: str,
    case: str,
    token: bytes,
    stored: str,
    what: str | None,
) -> None:
    sample = of(company, source, stream)
    result, rows = loaded(sample, struck_at(sample, path, token))
    assert (result.rows_loaded, result.rows_quarantined) == (len(sample.records), 0)
    assert [row[column] for row in rows].count(stored) == 1
    # The company has such names of its own.
    usual = lines(sample, [sample.body])[1].noted
    more = {(name, done): n - usual[name, done] for name, done, n in result.noted if n > usual[name, done]}
    assert more == ({(column, what): 1} if what else {})
    with psycopg.connect(settings.dsn("bi_reader")) as connection:
        noted = connection.execute("select column_name, what, values_found from ops.noted_values").fetchall()
    assert noted == list(result.noted)
    outcome(case, source, f"{stream}.{column}: {what or 'a text'}, {len(rows)} of {len(sample.records)} rows loaded")


@pytest.mark.parametrize(("source", "stream", "path", "column"), AMOUNTS)
@pytest.mark.parametrize("is_text", [False, True], ids=["number", "text"])
def test_amount_is_exact_and_a_huge_one_costs_its_row(
    warehouse: str, company: Company, outcome: Outcome, source: str, stream: str, path: str, column: str, is_text: bool
) -> None:
    sample = of(company, source, stream)
    amount = b"12345678901234567.89"
    written = b'"' + amount + b'"' if is_text else amount
    result, rows = loaded(sample, struck_at(sample, path, written))
    assert (result.rows_loaded, result.rows_quarantined) == (len(sample.records), 0)
    assert [row[column] for row in rows].count(Decimal(amount.decode())) == 1
    outcome("14 amounts of 19 digits", source, f"{stream}.{column} as {'text' if is_text else 'number'}: exact")
    for number, huge in enumerate((b"1e400000", b"-1e400000", b"1e-400000", b"7" * 200_000), start=3):
        odd = struck_at(sample, path, b'"' + huge + b'"' if is_text else huge)
        again = load.load(read(sample, "odd", [odd], number))
        assert (again.rows_loaded, again.rows_quarantined) == (len(sample.records) - 1, 1), huge[:10]
    assert quarantine() == [(column, "has more than 100 digits before or after the point")] * 4
    outcome("19 huge exponent", source, f"{stream}.{column}: 1 row quarantined, {again.rows_loaded} loaded")


@pytest.mark.parametrize(("source", "stream", "path", "column"), KEYS)
def test_an_invalid_key_costs_its_row(
    warehouse: str, company: Company, outcome: Outcome, source: str, stream: str, path: str, column: str
) -> None:
    sample = of(company, source, stream)
    odd = {
        b'"' + b"k" * 9_000 + b'"': "is longer than",
        b'"12\\u0000"': "holds half",
        b'""': "is required",
        b'" "': "is",
    }
    for number, token in enumerate(odd, start=2):
        result = load.load(read(sample, "odd", [struck_at(sample, path, token)], number))
        assert (result.rows_loaded, result.rows_quarantined) == (len(sample.records) - 1, 1), token[:10]
    found = quarantine()
    assert [name for name, _ in found] == [column] * len(odd)
    assert all(reason.startswith(start) for (_, reason), start in zip(found, odd.values(), strict=True))
    outcome("13 key of 9,000 letters", source, f"{stream}.{column}: 1 row quarantined, {result.rows_loaded} loaded")


def test_long_texts_of_a_key_are_kept_and_found_again(warehouse: str, company: Company, outcome: Outcome) -> None:
    sample = of(company, "ga4", "sessions")
    texts = [b'"' + b"iK2Z" * 800 + b'"', b'"' + "中".encode() * 300 + b'"']
    bodies = [struck_at(sample, "dimensionValues.5.value", text, place) for place, text in enumerate(texts)]
    result = load.load(read(sample, "odd", bodies[:1], 2))
    assert result.rows_loaded == len(sample.records)
    again = load.load(read(sample, "odd", bodies[:1], 3))
    assert (again.rows_loaded, again.rows_retracted) == (len(sample.records), 0)
    result, rows = loaded(sample, bodies[1], 4)
    assert sorted(len(row["campaign_name"]) for row in rows)[-1] == 300
    assert len(rows) == len(sample.records)
    with psycopg.connect(settings.dsn("loader")) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("insert into raw.ga4__sessions select * from raw.ga4__sessions limit 1")
    outcome(
        "13 long texts", "ga4", f"{len(rows)} of {len(rows)} rows loaded, the text of 3,200 letters readable in raw"
    )


@pytest.mark.parametrize(("source", "stream", "path", "column"), EMPTY)
def test_empty_text_is_null(
    warehouse: str, company: Company, outcome: Outcome, source: str, stream: str, path: str, column: str
) -> None:
    sample = of(company, source, stream)
    result, rows = loaded(sample, struck_at(sample, path, b'""'))
    assert (result.rows_loaded, result.rows_quarantined, result.noted) == (len(sample.records), 0, ())
    assert "" not in [row[column] for row in rows]
    assert rows[0][column] is None
    outcome("17 empty texts", source, f"{stream}.{column}: null")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (b'"9999-12-31T23:59:59-05:00"', "is not an ISO 8601 time"),
        (b'"0001-01-01T00:00:00+14:00"', "is not an ISO 8601 time"),
        (b'"11111111111111111111"', "is not an ISO 8601 time"),
        (b'"infinity"', "is not an ISO 8601 time"),
        (b'["x"]', "is not an ISO 8601 time"),
    ],
)
def test_an_impossible_moment_costs_the_value_or_the_row(
    warehouse: str, company: Company, outcome: Outcome, token: bytes, reason: str
) -> None:
    """An attribute is left out: a deal with an unreadable creation time is still won."""
    sample = of(company, "hubspot", "deals")
    result, rows = loaded(sample, struck_at(sample, "properties.createdate", token))
    assert (result.rows_loaded, result.rows_quarantined) == (len(sample.records), 0)
    assert rows[0]["created_at"] is None
    assert [(column, what.startswith(f"left out: {reason}"), n) for column, what, n in result.noted] == [
        ("created_at", True, 1)
    ]
    again = load.load(read(sample, "odd", [struck_at(sample, "updatedAt", token)], 3))
    assert (again.rows_loaded, again.rows_quarantined) == (len(sample.records) - 1, 1)
    assert quarantine()[0][0] == "updated_at"
    outcome("years beyond 9999, odd times", "hubspot", f"{token.decode()[:30]}: attribute null, updatedAt quarantined")


@pytest.mark.parametrize(
    ("source", "stream", "body"),
    [
        ("google_ads", "campaign_stats", b'{"results": null}'),
        ("meta_ads", "insights", b'{"data": {"a": 1}}'),
        ("linkedin_ads", "campaigns", b'{"elements": "x"}'),
        ("hubspot", "deals", b'{"results": null}'),
        ("salesforce", "leads", b'{"records": 1}'),
        ("shopify", "orders", b'{"data": {"orders": []}}'),
        ("ga4", "sessions", b'{"dimensionHeaders": null, "rows": {}}'),
        ("microsoft_ads", "campaigns", b"PK no archive"),
        ("exchange_rates", "rates", b"CURRENCY,CURRENCY\nUSD,USD\n"),
    ],
)
def test_body_of_another_form_is_named(
    warehouse: str, company: Company, outcome: Outcome, source: str, stream: str, body: bytes
) -> None:
    sample = of(company, source, stream)
    with pytest.raises(LandingError) as caught:
        load.load(read(sample, "odd", [sample.body, body], 2))
    message = str(caught.value)
    assert "/000002.json.zst cannot be read: record 1: the body " in message
    assert "Nothing of this read is loaded." in message
    outcome("body of another form", source, "LandingError that names the file; nothing loaded")


@pytest.mark.parametrize(
    "source", ["google_ads", "meta_ads", "linkedin_ads", "hubspot", "salesforce", "shopify", "ga4"]
)
def test_record_of_another_form_costs_itself(warehouse: str, company: Company, outcome: Outcome, source: str) -> None:
    stream = "deals" if source == "hubspot" else SOURCES[source].streams[0].name
    sample = of(company, source, stream)
    body = sample.write([*sample.records, "x", None, [1], {}])
    result = load.load(read(sample, "odd", [body], 2))
    assert (result.rows_loaded, result.rows_quarantined) == (len(sample.records), 4)
    outcome("record of another form", source, "text, null, list, empty object: each quarantined by itself")


def test_cell_of_any_length_and_line_of_another_length(warehouse: str, company: Company, outcome: Outcome) -> None:
    sample = of(company, "salesforce bulk", "opportunities")
    rows = [[*row] for row in sample.records]
    rows[0][sample.header.index("StageName")] = "s" * 200_000
    rows[1].append("one too many")
    rows[2].pop()
    result, stored = loaded(sample, sample.write(rows))
    assert (result.rows_loaded, result.rows_quarantined) == (len(rows) - 2, 2)
    assert max(len(row["stage"]) for row in stored) == 200_000
    assert {reason.partition("has ")[2] for _, reason in quarantine()} == {
        f"{len(sample.header) + 1} cells where {len(sample.header)} are expected",
        f"{len(sample.header) - 1} cells where {len(sample.header)} are expected",
    }
    outcome("cells and lines of CSV", "salesforce bulk", "200,000 letters loaded; a cell too many or few: quarantined")


def test_odd_names_of_fields_are_kept_and_counted(warehouse: str, company: Company, outcome: Outcome) -> None:
    sample = of(company, "hubspot", "deals")
    own = b",".join(b'"own_%d":1' % number for number in range(100_000))
    odd = b'{"amount":"7","amount\\u0000":"8","":1,"AMOUNT":"9","\\ud83d":2,' + own + b"}"
    result, rows = loaded(sample, struck_at(sample, "properties", odd))
    assert (result.rows_loaded, result.rows_quarantined) == (len(sample.records), 0)
    kept = rows[0]["_extra"]["properties"]
    assert rows[0]["amount"] == 7
    assert (kept["amount\ufffd"], kept["AMOUNT"], kept[""], kept["\ufffd"]) == ("8", "9", 1, 2)
    assert len(result.new_fields) == 500
    outcome("odd names of fields", "hubspot", "kept in _extra; 500 of 100,004 names in the ledger")


def test_lists_inside_of_a_record_cost_themselves(warehouse: str, company: Company, outcome: Outcome) -> None:
    deals = of(company, "hubspot", "deals")
    history = b'[{"timestamp":"2026-11-10T10:00:00Z","value":"a"},{"timestamp":"infinity","value":"b"},"x"]'
    result, rows = loaded(deals, struck_at(deals, "propertiesWithHistory.dealstage", history))
    assert (result.rows_loaded, result.rows_quarantined) == (len(deals.records), 0)
    assert [entry["value"] for entry in rows[0]["stage_history"]] == ["a"]
    assert sum(n for _, _, n in result.noted) == 2
    outcome("odd elements of lists", "hubspot", "2 elements of stage_history left out and noted, the deal loaded")
    orders = of(company, "shopify", "orders")
    line = b'[{"id":"1","quantity":1,"originalTotalSet":{"shopMoney":{"amount":"1,5"}}}]'
    result = load.load(read(orders, "odd", [struck_at(orders, "lineItems.nodes", line)], 2))
    assert (result.rows_loaded, result.rows_quarantined) == (len(orders.records) - 1, 1)
    assert quarantine()[-1] == ("lines", "holds `originalTotalSet.shopMoney.amount` that is text, not a number")
    outcome(
        "odd elements of lists", "shopify", "an order with an unreadable line is quarantined, its sum would be wrong"
    )


def test_digits_inside_of_documents_are_kept(warehouse: str, company: Company, outcome: Outcome) -> None:
    amount = "12345678901234567.89"
    for source, stream, path in (
        ("meta_ads", "insights", "actions"),
        ("hubspot", "deals", "properties.own"),
        ("shopify", "orders", "refunds"),
    ):
        sample = of(company, source, stream)
        token = f'[{{"action_type":"lead","value":{amount}}}]'.encode()
        load.load(read(sample, "odd", [struck_at(sample, path, token)], 2))
        table = raw_table(SOURCES[source], sample.stream)
        with psycopg.connect(settings.dsn("loader")) as connection:
            found = connection.execute(
                f"select count(*) from raw.{table} as stored where stored::text like '%%{amount}%%'".encode()
            ).fetchone()
        assert found == (1,)
        outcome("14 digits inside of documents", source, f"{stream}: {path} exact")


def test_actions_without_a_plain_value_are_kept_and_noted(warehouse: str, company: Company, outcome: Outcome) -> None:
    """Meta gives an action of another attribution window only under the name of the window."""
    sample = of(company, "meta_ads", "insights")
    window_only = b'[{"action_type":"purchase","7d_click":"2"},{"action_type":"lead","value":"1","7d_click":"1"}]'
    body = json.loads(struck_at(sample, "actions", window_only))
    result, rows = loaded(sample, json.dumps(body, separators=(",", ":")).encode())
    assert (result.rows_loaded, result.rows_quarantined) == (len(sample.records), 0)
    assert rows[0]["actions"] == json.loads(window_only)
    assert result.noted == (("actions", "element without `value` counts as none", 1),)
    with psycopg.connect(settings.dsn("bi_reader")) as connection:
        noted = connection.execute("select values_noted from ops.loads").fetchall()
    assert noted == [(1,)]
    outcome("actions without a value", "meta_ads", "kept in raw, counted in ops.loads.values_noted")


def test_six_letters_in_a_bad_row_of_a_file_stay(outcome: Outcome) -> None:
    tally = json_rows.Tally()
    payload = {"note": "a\\u0000b", "nul": "x\x00", "half": "\ud83d"}
    bad = [{"line": 2, "column": "amount", "reason": "is not a number", "payload": payload}]
    arrow_rows._note_bad(bad, "a.csv", b"secret", tally)
    tally.unreadable.seek(0)
    stored = json.loads(tally.unreadable.read().split("\t")[4].replace("\\\\", "\\"))
    assert stored["row"] == {"note": "a\\u0000b", "nul": "x", "half": "\ufffd"}
    outcome("02 literal \\u0000", "files", "the payload of a quarantined row keeps the six letters")
