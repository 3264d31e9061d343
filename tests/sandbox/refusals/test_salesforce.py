"""The sandbox refuses the same requests as Salesforce, with its messages and status."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import credentials


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Shoesize FROM Lead", "INVALID_FIELD"),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD"),
        ("SELECT IsDeleted FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Email = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > null", "INVALID_FIELD"),
        ("SELECT Id FROM Shoe", "INVALID_TYPE"),
        ("SELECT FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE (Email = 'a'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT many", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead ORDER", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead nonsense", "MALFORMED_QUERY"),
        ("DELETE FROM Lead", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_salesforce_refuses_a_bad_query(ask, soql, code):
    answer = ask.query(soql)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


@pytest.mark.parametrize(("version", "status"), [("v30.0", 410), ("v31.0", 200), ("v68.0", 200), ("v69.0", 404)])
def test_salesforce_versions_end(ask, version, status):
    assert ask.query("SELECT Id FROM Lead", version=version).status_code == status


def test_salesforce_wants_a_session(ask):
    answer = ask.http.get("/services/data/v68.0/query/", params={"q": "SELECT Id FROM Lead"})
    assert (answer.status_code, answer.json()) == (
        401,
        [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
    )


@pytest.mark.parametrize(
    ("soql", "count"),
    [
        ("SELECT Id FROM Lead", 2),
        ("select id from lead where email = 'ANA@account-x.example'", 1),
        ("SELECT Id FROM Lead WHERE FirstName IN ('Ana', 'Dora') AND NOT (LeadSource = 'Web')", 1),
        ("SELECT Id FROM Lead WHERE NOT FirstName = 'Nobody'", 2),
        ("SELECT Id FROM Lead WHERE FirstName NOT IN ('Ana')", 1),
        ("SELECT Id FROM Lead WHERE FirstName LIKE 'D%'", 1),
        ("SELECT Id FROM Opportunity WHERE Amount > 300 AND (IsWon = true OR CurrencyIsoCode = 'USD')", 3),
        ("SELECT Id FROM Opportunity WHERE CloseDate = 2026-01-20", 2),
        ("SELECT Id FROM Opportunity WHERE CreatedDate >= 2026-01-22T01:00:00+01:00", 2),
        ("SELECT Id FROM Opportunity WHERE AccountId = null", 1),
        ("SELECT Id FROM Opportunity WHERE AccountId != null LIMIT 2", 2),
        ("SELECT Id FROM Opportunity ORDER BY Amount DESC NULLS LAST LIMIT 10 OFFSET 3", 1),
    ],
)
def test_salesforce_selects(ask, soql, count):
    assert len(ask.query(soql).json()["records"]) == count


def test_salesforce_counts_and_orders(ask):
    assert ask.query("SELECT COUNT() FROM Opportunity").json() == {"totalSize": 4, "done": True, "records": []}
    rows = ask.query("SELECT Amount FROM Opportunity ORDER BY Amount DESC").json()["records"]
    assert [row["Amount"] for row in rows] == [2000.0, 1000.0, 500.0, 300.0]

    def sources(order):
        return [
            row["LeadSource"]
            for row in ask.query(f"SELECT LeadSource FROM Opportunity ORDER BY {order}").json()["records"]
        ]

    assert sources("LeadSource") == [None, "Outbound", "Partner", "Web"]
    assert sources("LeadSource DESC NULLS LAST") == ["Web", "Partner", "Outbound", None]


def test_salesforce_hides_deleted_records_from_query_only(ask_company):
    soql = "SELECT Id, IsDeleted, MasterRecordId, SystemModstamp FROM Lead WHERE IsDeleted = true"
    assert ask_company.query(soql).json()["records"] == []
    deleted = ask_company.query_all(soql)
    assert any(row["MasterRecordId"] for row in deleted)
    assert any(row["MasterRecordId"] is None for row in deleted)


def test_salesforce_pages_by_locator_under_query(company, ask_company):
    company.set(salesforce_page_size=500)
    first = ask_company.query("SELECT Id FROM Lead", "queryAll")
    assert first.headers["Sforce-Limit-Info"].startswith("api-usage=")
    body = first.json()
    assert (body["done"], len(body["records"])) == (False, 500)
    assert body["nextRecordsUrl"].startswith("/services/data/v68.0/query/0r8")
    assert body["nextRecordsUrl"].endswith("-500")
    total = ask_company.query_all("SELECT Id FROM Lead")
    assert len(total) == body["totalSize"]
    assert len({row["Id"] for row in total}) == len(total)


def test_salesforce_batch_size_has_bounds(ask_company):
    def page(size):
        return ask_company.query("SELECT Id FROM Lead", headers={"Sforce-Query-Options": f"batchSize={size}"})

    assert len(page(200).json()["records"]) == 200
    assert page(199).status_code == 400
    assert page(2001).status_code == 400


def test_salesforce_forgets_unknown_locators(ask):
    answer = ask.salesforce("query/0r8Kx0000000099QAA-2000")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def salesforce_login(ask, **form):
    return ask.http.post("/services/oauth2/token", data=form)


def test_salesforce_gives_sessions_for_each_grant(ask):
    client = {"client_id": credentials.SALESFORCE_CLIENT_ID, "client_secret": credentials.SALESFORCE_CLIENT_SECRET}
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    claims = {
        "iss": credentials.SALESFORCE_CLIENT_ID,
        "sub": credentials.SALESFORCE_SUBJECT,
        "aud": "https://login.salesforce.com",
        "exp": datetime.now(UTC) + timedelta(minutes=3),
    }
    bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    answers = [
        salesforce_login(ask, grant_type="client_credentials", **client),
        ask.http.post(
            "/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(client["client_id"], client["client_secret"]),
        ),
        salesforce_login(ask, grant_type="refresh_token", refresh_token=credentials.SALESFORCE_REFRESH_TOKEN, **client),
        salesforce_login(ask, grant_type=bearer, assertion=jwt.encode(claims, key, algorithm="RS256")),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert {"access_token", "instance_url", "id", "issued_at", "signature", "token_type"} <= set(answer.json())
        assert "expires_in" not in answer.json()
    late = jwt.encode({**claims, "exp": datetime.now(UTC) - timedelta(hours=1)}, key, algorithm="RS256")
    for form in (
        {"grant_type": "client_credentials", **client, "client_secret": "wrong"},
        {"grant_type": "refresh_token", **client, "refresh_token": "old"},
        {"grant_type": bearer, "assertion": late},
        {"grant_type": bearer, "assertion": jwt.encode(claims, "x" * 32, algorithm="HS256")},
        {"grant_type": "password"},
    ):
        assert salesforce_login(ask, **form).status_code == 400
