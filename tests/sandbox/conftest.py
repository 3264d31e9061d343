"""Running sandboxes for the tests of this folder, and the reference material for comparison."""

import os
import time
from pathlib import Path

import httpx
import jwt
import pytest

from sandbox import credentials, process

ANCHOR = "2026-11-23"
REFERENCE = Path(os.environ.get("REFERENCE_DIR", Path(__file__).resolve().parents[3] / "shared"))


@pytest.fixture(scope="session")
def reference():
    """The folder with official specs and recorded errors, which is not part of the project."""
    folder = REFERENCE / "protocol"
    if not folder.is_dir():
        pytest.skip(f"REFERENCE_DIR is not here ({REFERENCE}); official specs and recorded errors live there.")
    return folder


@pytest.fixture(scope="session")
def worked_server():
    with process.running(scenario="worked_example", tls=True) as handle:
        yield handle


@pytest.fixture(scope="session")
def company_server():
    with process.running(scenario="company", anchor=ANCHOR, tls=True, now=f"{ANCHOR}T00:00:00Z") as handle:
        yield handle


@pytest.fixture
def worked(worked_server):
    worked_server.reset()
    worked_server.set_now("2026-02-28T00:00:00Z")
    return worked_server


@pytest.fixture
def company(company_server):
    company_server.reset()
    company_server.set_now(f"{ANCHOR}T00:00:00Z")
    return company_server


@pytest.fixture
def paged(company):
    company.set(google_page_size=20, salesforce_page_size=150)
    return company


class Vendors:
    """The vendors of one sandbox, requested over plain HTTP with valid credentials."""

    def __init__(self, handle, transport=None):
        self.handle = handle
        self.http = httpx.Client(base_url=handle.base_url, timeout=60, transport=transport)
        self.tokens = {}

    def google_token(self):
        form = {
            "grant_type": "refresh_token",
            "client_id": credentials.GOOGLE_CLIENT_ID,
            "client_secret": credentials.GOOGLE_CLIENT_SECRET,
            "refresh_token": credentials.GOOGLE_REFRESH_TOKEN,
        }
        return self.http.post("/token", data=form).json()["access_token"]

    def salesforce_token(self):
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials.SALESFORCE_CLIENT_ID,
            "client_secret": credentials.SALESFORCE_CLIENT_SECRET,
        }
        return self.http.post("/services/oauth2/token", data=form).json()["access_token"]

    def _bearer(self, vendor, make):
        if vendor not in self.tokens:
            self.tokens[vendor] = make()
        return {"Authorization": f"Bearer {self.tokens[vendor]}"}

    def google(self, customer, query, method="searchStream", version="v26", **body):
        return self.http.post(
            f"/{version}/customers/{customer}/googleAds:{method}",
            json={"query": query, **body},
            headers=self._bearer("google_ads", self.google_token),
        )

    def meta(self, path, version="v26.0", method="GET", **parameters):
        token = {"access_token": credentials.META_ACCESS_TOKEN}
        return self.http.request(method, f"/{version}/{path}", params={**token, **parameters})

    def linkedin_token(self):
        form = {
            "grant_type": "refresh_token",
            "client_id": credentials.LINKEDIN_CLIENT_ID,
            "client_secret": credentials.LINKEDIN_CLIENT_SECRET,
            "refresh_token": credentials.LINKEDIN_REFRESH_TOKEN,
        }
        return self.http.post("/oauth/v2/accessToken", data=form).json()["access_token"]

    def linkedin(self, path, query="", version="202607", headers=None):
        """`query` is sent unchanged: brackets and commas are structure."""
        known = {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0"}
        known |= self._bearer("linkedin_ads", self.linkedin_token) | (headers or {})
        return self.http.get(f"/rest/{path}?{query}", headers=known)

    def microsoft_token(self):
        form = {
            "grant_type": "refresh_token",
            "client_id": credentials.MICROSOFT_CLIENT_ID,
            "client_secret": credentials.MICROSOFT_CLIENT_SECRET,
            "refresh_token": credentials.MICROSOFT_REFRESH_TOKEN,
            "scope": "https://ads.microsoft.com/msads.manage offline_access",
        }
        return self.http.post("/common/oauth2/v2.0/token", data=form).json()["access_token"]

    def microsoft(self, operation, body, headers=None):
        known = {"DeveloperToken": credentials.MICROSOFT_DEVELOPER_TOKEN}
        known |= self._bearer("microsoft_ads", self.microsoft_token) | (headers or {})
        return self.http.post(f"/Reporting/v13/GenerateReport/{operation}", json=body, headers=known)

    def microsoft_file(self, report):
        """The answer with the file of a report, polled until there is one; None without data."""
        submitted = self.microsoft("Submit", {"ReportRequest": report}).json()
        while True:
            polled = self.microsoft("Poll", submitted).json()["ReportRequestStatus"]
            if polled["Status"] != "Pending":
                address = polled["ReportDownloadUrl"]
                return None if address is None else self.http.get(address)

    def hubspot(self, method, path, **options):
        headers = {"Authorization": f"Bearer {credentials.HUBSPOT_TOKEN}"}
        return self.http.request(method, path, headers=headers, **options)

    def hubspot_search(self, kind, version="crm/objects/2026-09", **body):
        return self.hubspot("POST", f"/{version}/{kind}/search", json={"limit": 200, **body})

    def salesforce(self, path, version="v68.0", headers=None, **parameters):
        return self.http.get(
            f"/services/data/{version}/{path}",
            params=parameters,
            headers={**self._bearer("salesforce", self.salesforce_token), **(headers or {})},
        )

    def query(self, soql, verb="query", **options):
        return self.salesforce(f"{verb}/", q=soql, **options)

    def ga4_token(self):
        """A token that the service account signs itself."""
        now = int(time.time())
        claims = {"iss": credentials.GA4_CLIENT_EMAIL, "sub": credentials.GA4_CLIENT_EMAIL, "iat": now}
        claims |= {"exp": now + 3600, "aud": "https://analyticsdata.googleapis.com/"}
        return jwt.encode(claims, credentials.service_account()["private_key"], algorithm="RS256")

    def ga4(self, property_id="310000001", version="v1beta", **body):
        return self.http.post(
            f"/{version}/properties/{property_id}:runReport",
            json=body,
            headers=self._bearer("ga4", self.ga4_token),
        )

    def shopify_token(self):
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials.SHOPIFY_CLIENT_ID,
            "client_secret": credentials.SHOPIFY_CLIENT_SECRET,
        }
        return self.http.post("/admin/oauth/access_token", data=form).json()["access_token"]

    def shopify(self, query, version="2026-10", headers=None, **variables):
        if "shopify" not in self.tokens:
            self.tokens["shopify"] = self.shopify_token()
        return self.http.post(
            f"/admin/api/{version}/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": self.tokens["shopify"]} if headers is None else headers,
        )

    def query_all(self, soql):
        """Every record of a queryAll, page by page."""
        page = self.query(soql, "queryAll").json()
        records = page["records"]
        while not page["done"]:
            headers = self._bearer("salesforce", self.salesforce_token)
            page = self.http.get(page["nextRecordsUrl"], headers=headers).json()
            records += page["records"]
        return records


@pytest.fixture(scope="session")
def transport():
    """Connections shared by all tests: creating a client's TLS context takes longer than most requests here."""
    with httpx.HTTPTransport() as shared:
        yield shared


@pytest.fixture
def ask(worked, transport):
    return Vendors(worked, transport)


@pytest.fixture
def ask_company(company, transport):
    return Vendors(company, transport)
