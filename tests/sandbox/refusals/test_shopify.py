"""The sandbox refuses the same requests as Shopify, with its messages and status."""

import orjson
import pytest

from sandbox import credentials, process
from tests.sandbox.conftest import Vendors

ORDERS = "{ orders(first: 5) { nodes { name } pageInfo { hasNextPage } } }"


def graphql_code(answer):
    assert answer.status_code == 200, answer.text
    (error,) = answer.json()["errors"]
    return error.get("extensions", {}).get("code")


def test_shopify_refuses_who_has_no_token(ask):
    for headers in ({}, {"X-Shopify-Access-Token": "wrong"}, {"Authorization": f"Bearer {credentials.SHOPIFY_TOKEN}"}):
        refused = ask.shopify(ORDERS, headers=headers)
        assert (refused.status_code, "Invalid API key" in refused.json()["errors"]) == (401, True)
    assert ask.shopify(ORDERS, headers={"X-Shopify-Access-Token": credentials.SHOPIFY_TOKEN}).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
    ],
)
def test_shopify_gives_no_token_for_bad_credentials(ask, form, status, error):
    good = {
        "grant_type": "client_credentials",
        "client_id": credentials.SHOPIFY_CLIENT_ID,
        "client_secret": credentials.SHOPIFY_CLIENT_SECRET,
    }
    refused = ask.http.post("/admin/oauth/access_token", data={**good, **form})
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    given = ask.http.post("/admin/oauth/access_token", json=good).json()
    assert given["expires_in"] == 86_399
    assert "read_all_orders" in given["scope"].split(",")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ orders(first: 5) { nodes { shoeSize } } }", "undefinedField"),
        ("{ shoes { id } }", "undefinedField"),
        ("{ orders { nodes { name } } }", "BAD_REQUEST"),
        ("{ orders(first: 251) { nodes { name } } }", "BAD_REQUEST"),
        ('{ orders(first: 5, after: "no cursor") { nodes { name } } }', "BAD_REQUEST"),
        ("{ orders(first: 5) { nodes { lineItems } } }", "selectionMismatch"),
        ("{ shop { name { first } } }", "selectionMismatch"),
        ("{ orders(first: 5) { nodes { name }", None),
        ("mutation { orderDelete { id } }", "undefinedField"),
    ],
)
def test_shopify_refuses_a_bad_query_with_status_200(ask, query, code):
    assert graphql_code(ask.shopify(query)) == code


def test_shopify_refuses_an_invalid_version_and_answers_old_ones_as_its_oldest(ask):
    gone = ask.shopify(ORDERS, version="v1")
    assert (gone.status_code, gone.json()) == (404, {"errors": "Not Found"})
    old = ask.shopify(ORDERS, version="2024-04")
    assert (old.status_code, old.headers["x-shopify-api-version"]) == (200, "2026-01")


def names(answer):
    return {order["name"] for order in answer.json()["data"]["orders"]["nodes"]}


def test_shopify_ignores_the_time_of_a_date_time_without_quotes(ask):
    query = "query($q: String) { orders(first: 5, query: $q) { nodes { name } } }"
    assert names(ask.shopify(query, q="updated_at:>='2026-01-28T12:00:00Z'")) == set()
    assert names(ask.shopify(query, q="updated_at:>=2026-01-28T12:00:00Z")) == {"S1"}
    assert names(ask.shopify(query, q="updated_at:>='2026-01-20T00:00:00Z' AND updated_at:<'2026-01-21'")) == {"S2"}


def test_shopify_draws_points_from_a_bucket_that_refills(ask):
    with process.running(scenario="worked_example", rate_limits="real") as limited:
        vendors = Vendors(limited)
        dear = "{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { id } } refunds { id } } } }"
        seen = [vendors.shopify(dear).json() for _ in range(40)]
        refused = next(one for one in seen if "errors" in one)
        assert refused["errors"][0]["extensions"]["code"] == "THROTTLED"
        cost = refused["extensions"]["cost"]
        assert cost["requestedQueryCost"] > cost["throttleStatus"]["currentlyAvailable"]
        assert cost["throttleStatus"]["restoreRate"] == 100


def test_shopify_refuses_a_query_that_costs_too_much(ask):
    many = " ".join(f"o{number}: orders(first: 250) {{ nodes {{ id }} }}" for number in range(20))
    assert graphql_code(ask.shopify(f"{{ {many} }}")) == "MAX_COST_EXCEEDED"


BULK = (
    "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id status } userErrors { message } } }"
)


def bulk_problem(ask, query):
    answer = ask.shopify(BULK, q=query).json()["data"]["bulkOperationRunQuery"]
    return [error["message"] for error in answer["userErrors"]]


def test_shopify_refuses_bulk_queries_that_it_cannot_run(ask):
    inside = "{ orders { edges { node { id refunds { id refundLineItems { edges { node { id } } } } } } } }"
    (message,) = bulk_problem(ask, inside)
    assert "connection field within a list field" in message
    assert len(bulk_problem(ask, "{ shop { name } }")) == 1
    assert len(bulk_problem(ask, "{ orders {")) == 1
    ask.handle.set(report_polls=100)
    fine = "{ orders { edges { node { id } } } }"
    assert [bulk_problem(ask, fine) for _ in range(5)] == [[]] * 5
    assert "already in progress" in bulk_problem(ask, fine)[0]


def test_shopify_writes_children_after_all_parents_and_names_them(ask):
    query = "{ orders { edges { node { name id lineItems { edges { node { sku } } } } } } }"
    started = ask.shopify(BULK, q=query).json()["data"]["bulkOperationRunQuery"]["bulkOperation"]
    poll = "query($id: ID!) { node(id: $id) { ... on BulkOperation { status url objectCount } } }"
    states = [ask.shopify(poll, id=started["id"]).json()["data"]["node"] for _ in range(3)]
    assert [state["status"] for state in states][-1] == "COMPLETED"
    assert started["status"] == "CREATED"
    text = ask.http.get(states[-1]["url"]).text
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert [line.get("name") or line["sku"] for line in lines] == ["S1", "S2", "KIT-1", "BOK-1", "INVOICE"]
    assert lines[2]["__parentId"] == lines[0]["id"]
    assert states[-1]["objectCount"] == "5"
    assert ask.http.get(states[-1]["url"].replace("made-up", "forged")).status_code == 403
