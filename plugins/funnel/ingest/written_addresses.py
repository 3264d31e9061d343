"""Addresses of forgotten persons in any text, in each form in which addresses are written.

A plain address in any case, also with escapes of JSON, HTML or URLs (`jane%40example.com`, `jane\\u0040example.com`),
and its SHA-256, by which ad platforms know persons. Each is replaced by what an address becomes (see
`funnel.ingest.tombstones`).
"""

import hashlib
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

from funnel.ingest.privacy import FORGOTTEN
from funnel.ingest.tombstones import Tombstones

# Letters before and after the sign; an escape of JSON or of a URL is one letter.
# That of a name is read backwards: a search for its first letter would try each letter before the sign as such.
_BACKWARDS = r"(?:[0-9A-Fa-f]{4}u\\|[^\s\"'<>(),:;=&?/\\\[\]{}|@])"
_DOMAIN = r"(?:\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}|[\w.-])"
_AT = re.compile(r"@|%(?:25)*40|\\u0040|&#(?:64|x40);", re.IGNORECASE)
_BEFORE, _AFTER = re.compile(rf"{_BACKWARDS}+"), re.compile(rf"{_DOMAIN}+")
_PLAIN = re.compile(r"[^\s\"'<>(),:;=&?/\\\[\]{}|@]+@[\w-]+(?:\.[\w-]+)+")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_DIGEST_IN_BODY = re.compile(rb"[0-9A-Fa-f]{64}")
_DIGEST = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{64}(?![0-9A-Za-z])")
# An address has at most 64 and 255 letters, and an escaped letter up to nine.
_LONGEST_NAME, _LONGEST_DOMAIN = 600, 600
# Signs around an address that are not part of it.
_AROUND = "*_~`#!$^.-"
_OPENING = "#*`"
# Each text that holds an address contains one of these.
SIGNS = ("@", "%40", "%2540", "u0040", "&#64;", "&#x40;")
HINT = "|".join((*SIGNS, "[0-9A-Fa-f]{64}"))
SHA256 = "sha256"


def digest(address: str) -> str:
    """The SHA-256 of a normalised address, as ad platforms write it."""
    return hashlib.sha256(address.encode()).hexdigest()


def find(text: str, tombstones: Tombstones) -> Iterator[tuple[int, int, str]]:
    """(start, end, replacement) of each place that names a forgotten person, in order."""
    found = list(_addresses(text, tombstones))
    for match in _DIGEST.finditer(text):
        if key := tombstones.of(match[0].lower()):
            found.append((*match.span(), FORGOTTEN + key))
    yield from sorted(found)


def replace_addresses(text: str, tombstones: Tombstones) -> str:
    """A text with every forgotten address in it replaced."""
    made, done = [], 0
    for start, end, replacement in find(text, tombstones):
        made += [text[done:start], replacement]
        done = end
    return "".join((*made, text[done:])) if made else text


def may_hold(body: bytes, tombstones: Tombstones) -> bool:
    """True if a body may have an address, or the hash of one, in any of these forms."""
    if any(sign.encode() in body for sign in SIGNS):
        return True
    return any(row.kind == SHA256 for row in tombstones.rows) and _DIGEST_IN_BODY.search(body) is not None


def _addresses(text: str, tombstones: Tombstones) -> Iterator[tuple[int, int, str]]:
    done = 0
    for at in _AT.finditer(text):
        before = _BEFORE.match(text[max(done, at.start() - _LONGEST_NAME) : at.start()][::-1])
        after = _AFTER.match(text, at.end(), at.end() + _LONGEST_DOMAIN)
        if before is None or after is None:
            continue
        start, end = at.start() - len(before[0]), after.end()
        for place in _readings(text, start, end):
            written = text[slice(*place)]
            plain = _unescaped(written)
            for address in [plain] if plain == written else [plain, *_PLAIN.findall(plain)]:
                if made := tombstones.email(address):
                    yield *place, made if written == address.lower() else _of_shape(made, written)
                    done = place[1]
                    break
            else:
                continue
            break


def _of_shape(made: str, written: str) -> str:
    """The replacement of an address that is written in another form: as different as the forms were, since texts may
    be keys. The form is kept without the letters.
    """
    shape = re.sub(r"[^\W\d_]", lambda one: "A" if one[0].isupper() else "a", written)
    name, _, domain = made.partition("@")
    return f"{name}.{hashlib.sha256(shape.encode(errors='replace')).hexdigest()[:6]}@{domain}"


def _readings(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where an address may be: without the signs around it, or with them."""
    yield start, end
    written = text[start:end]
    right = end - (len(written) - len(written.rstrip(_AROUND)))
    left = start + (len(written) - len(written.lstrip(_AROUND)))
    last = start + max(written.rfind(sign, 0, written.find("@") + 1) for sign in _OPENING) + 1
    yield from dict.fromkeys([(start, right), (left, end), (left, right), (last, right)])


def _unescaped(written: str) -> str:
    """A text without escapes, however often URLs were escaped."""
    text = html.unescape(_ESCAPE.sub(lambda one: chr(int(one[1], 16)), written))
    for _ in range(3):
        if (plain := unquote(text)) == text:
            break
        text = plain
    return text
