"""Replaces persons and secrets in a vendor's responses: the same original always gets the same substitute.

Substitutes come from a keyed hash, so records still match within and across recordings of one installation, and a
person cannot be found by hashing a list of addresses. For sources with persons (those that declare an e-mail address)
every id is replaced, and every text that no column declares and that is not clearly a code, a number or a moment. Which
parts of an exchange are kept is decided in `authoring.recording`.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from funnel.contract import Source
from funnel.ingest import privacy

VENDOR = "https://vendor.invalid"

_EMAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"\+\d[\d ()./-]{6,}\d")
_SECRET_KEY = re.compile(
    r"(token|secret|password|authorization|assertion|signature|proof|client_?id|private_?key|api_?key)$", re.IGNORECASE
)
_NAME_KEY = re.compile(
    r"^((first|last|full|middle|given|family|nick|display|preferred|billing|shipping|customer|contact|owner|user|account|company)_?)?"
    r"name$|^(username|alias|salutation|company)$",
    re.IGNORECASE,
)
_PHONE_KEY = re.compile(r"phone|mobile|^fax", re.IGNORECASE)
_DOMAIN_KEY = re.compile(r"^(domain|website|hs_email_domain)$", re.IGNORECASE)
_TEXT_KEY = re.compile(
    r"street|address|^(billing|mailing)?(city|zip|postalcode)$|^(postal_?code|subject|description|body|note|notes|comment"
    r"|comments|title|jobtitle|birthday|ip|ip_address|photo|latitude|longitude)$",
    re.IGNORECASE,
)
_ID_KEY = re.compile(r"^(id|ids|vid|after|admin_graphql_api_id|userIdIncludingInactive)$|_ids?$|Ids?$")
# Objects of advertising and goods: their ids link people's touches to campaigns, and identify no person.
_NO_PERSONS_ID = re.compile(r"^utm_|campaign|product|sku|currency|account_ids", re.IGNORECASE)
# Words of protocols, not of people.
_PROTOCOL_KEY = re.compile(
    r"^(state|status|type|__typename|operation|object|kind|code|category|errorCode|token_type|scope|contentType"
    r"|columnDelimiter|lineEnding|concurrencyMode|apiVersion|jobType)$"
)
_PLAIN = re.compile(r"[a-z0-9_.:/?=&%+,-]*|[A-Z0-9_.:-]+|[\d.,:TZ+ -]+|https?://\S+|/\S*", re.ASCII)
_OWNER_ID = re.compile(r"00[5G][A-Za-z0-9]{12,15}")
_PUBLIC_DOMAINS = {"gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "gmx.de", "web.de"}


def _meant(key: str, record: dict[str, Any]) -> str:
    """The field that a value belongs to if another value names it: Salesforce's history names a field, and then gives
    its value.
    """
    if key not in ("OldValue", "NewValue") or record.get("Field") != "Owner":
        return key
    return "OwnerId" if _OWNER_ID.fullmatch(str(record[key])) else "OwnerName"


class Scrubber:
    """Replaces personal and secret values, and remembers them, to find them again where no key identifies them."""

    def __init__(self, source: Source, secrets: Iterable[str], key: bytes) -> None:
        columns = [column for stream in source.streams for column in stream.columns]
        self.has_persons = any(column.type in ("email", "hashed") for column in columns)
        self._declared = {part for column in columns for part in column.path.split(".")}
        self._ids = {column.path.split(".")[-1] for column in columns if column.name.endswith(("_id", "_ids"))}
        self._key = key
        self._met: dict[str, str] = {secret: "scrubbed" for secret in secrets if len(secret) > 3}
        self._hosts: set[str] = set()

    # Substitutes -----------------------------------------------------------------------------------------------------

    def _hash(self, text: str, digits: int = 8) -> str:
        return privacy.keyed_hash(self._key, text)[:digits]

    def _remember(self, original: str, substitute: str) -> str:
        if len(original) > 3:
            self._met[original] = substitute
        return substitute

    def email(self, address: str) -> str:
        """The same person at the same domain; public domains are kept."""
        local, _, domain = address.casefold().rpartition("@")
        return self._remember(address, f"person-{self._hash(local + domain)}@{self.domain(domain)}")

    def domain(self, text: str) -> str:
        """A substitute for a company's domain; public domains are kept."""
        host = text.casefold().strip().removeprefix("http://").removeprefix("https://").removeprefix("www.")
        host = host.partition("/")[0]
        if not host or host in _PUBLIC_DOMAINS or host.endswith(".invalid"):
            return text
        return self._remember(text, f"company-{self._hash(host)}.example")

    def name(self, text: str) -> str:
        """A substitute for a person's or company's name; its longer parts are also replaced elsewhere."""
        substitute = f"Name {self._hash(text.casefold())}"
        for part in text.split():
            if len(part) > 3 and part.isalpha():
                self._met.setdefault(part, f"Name-{self._hash(part.casefold())}")
        return self._remember(text, substitute)

    def phone(self, text: str) -> str:
        """A substitute for a phone number."""
        digits = re.sub(r"\D", "", text)
        return self._remember(text, f"+1555{int(self._hash(digits), 16) % 10**7:07d}")

    def text(self, text: str) -> str:
        """A substitute for a free text."""
        return self._remember(text, f"text-{self._hash(text)}")

    def token(self, text: str) -> str:
        """A substitute for a secret."""
        return self._remember(text, f"scrubbed-{self._hash(text)}")

    def id(self, text: str) -> str:
        """An id of the same kind: numbers stay numbers, and the part that states the record's type is kept."""
        if text.startswith(("http://", "https://")):
            parts = urlsplit(text)
            return urlunsplit(parts._replace(path="/".join(self.id(part) for part in parts.path.split("/"))))
        if re.fullmatch(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?", text) and not text.isdigit():
            # Salesforce: three characters of type, and the last three are a checksum of case.
            substitute = text[:3] + self._hash(text[:15], len(text) - 3)
            return self._remember(text, substitute)
        substitute = re.sub(r"\d{2,}", lambda found: str(10**11 + int(self._hash(found[0], 16), 16) % 10**11), text)
        return self._remember(text, substitute) if len(text) > 9 else substitute

    # Walking ---------------------------------------------------------------------------------------------------------

    def value(self, key: str, value: Any, *, is_ours: bool = False) -> Any:
        """A value under its key, with all values below it. `is_ours`: it is part of a request, which we wrote."""
        if isinstance(value, dict):
            named = next(
                (value[one] for one in ("propertyName", "key", "name") if isinstance(value.get(one), str)), key
            )
            return {
                self.loose(name): self.value(
                    named if name in ("value", "highValue") else _meant(name, value), below, is_ours=is_ours
                )
                for name, below in value.items()
            }
        if isinstance(value, list):
            return [self.value(key, each, is_ours=is_ours) for each in value]
        if isinstance(value, int) and not isinstance(value, bool) and self.has_persons and self._is_id(key):
            return int(self.id(str(value)))
        return self.string(key, value, is_ours=is_ours) if isinstance(value, str) and value else value

    def string(self, key: str, text: str, *, is_ours: bool = False) -> str:
        """The substitute of a text by the kind of its key, or the text itself if it is not personal."""
        if _SECRET_KEY.search(key):
            return self.token(text)
        if not self.has_persons:
            return self.loose(text)
        if self._is_id(key):
            return self.id(text)
        for belongs, substitute in self._kinds():
            if belongs.search(key):
                return self.loose(text) if _EMAIL.search(text) else substitute(text)
        if is_ours or key in self._declared or _PROTOCOL_KEY.search(key) or _PLAIN.fullmatch(text):
            return self.loose(text)
        return self.loose(text) if _EMAIL.search(text) else self.text(text)

    def _is_id(self, key: str) -> bool:
        return (bool(_ID_KEY.search(key)) or key in self._ids) and not _NO_PERSONS_ID.search(key)

    def _kinds(self) -> tuple[tuple[re.Pattern[str], Callable[[str], str]], ...]:
        return (
            (_PHONE_KEY, self.phone),
            (_DOMAIN_KEY, self.domain),
            (_NAME_KEY, self.name),
            (_TEXT_KEY, self.text),
        )

    def loose(self, text: str) -> str:
        """A text with its addresses, phone numbers and secrets in links replaced."""
        if text.startswith(("http://", "https://", "/")) and "?" in text:
            parts = urlsplit(text)
            query = [(name, self.value(name, each, is_ours=True)) for name, each in parse_qsl(parts.query, True)]
            text = urlunsplit(parts._replace(query=urlencode(query)))
        text = _EMAIL.sub(lambda found: self.email(found[0]), text)
        return _PHONE.sub(lambda found: self.phone(found[0]), text)

    # Bodies ----------------------------------------------------------------------------------------------------------

    def body(self, body: bytes, *, is_ours: bool = False) -> dict[str, Any]:
        """A body as `json`, as `text` (lines of JSON or CSV), or else as `base64`."""
        import base64

        try:
            # Halves of surrogate pairs, which vendors send, are valid JSON to this reader.
            return {"json": self.value("", json.loads(body), is_ours=is_ours)}
        except ValueError:
            pass
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(body).decode()}
        if not text:
            return {"text": ""}
        try:
            lines = [json.dumps(self.value("", json.loads(line))) for line in text.splitlines()]
            return {"text": "\n".join(lines) + "\n"}
        except ValueError:
            return {"text": self._table(text) if not is_ours else self._form(text)}

    def _form(self, text: str) -> str:
        return urlencode([(name, self.value(name, each, is_ours=True)) for name, each in parse_qsl(text, True)]) or text

    def _table(self, text: str) -> str:
        header, *rows = csv.reader(io.StringIO(text))
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        for row in rows:
            record = dict(zip(header, row, strict=False))
            writer.writerow([self.value(_meant(name, record), cell) for name, cell in record.items()])
        return out.getvalue()

    # The last pass ---------------------------------------------------------------------------------------------------

    def host(self, host: str) -> None:
        """A substitute for the vendor's host name, which may contain the customer's name."""
        self._hosts.add(host.rstrip("/"))

    def sweep(self, text: str) -> str:
        """`text` (JSON) without any remembered value: an id in a query, a name in a remark, a token in a link."""
        for host in sorted(self._hosts, key=len, reverse=True):
            text = text.replace(host, VENDOR)
        met = {json.dumps(each)[1:-1]: substitute for each, substitute in self._met.items()}
        if not met:
            return text
        words = "|".join(re.escape(each) for each in sorted(met, key=len, reverse=True))
        return re.sub(rf"(?<![A-Za-z0-9])({words})(?![A-Za-z0-9])", lambda found: met[found[0]], text)
