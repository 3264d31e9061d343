"""Manifests: every mistake is reported with its place and what to write."""

import pytest

from funnel.inbox import manifest
from funnel.inbox.errors import ManifestError

GOOD = """
source: acme_crm
currency: BRL
streams:
  - entity: opportunities
    path: a.csv
    columns: {opportunity_id: id, stage: s, amount: a}
"""


def test_a_good_manifest_is_read() -> None:
    parsed = manifest.parse(GOOD.encode(), "m.yml")
    assert (parsed.source, parsed.timezone, parsed.streams[0].key) == ("acme_crm", "UTC", ("opportunity_id",))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("acme_crm", "Acme CRM", "source is 'Acme CRM'; write a name of lower-case letters"),
        ("acme_crm", "hubspot", "source 'hubspot' is a vendor's name"),
        ("BRL", "Reais", "currency is 'Reais', which is not an ISO 4217 code"),
        ("currency: BRL", "", "in which currency are the amounts?"),
        ("entity: opportunities", "entity: deals", "there is no entity 'deals'; there are leads, opportunities"),
        ("amount: a", "amuont: a", "opportunities has no column 'amuont'; perhaps amount"),
        ("stage: s, ", "", "opportunities need stage; map it to a column of the file"),
        ("path: a.csv", "path: ../a.csv", "it must be in the manifest's own folder"),
        ("path: a.csv", "paht: a.csv", "there is no setting `paht`"),
        ("path: a.csv", "path: a.csv\n    quote: '\"\"'", "must be one sign"),
        ("path: a.csv", "path: a.csv\n    delimiter: ';;'", "delimiter is ';;', but must be one character"),
        ("path: a.csv", "path: a.csv\n    decimal: ';'", "decimal is ';', but must be . or ,"),
        ("path: a.csv", "path: a.csv\n    date_format: dd/mm/yyyy", "write it as strptime does, such as %d/%m/%Y"),
        ("path: a.csv", "path: a.csv\n    date_format: {amount: '%d'}", "amount is not a date"),
        ("path: a.csv", "path: a.csv\n    key: [stage]", "the key of opportunities is always [opportunity_id]"),
        ("path: a.csv", "path: a.csv\n    bad_rows: 10", "bad_rows is 10.0, but is a share between 0 and 1"),
        ("path: a.csv", "path: a.csv\n    encoding: utf-9", "there is no encoding 'utf-9'"),
        ("path: a.csv", "path: [a.csv", "m.yml, line"),
        ("path: a.csv", "path: a.csv\n    path: b.csv", "'path' stands twice in one mapping"),
        ("source: acme_crm", "source: acme_crm\ntimezone: Brazil", "which is not an IANA time zone"),
    ],
)
def test_a_mistake_is_reported(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(ManifestError) as error:
        manifest.parse(GOOD.replace(old, new).encode(), "m.yml", frozenset({"hubspot"}))
    assert told in str(error.value)
    assert str(error.value).startswith("m.yml")


def test_yes_no_and_dates_are_what_is_written() -> None:
    parsed = manifest.parse(GOOD.encode() + b"    map: {stage: {no: lost, on: won, 2026-01-02: won}}\n", "m.yml")
    assert parsed.streams[0].maps == {"stage": {"no": "lost", "on": "won", "2026-01-02": "won"}}


def test_a_window_needs_a_main_date_and_a_complete_export_a_source_of_its_own() -> None:
    text = "source: acme\nstreams:\n  - {entity: accounts, path: a.csv, replace: window}\n"
    with pytest.raises(ManifestError, match=r"accounts have no main date.*replace: whole"):
        manifest.parse(text.encode(), "m.yml")
    text = "source: acme\nstreams:\n" + "".join(
        f"  - {{entity: accounts, path: {name}.csv{setting}}}\n"
        for name, setting in (("a", ", replace: whole"), ("b", ""))
    )
    with pytest.raises(ManifestError, match="source of its own"):
        manifest.parse(text.encode(), "m.yml")


def test_orders_may_name_deals_of_another_source() -> None:
    text = "source: acme\ncurrency: USD\nopportunities_of: salesforce\nstreams:\n"
    text += "  - {entity: orders, path: o.csv}\n  - {entity: accounts, path: a.csv}\n"
    orders, accounts = manifest.parse(text.encode(), "a.yml").streams
    assert orders.defaults == {"opportunities_of": "salesforce"}
    assert accounts.defaults == {}
