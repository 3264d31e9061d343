"""One person in every vendor that knows persons, in files, quarantine, undeclared fields and history is forgotten."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.build import dbt_run
from funnel.contract import Connection, Window
from funnel.erasure import forgetting, landed_reads
from funnel.erasure.errors import ForgetRefused
from funnel.ingest import completeness, landing, load, privacy, reduced_bodies, tombstones
from funnel.sources import SOURCES, files
from installation import forgetting as everywhere
from installation import postgres
from tests.build.builds import publish_build

MORNING = datetime(2026, 1, 11, 3, tzinfo=UTC)
WINDOW = Window(date(2026, 1, 5), date(2026, 1, 11))
EMAIL, NAME, PHONE = "Quenby.Forgetme@Zyxwv-Corp.example", "Quenby Forgettable", "+49 555 0190190"
CONTACT, LEAD, SF_CONTACT = "987650012345", "00QFg000000Zz1TMAQ", "003Fg000000Zz2UMAQ"
CUSTOMER, FILE_LEAD, CRM_PERSON = "7776665554443", "LEAD-QUENBY-1", "P-QUENBY-77"
OTHER, OTHER_EMAIL = "987650099999", "someone.else@other.example"
NEEDLES = [EMAIL.lower(), NAME.lower(), PHONE, CONTACT, LEAD[:15].lower(), SF_CONTACT[:15].lower(), CUSTOMER]
NEEDLES += [FILE_LEAD.lower(), CRM_PERSON.lower()]
FOUND = re.compile("|".join(map(re.escape, NEEDLES)).encode(), re.IGNORECASE)
MANIFEST = """
source: acme_crm
currency: USD
streams:
  - {entity: leads, path: leads.csv}
  - {entity: touches, path: touches.csv}
  - {entity: orders, path: orders.csv}
  - {entity: stage_events, path: stages.csv}
"""

At = Callable[[int], str]


def at(day: int, hour: int = 10) -> str:
    return f"2026-01-{day:02}T{hour:02}:00:00Z"


def hubspot() -> dict[str, list[dict[str, Any]]]:
    def contact(contact_id: str, email: str, **more: Any) -> dict[str, Any]:
        properties = {"email": email, "createdate": at(5, 9), "lifecyclestage": "lead", **more}
        return {"id": contact_id, "updatedAt": at(6), "archived": False, "properties": properties}

    # The second contact is as old as this person, and was named in the same moment.
    link = {"contacts": [{"toObjectId": int(CONTACT)}, {"toObjectId": int(OTHER)}]}
    won = {"amount": "500.25", "deal_currency_code": "USD", "dealstage": "closedwon", "pipeline": "default"}
    won |= {"createdate": at(7), "closedate": at(9), "hs_is_closed": "true", "hs_is_closed_won": "true"}
    return {
        "contacts": [
            contact(
                CONTACT,
                EMAIL.upper(),
                salesforceleadid=LEAD,
                salesforcecontactid=SF_CONTACT,
                firstname=NAME,
                phone=PHONE,
            ),
            contact(OTHER, OTHER_EMAIL),
            # Unreadable, so it is quarantined as it is.
            contact(CONTACT, EMAIL, firstname=NAME) | {"updatedAt": f"soon, says {NAME}"},
        ],
        "deals": [{"id": "71", "updatedAt": at(9), "properties": won | {"note": NAME}, "associations": link}],
        "calls": [
            {
                "id": "81",
                "updatedAt": at(6),
                "associations": {"contacts": [{"toObjectId": CONTACT}]},
                "properties": {
                    "hs_timestamp": at(6),
                    "hs_call_status": "COMPLETED",
                    "hs_call_body": f"Spoke to {NAME}",
                },
            }
        ],
        "contact_events": [
            {
                "id": "91",
                "occurredAt": at(6),
                "eventType": "e_form_submitted",
                "objectId": CONTACT,
                "properties": {"hs_utm_source": "google", "hs_url": f"https://x.example/thanks?email={EMAIL}"},
            }
        ],
        "companies": [{"id": "61", "updatedAt": at(6), "properties": {"name": "Zyxwv", "note": f"ask {EMAIL}"}}],
    }


def salesforce() -> dict[str, list[dict[str, Any]]]:
    modified = {"SystemModstamp": at(6), "IsDeleted": False, "CreatedDate": at(5)}
    lead = {"Id": LEAD, "Email": EMAIL, "LastName": NAME, "Status": "Qualified", "ConvertedContactId": SF_CONTACT}
    deal = {"Id": "006Fg000000Zz3VMAQ", "StageName": "Closed Won", "IsClosed": True, "IsWon": True, "Amount": 900.75}
    deal |= {"CloseDate": "2026-01-09", "CurrencyIsoCode": "USD", "ContactId": SF_CONTACT, "Type": "New Business"}
    task = {"Id": "00TFg000000Zz4WMAQ", "WhoId": SF_CONTACT, "IsClosed": True, "Description": f"Call {NAME} {PHONE}"}
    member = {"Id": "00vFg000000Zz5XMAQ", "CampaignId": "701", "LeadId": LEAD, "ContactId": SF_CONTACT}
    role = {"Id": "00KFg000000Zz6YMAQ", "OpportunityId": deal["Id"], "ContactId": SF_CONTACT, "IsPrimary": True}
    history = {"Id": "00RFg000000Zz7ZMAQ", "LeadId": LEAD, "Field": "created", "CreatedDate": at(5)}
    return {
        "leads": [lead | modified | {"IsConverted": True, "ConvertedOpportunityId": deal["Id"]}],
        "contacts": [{"Id": SF_CONTACT, "Email": EMAIL.title(), "Phone": PHONE} | modified | {"CreatedDate": at(6)}],
        "opportunities": [deal | modified],
        "opportunity_contact_roles": [role | modified],
        "tasks": [task | modified | {"CompletedDateTime": at(6)}],
        "events": [{"Id": "00UFg000000Zz8aMAQ", "WhoId": LEAD, "StartDateTime": at(7)} | modified],
        "campaign_members": [member | modified | {"HasResponded": True, "Status": "Responded"}],
        "lead_history": [history],
    }


def order() -> dict[str, Any]:
    line = {"id": "gid://shopify/LineItem/1", "title": "Chair", "sku": "C1", "quantity": 2}
    line["originalTotalSet"] = {"shopMoney": {"amount": "80.50"}}
    return {
        "id": "gid://shopify/Order/5001",
        "legacyResourceId": "5001",
        "updatedAt": at(8),
        "createdAt": at(8),
        "processedAt": at(8),
        "currencyCode": "USD",
        "email": EMAIL,
        "customer": {"legacyResourceId": CUSTOMER},
        "displayFinancialStatus": "PAID",
        "subtotalPriceSet": {"shopMoney": {"amount": "80.50"}},
        "tags": [f"for {NAME}"],
        "customAttributes": [{"key": "gift", "value": NAME}],
        "note": PHONE,
        "lineItems": {"nodes": [line]},
        "refunds": [],
        "discountCodes": [],
        "test": False,
    }


def bodies() -> dict[tuple[str, str], bytes]:
    """One body of each stream, in the form of its vendor."""
    made = {("hubspot", name): json.dumps({"results": rows}).encode() for name, rows in hubspot().items()}
    made |= {("salesforce", name): json.dumps({"records": rows}).encode() for name, rows in salesforce().items()}
    made["shopify", "orders"] = json.dumps({"data": {"orders": {"nodes": [order()]}}}).encode()
    campaign = {"customer": {"id": "1"}, "campaign": {"id": "11", "name": f"retarget {EMAIL}", "status": "ENABLED"}}
    made["google_ads", "campaigns"] = json.dumps({"results": [campaign]}).encode()
    made["hubspot", "contacts.ids"] = json.dumps({"since": None, "ids": [CONTACT, OTHER]}).encode()
    return made


def write_inbox(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "acme.yml").write_text(MANIFEST)
    page = f"https://x.example/?q={EMAIL}"
    (folder / "leads.csv").write_text(
        "lead_id,created_at,email,person_id,landing_page\n"
        f"{FILE_LEAD},2026-01-05 08:00:00,{EMAIL},{CRM_PERSON},{page}\nL2,2026-01-05 09:00:00,{OTHER_EMAIL},P2,\n"
    )
    touch = f"2026-01-06 09:00:00,{EMAIL},{CRM_PERSON},{FILE_LEAD},click\n"
    (folder / "touches.csv").write_text(f"touched_at,email,person_id,lead_id,touch_type\n{touch}")
    rows = f"O1,2026-01-07 09:00:00,{EMAIL},{CUSTOMER}\nO2,never,{EMAIL},{CUSTOMER}\n"
    # One bad row of two would refuse the file.
    rows += "".join(f"O{number},2026-01-07 09:00:00,,\n" for number in range(3, 60))
    (folder / "orders.csv").write_text(f"order_id,ordered_at,email,customer_id\n{rows}")
    (folder / "stages.csv").write_text(f"lead_id,stage,entered_at\n{FILE_LEAD},mql,2026-01-06 12:00:00\n")


def read_everything(inbox: Path, moment: datetime, run: str) -> None:
    """Land and load all bodies and files as a run would."""
    load.create_tables()
    with psycopg.connect(settings.dsn("loader")) as connection:
        known = tombstones.read(connection, privacy.person_key_secret())

    def take(source: Any, connection_id: str, stream: Any) -> None:
        change = reduced_bodies.of_read(source, connection_id, stream.name, known)
        place = Connection(connection_id, str(inbox), extra={"known": {}})
        load.load(landing.land(source, place, stream, WINDOW, run, moment, change))

    for (name, stream_name), body in bodies().items():
        source = replace(SOURCES[name], fetch=lambda *_, body=body: iter([body]))
        take(source, name, replace(SOURCES[name].stream(stream_name), name=stream_name))
        completeness.complete(SOURCES[name], run)
    for entity in ("leads", "touches", "orders", "stage_events"):
        take(files.SOURCE, "acme_crm", files.SOURCE.stream(entity))


def forget(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    everywhere.run()


def build(*, full: bool = False) -> None:
    """Build with dbt's tests, the conservation of all totals among them, and publish."""
    publish_build(dbt_run.build(full=full).build_id)


def tables(*schemas: str) -> list[tuple[str, str]]:
    query = "select schemaname, tablename from pg_tables where schemaname = any(%s) order by 1, 2"
    with psycopg.connect(settings.dsn("admin")) as admin:
        return admin.execute(query, (list(schemas),)).fetchall()


def totals() -> dict[tuple[str, str], Any]:
    """Rows, and the sum of each number, of every mart as built, shown and shown before."""
    found = {}
    with psycopg.connect(settings.dsn("admin")) as admin:
        for schema, table in tables("marts", "bi", "bi_history"):
            columns = admin.execute(
                "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
                "and data_type in ('numeric', 'bigint', 'integer') and column_name not in "
                "('publication_id', 'replaced_by')",
                (schema, table),
            ).fetchall()
            sums = "".join(f', sum("{name}")' for (name,) in sorted(columns))
            found[schema, table] = admin.execute(f"select count(*){sums} from {schema}.{table}".encode()).fetchone()
    return found


def places_in_the_warehouse() -> list[str]:
    """The tables of a dump of the whole database in which the person is written."""
    found = set()
    with psycopg.connect(settings.dsn("admin")) as admin:
        schemas = [name for (name,) in admin.execute("select nspname from pg_namespace where nspname !~ '^pg_'")]
        for schema, table in tables(*schemas):
            with admin.cursor().copy(f'copy {schema}."{table}" to stdout'.encode()) as rows:
                # Read to the end: the rest of a COPY cannot be left unread.
                if [row for row in rows if FOUND.search(bytes(row))]:
                    found.add(f"{schema}.{table}")
    return sorted(found)


def places_on_disk(home: Path) -> list[str]:
    """The files of FUNNEL_HOME that hold the person; landed files also as they are before encryption."""
    found = [str(path) for path in home.rglob("*") if path.is_file() and FOUND.search(path.read_bytes())]
    for read in landing.reads():
        found += [read.path for body in read.bodies() if FOUND.search(readable(body))]
    return found


def readable(body: bytes) -> bytes:
    """A body as text: tables are compressed inside."""
    if body.startswith(b"{"):
        return body
    return repr(list(files.records(files.SOURCE.streams[0], body))).encode()


def pages_of_the_server(home: Path) -> list[str]:
    """The files of the server, free space in pages and the write-ahead log included, that hold the person."""
    server = postgres.find(home)
    assert server is not None
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute("checkpoint")
        oid = admin.execute("select oid from pg_database where datname = current_database()").fetchone()
    assert oid is not None
    folders = (server.data_dir / "base" / str(oid[0]), server.data_dir / "pg_wal")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in paths if FOUND.search(path.read_bytes())]


@pytest.fixture
def company(warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published company with this person in every place, and an earlier publication in the history."""
    inbox = tmp_path / "inbox"
    write_inbox(inbox)
    monkeypatch.setenv("FUNNEL_INBOX", str(inbox))
    read_everything(inbox, MORNING, "run 1")
    build()
    with psycopg.connect(warehouse) as admin:
        # The vendor changed everything, so that all rows shown before are in the history.
        admin.execute("update raw.hubspot__contacts set utm_source = 'bing', _load_id = _load_id + 1000")
        admin.execute("update raw.salesforce__leads set lead_source = 'Fair', _load_id = _load_id + 1000")
    build(full=True)
    return tmp_path / "home"


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_person_is_gone_from_every_place_and_never_comes_back(
    company: Path,
    cluster_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: Callable[[str, str, str], None],
) -> None:
    (company / "task.log").write_text(f"refused: {EMAIL} and {LEAD}\n")
    (company / "backups.jsonl").write_text(json.dumps({"at": "2026-01-09T02:00:00Z", "destination": "/b"}) + "\n")
    held, before = places_in_the_warehouse(), totals()
    assert {name.partition(".")[0] for name in held} >= {"raw", "intermediate", "marts", "bi", "bi_history"}
    assert {"raw.quarantine", "raw.shopify__orders", "raw.files__leads", "raw.google_ads__campaigns"} <= set(held)
    assert len([name for name in held if name.startswith("raw.")]) >= 15
    capsys.readouterr()

    forget(f"\n{EMAIL.swapcase()}\n", monkeypatch)

    receipt = capsys.readouterr().out
    assert not FOUND.search(receipt.encode())
    for name in ("leads.csv", "touches.csv", "orders.csv"):
        assert f"your file still holds a person: {name}" in receipt
    assert "a backup still holds them: 2026-01-09T02:00:00Z, /b" in receipt
    assert places_in_the_warehouse() == []
    assert places_on_disk(company) == []
    assert pages_of_the_server(cluster_home) == []
    assert totals() == before

    # The history has one publication more, of what the forgotten records are called now.
    build(full=True)
    assert {name: sums for name, sums in totals().items() if name[0] != "bi_history" and sums != before[name]} == {}

    # A new read of the same vendors and files.
    read_everything(company.parent / "inbox", MORNING + timedelta(days=1), "run 2")
    build(full=True)
    assert places_in_the_warehouse() == places_on_disk(company) == []
    outcome("forget", "one person", f"in {len(held)} tables before, 0 after; totals of {len(before)} tables equal")

    # Once more, and without a line: nothing is left to do.
    forget(f"{EMAIL}\n", monkeypatch)
    forget("", monkeypatch)
    assert "0 rows reduced in 0 tables" in capsys.readouterr().out


def test_a_command_that_was_killed_is_repeated(
    warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_inbox(tmp_path / "inbox")
    monkeypatch.setenv("FUNNEL_INBOX", str(tmp_path / "inbox"))
    read_everything(tmp_path / "inbox", MORNING, "run")

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    for module, name in (
        (forgetting.stored_rows, "reduce_texts"),
        (landed_reads, "_note_hashes"),
        (forgetting, "_vacuum"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed)
            with pytest.raises(Killed):
                forget(EMAIL, patch)
    forget(EMAIL, monkeypatch)
    assert places_in_the_warehouse() == places_on_disk(tmp_path / "home") == []
    with psycopg.connect(warehouse) as admin:
        stored = dict(admin.execute("select landing, body_hashes from ops.loads").fetchall())
        runs = admin.execute("select count(*), count(finished_at) from ops.forgettings").fetchone()
    assert {read.path: read.hashes for read in landing.reads() if read.path in stored} == stored
    assert runs == (3, 1)


def test_a_vendor_id_finds_the_same_person_and_an_unclear_line_changes_nothing(
    warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_inbox(tmp_path / "inbox")
    monkeypatch.setenv("FUNNEL_INBOX", str(tmp_path / "inbox"))
    read_everything(tmp_path / "inbox", MORNING, "run")
    with pytest.raises(ForgetRefused, match="Line 2: the part before `:`"):
        forget(f"{LEAD}\nhubspot.deals:71\n", monkeypatch)
    with pytest.raises(ForgetRefused, match=r"Line 1: several records have this id; write .*customers:<id>"):
        forget(CUSTOMER, monkeypatch)
    assert "raw.salesforce__leads" in places_in_the_warehouse()
    forget(f"{LEAD}\nunknown-id\n", monkeypatch)
    assert "line 2: no record has this id" in capsys.readouterr().out
    assert places_in_the_warehouse() == []
