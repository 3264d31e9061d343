"""Forgotten addresses are found in every form in which they are written, and nothing else is."""

import csv
import io
import re
import zipfile

import pytest

from funnel.ingest import reduced_bodies, written_addresses
from funnel.ingest.privacy import keyed_hash, tombstone_in
from funnel.ingest.tombstones import EMAIL, Tombstone, Tombstones
from funnel.ingest.written_addresses import SHA256, digest
from funnel.sources import SOURCES

SECRET, ADDRESS = b"secret", "jürgen.o'leary+x@mail.example.com"
PLAIN = "jane@example.com"
KNOWN = Tombstones(
    frozenset(
        [
            *(Tombstone(keyed_hash(SECRET, each), "", "", EMAIL) for each in (ADDRESS, PLAIN)),
            Tombstone(keyed_hash(SECRET, digest(PLAIN)), "", "", SHA256),
        ]
    ),
    (SECRET,),
)
GONE = f"forgotten-{keyed_hash(SECRET, PLAIN)}@example.com"
SHA = digest(PLAIN)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("write to JANE@Example.com.", f"write to {GONE}."),
        ("*jane@example.com*, or not", f"*{GONE}*, or not"),
        ("<mailto:jane@example.com>", f"<mailto:{GONE}>"),
        (
            "https://x.example/?email=jane%40example.com&a=1#jane@example.com",
            f"https://x.example/?email={GONE}&a=1#{GONE}",
        ),
        ("a=%3Femail%3Djane%2540example.com%26b", f"a={GONE}"),
        (r'{"note": "jane\u0040example.com"}', f'{{"note": "{GONE}"}}'),
        (r"\u006aane@ex\u0061mple.com", GONE),
        ("jane&#64;example.com", GONE),
        (f"em={SHA.upper()}", f"em=forgotten-{keyed_hash(SECRET, SHA)}"),
        (f"jane@example.com jane@example.com {SHA}", f"{GONE} {GONE} forgotten-{keyed_hash(SECRET, SHA)}"),
    ],
)
def test_each_form_is_replaced(text: str, left: str) -> None:
    made = written_addresses.replace_addresses(text, KNOWN)
    # Another form has a mark of its own: two forms may be two keys.
    assert re.sub(r"\.[0-9a-f]{6}@", "@", made) == left
    assert written_addresses.may_hold(text.encode(), KNOWN)
    # What is left holds no address.
    assert written_addresses.replace_addresses(made, KNOWN) == made


def test_two_forms_stay_two_texts_and_name_one_person() -> None:
    forms = [PLAIN, PLAIN.upper(), PLAIN.title(), PLAIN.replace("@", "%40"), PLAIN.replace("@", "%2540")]
    made = {written_addresses.replace_addresses(form, KNOWN) for form in forms}
    assert len(made) == len(forms)
    assert {tombstone_in(one) for one in made} == {keyed_hash(SECRET, PLAIN)}


@pytest.mark.parametrize(
    "text",
    [
        "xjane@example.com",
        "jane@example.com.de",
        "jane@",
        "@example.com",
        "%40",
        "a" * 64,
        SHA + "0",
        "\udcff@example.com",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert written_addresses.replace_addresses(text, KNOWN) == text


def test_a_zipped_report_is_reduced_and_stays_readable() -> None:
    rows = [["CampaignId", "CampaignName", "Labels"], ["1", f"for {PLAIN}", "of Jane"], ["2", "plain", "of all"]]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.csv", text.getvalue())
    source = SOURCES["microsoft_ads"]
    change = reduced_bodies.of_read(source, "microsoft_ads", "campaigns", KNOWN)
    made = change(packed.getvalue())
    # An undeclared field of a record that names a person may describe the person.
    read = [(row["CampaignName"], row["Labels"]) for row in source.records(source.stream("campaigns"), made)]
    assert read == [(f"for {GONE}", ""), ("plain", "of all")]
    assert change(made) is made
    assert change(broken := packed.getvalue()[:60]) is broken
