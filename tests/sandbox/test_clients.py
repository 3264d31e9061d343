"""The vendors' own clients, unmodified, read the sandbox: independent proof of its formats."""

import csv
import io
import json
from datetime import date

import pytest
import requests

from sandbox import credentials
from sandbox.clock import moment
from sandbox.worlds import build
from tests.sandbox.apart import run_apart
from tests.sandbox.conftest import ANCHOR

# --- Salesforce: simple-salesforce, which always speaks https --------------------------------------------------------


@pytest.fixture
def simple_salesforce(company, ask_company):
    from simple_salesforce import Salesforce

    session = requests.Session()
    session.trust_env = False  # a bundle named in the environment would win over ours
    session.verify = str(company.ca_file)
    return Salesforce(
        instance_url=company.tls_url, session_id=ask_company.salesforce_token(), version="68.0", session=session
    )


def test_simple_salesforce_reads_every_page(company, simple_salesforce):
    company.set(salesforce_page_size=300)
    result = simple_salesforce.query_all("SELECT Id, Email, Status FROM Lead", include_deleted=True)
    assert result["done"]
    assert len(result["records"]) == result["totalSize"] > 1_000
    assert len({record["Id"] for record in result["records"]}) == result["totalSize"]


def test_simple_salesforce_reads_in_bulk(company, simple_salesforce):
    company.set(salesforce_bulk_page_size=500)
    statement = "SELECT Id, Email, IsConverted, CreatedDate FROM Lead"
    pages = list(simple_salesforce.bulk2.Lead.query_all(statement, wait=0))
    found = [row for page in pages for row in csv.DictReader(io.StringIO(page))]
    whole = simple_salesforce.query_all(statement, include_deleted=True)["records"]
    assert len(pages) > 2
    assert sorted(row["Id"] for row in found) == sorted(row["Id"] for row in whole)
    assert {row["IsConverted"] for row in found} == {"true", "false"}


def test_simple_salesforce_iterates_describes_and_asks_for_limits(simple_salesforce):
    statement = "SELECT Id FROM Opportunity WHERE IsWon = true AND CloseDate >= 2026-10-01 ORDER BY CloseDate"
    assert len(list(simple_salesforce.query_all_iter(statement))) > 10
    described = simple_salesforce.Opportunity.describe()
    assert "List_Amount__c" in {field["name"] for field in described["fields"]}
    assert simple_salesforce.limits()["DailyApiRequests"]["Max"] == 15_000
    assert simple_salesforce.api_usage["api-usage"].total == 15_000


def test_simple_salesforce_reads_campaigns_lines_and_dated_rates(simple_salesforce):
    campaigns = simple_salesforce.query_all("SELECT Id, Type FROM Campaign")["records"]
    statement = "SELECT Id, CampaignId, LeadId, FirstRespondedDate FROM CampaignMember WHERE HasResponded = true"
    members = simple_salesforce.query_all(statement)["records"]
    assert {one["CampaignId"] for one in members} < {one["Id"] for one in campaigns}
    assert all(one["LeadId"] and one["FirstRespondedDate"] for one in members)
    lines = simple_salesforce.bulk2.OpportunityLineItem.query(
        "SELECT OpportunityId, ProductCode, TotalPrice FROM OpportunityLineItem", wait=0
    )
    sums = {}
    for page in lines:
        for row in csv.DictReader(io.StringIO(page)):
            sums[row["OpportunityId"]] = sums.get(row["OpportunityId"], 0) + float(row["TotalPrice"])
    deals = simple_salesforce.query_all("SELECT Id, Amount FROM Opportunity")["records"]
    assert sums == {deal["Id"]: deal["Amount"] for deal in deals if deal["Id"] in sums}
    assert len(sums) > 100
    rates = simple_salesforce.query_all(
        "SELECT IsoCode, ConversionRate, StartDate, NextStartDate FROM DatedConversionRate"
    )
    assert [one["NextStartDate"] is None for one in rates["records"]].count(True) == 4


def test_simple_salesforce_names_a_refusal(simple_salesforce):
    from simple_salesforce.exceptions import SalesforceMalformedRequest

    with pytest.raises(SalesforceMalformedRequest, match="No such column 'Shoesize' on entity 'Lead'"):
        simple_salesforce.query("SELECT Shoesize FROM Lead")


# --- HubSpot: hubspot-api-client --------------------------------------------------------------------------------------


@pytest.fixture
def hubspot_client(company):
    from hubspot import HubSpot

    return HubSpot(access_token=credentials.HUBSPOT_TOKEN, host=company.base_url)


def test_hubspot_client_searches_page_by_page(hubspot_client):
    from hubspot.crm.contacts import PublicObjectSearchRequest

    modified = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1788220800000"}
    after, ids = None, []
    while True:
        page = hubspot_client.crm.contacts.search_api.do_search(
            PublicObjectSearchRequest(
                filter_groups=[{"filters": [modified]}],
                sorts=["hs_object_id"],
                properties=["email"],
                limit=200,
                after=after or 0,
            )
        )
        ids += [contact.id for contact in page.results]
        if page.paging is None:
            break
        after = page.paging.next.after
    assert len(ids) == len(set(ids)) == page.total > 2_000


def test_hubspot_client_lists_archived_contacts_and_reads_histories_in_batches(hubspot_client):
    from hubspot.crm.contacts import BatchReadInputSimplePublicObjectId

    archived = hubspot_client.crm.contacts.basic_api.get_page(limit=50, archived=True)
    assert archived.results
    assert all(contact.archived and contact.archived_at for contact in archived.results)
    listed = hubspot_client.crm.contacts.basic_api.get_page(limit=50).results
    batch = hubspot_client.crm.contacts.batch_api.read(
        BatchReadInputSimplePublicObjectId(
            inputs=[{"id": contact.id} for contact in listed],
            properties=["email"],
            properties_with_history=["lifecyclestage"],
        )
    )
    assert {contact.id for contact in batch.results} == {contact.id for contact in listed}
    history = batch.results[0].properties_with_history["lifecyclestage"]
    assert history[-1].value == "lead"
    assert [one.timestamp for one in history] == sorted((one.timestamp for one in history), reverse=True)


def test_hubspot_client_reads_owners_pipelines_deals_companies_and_events(hubspot_client):
    owners = hubspot_client.crm.owners.get_all()
    assert "rep1@company.example" in {owner.email for owner in owners}
    pipelines = hubspot_client.crm.pipelines.pipelines_api.get_all("deals")
    assert [stage.id for stage in pipelines.results[0].stages][-2:] == ["closedwon", "closedlost"]
    deals = hubspot_client.crm.deals.get_all(properties=["dealstage"])
    assert len(deals) > 150
    companies = hubspot_client.crm.companies.basic_api.get_page(limit=100)
    assert companies.paging.next.after == companies.results[-1].id
    properties = hubspot_client.crm.properties.core_api.get_all("contacts")
    assert "lifecyclestage" in {one.name for one in properties.results}
    events = hubspot_client.events.events_api.get_page(object_type="contact", limit=100)
    assert len(events.results) == 100


OWN_DEALS = {"propertyName": "hs_salesforceopportunityid", "operator": "NOT_HAS_PROPERTY"}


def contacts_of_own_deals():
    """Deals that exist only in HubSpot, with the labels of their contacts, from the scenario."""
    now = moment(ANCHOR)
    scenario = build("company", 7, date.fromisoformat(ANCHOR))
    return {
        deal.id: {one: deal.fields["_labels"].get(one) for one in deal.fields["_contacts"]}
        for deal in scenario.hubspot["deals"].snapshot(now)
        if deal.fields["hs_salesforceopportunityid"] is None and not deal.removed and not deal.merged
    }


def test_hubspot_client_searches_deals_and_reads_their_associations_with_labels(hubspot_client):
    from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest
    from hubspot.crm.deals import PublicObjectSearchRequest

    expected = contacts_of_own_deals()
    found = hubspot_client.crm.deals.search_api.do_search(
        PublicObjectSearchRequest(filter_groups=[{"filters": [OWN_DEALS]}], limit=100)
    ).results
    assert {deal.id for deal in found} == set(expected)
    batch = hubspot_client.crm.associations.v4.batch_api.get_page(
        "deals",
        "contacts",
        BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": deal.id} for deal in found]),
    )
    read = {
        result._from.id: {
            str(one.to_object_id): next((kind.label for kind in one.association_types if kind.label), None)
            for one in result.to
        }
        for result in batch.results
    }
    assert read == {deal: contacts for deal, contacts in expected.items() if contacts}
    # HubSpot reports a record without any as an error of the batch.
    lonely = {error.context["fromObjectId"][0] for error in batch.errors}
    assert lonely == {deal for deal, contacts in expected.items() if not contacts} != set()


def test_hubspot_client_reads_associations_with_a_deal_a_list_and_one_by_one(hubspot_client):
    expected = contacts_of_own_deals()
    deal_id = next(deal for deal, contacts in expected.items() if len(contacts) == 2)
    deal = hubspot_client.crm.deals.basic_api.get_by_id(deal_id, associations=["contacts", "companies", "line_items"])
    assert {one.id for one in deal.associations["contacts"].results} == set(expected[deal_id])
    assert {one.type for one in deal.associations["companies"].results} == {
        "deal_to_company",
        "deal_to_company_unlabeled",
    }
    items = hubspot_client.crm.line_items.basic_api.get_page(limit=100, associations=["deals"]).results
    lines = {one.id for one in items if one.associations and one.associations["deals"].results[0].id == deal_id}
    assert lines == {one.id for one in deal.associations["line items"].results}
    page = hubspot_client.crm.associations.v4.basic_api.get_page("deals", deal_id, "contacts", limit=1)
    assert page.paging.next.after == str(page.results[0].to_object_id)
    calls = hubspot_client.crm.objects.calls.basic_api.get_page(limit=100, associations=["contacts"]).results
    # The newest are associated days after they were logged.
    linked = [one for one in calls if one.associations]
    assert all(one.associations["contacts"].results[0].type == "call_to_contact" for one in linked)
    assert len(calls) > 40
    assert len(linked) > 30


# --- HubSpot: hubspot-sdk, an alpha for the dated paths, in an environment of its own ---------------------------------


def test_hubspot_sdk_reads_the_dated_paths(company):
    read = run_apart("hubspot", company.base_url, credentials.HUBSPOT_TOKEN)
    assert len(read["searched"]) == len(set(read["searched"])) == read["total"] > 2_000
    assert set(read["listed"]) >= set(read["searched"])
    expected = contacts_of_own_deals()
    assert set(read["deals"]) == set(expected)
    assert {
        deal: {one: next((label for label in labels if label), None) for one, labels in contacts.items()}
        for deal, contacts in read["associated"].items()
    } == {deal: contacts for deal, contacts in expected.items() if contacts}
    assert read["stages"][-2:] == ["Closed Won", "Closed Lost"]
    assert read["owners"] > 20


# --- GA4: google-analytics-data over REST, with the service account's own key -----------------------------------------


@pytest.fixture
def analytics_client(company, monkeypatch):
    from google.analytics.data_v1beta import BetaAnalyticsDataClient
    from google.oauth2 import service_account

    # The credentials, not the client, would ask Google itself where this account may be used.
    asks = "_is_regional_access_boundary_lookup_required"
    monkeypatch.setattr(service_account.Credentials, asks, lambda self: False, raising=False)
    info = {**credentials.service_account(), "token_uri": f"{company.base_url}/oauth2/v4/token"}
    return BetaAnalyticsDataClient(
        transport="rest",
        credentials=service_account.Credentials.from_service_account_info(info),
        client_options={"api_endpoint": company.base_url},
    )


def report_request(**more):
    from google.analytics.data_v1beta.types import DateRange, Dimension, Metric, OrderBy, RunReportRequest

    names = ("date", "sessionDefaultChannelGroup", "country")
    return RunReportRequest(
        property="properties/310000001",
        date_ranges=[DateRange(start_date="2026-11-01", end_date="2026-11-14")],
        dimensions=[Dimension(name=name) for name in names],
        metrics=[Metric(name="sessions"), Metric(name="keyEvents")],
        order_bys=[OrderBy(dimension=OrderBy.DimensionOrderBy(dimension_name=name)) for name in names],
        **more,
    )


def test_analytics_client_reads_a_report_over_all_pages(analytics_client):
    whole = analytics_client.run_report(report_request(return_property_quota=True))
    rows, offset = [], 0
    while True:
        page = analytics_client.run_report(report_request(limit=200, offset=offset))
        rows += list(page.rows)
        offset += 200
        if offset >= page.row_count:
            break
    assert [row.dimension_values for row in rows] == [row.dimension_values for row in whole.rows]
    assert len(rows) == whole.row_count > 500
    assert sum(int(row.metric_values[0].value) for row in rows) > 10_000
    assert [header.type_.name for header in whole.metric_headers] == ["TYPE_INTEGER", "TYPE_FLOAT"]
    assert (whole.metadata.time_zone, whole.metadata.currency_code) == ("Europe/Berlin", "EUR")
    assert whole.metadata.subject_to_thresholding
    assert whole.property_quota.tokens_per_project_per_hour.remaining == 13_990


def test_analytics_client_takes_an_empty_report(analytics_client):
    request = report_request()
    request.date_ranges[0].start_date = request.date_ranges[0].end_date = "2025-01-01"
    empty = analytics_client.run_report(request)
    assert (list(empty.rows), empty.row_count) == ([], 0)


def test_analytics_client_names_a_refusal(analytics_client):
    from google.analytics.data_v1beta.types import Dimension
    from google.api_core.exceptions import BadRequest, Forbidden

    request = report_request()
    request.dimensions.append(Dimension(name="shoeSize"))
    with pytest.raises(BadRequest, match="shoeSize is not a valid dimension"):
        analytics_client.run_report(request)
    request = report_request()
    request.property = "properties/1"
    with pytest.raises(Forbidden):
        analytics_client.run_report(request)


# --- Shopify: ShopifyAPI ----------------------------------------------------------------------------------------------


@pytest.fixture
def shopify_client(company, ask_company):
    import shopify

    shopify.ShopifyResource.set_site(f"{company.base_url}/admin/api/2026-10")
    shopify.ShopifyResource.headers["X-Shopify-Access-Token"] = ask_company.shopify_token()
    yield shopify.GraphQL()
    shopify.ShopifyResource.clear_session()


NEWEST_ORDERS = """
query NewestOrders($query: String!, $after: String) {
  orders(first: 25, after: $after, query: $query, sortKey: UPDATED_AT) {
    edges { cursor node { ...figures lineItems(first: 10) { edges { node { sku quantity } } } } }
    pageInfo { hasNextPage endCursor }
  }
}
fragment figures on Order {
  id name discountCodes totalRefundedSet { shopMoney { amount currencyCode } }
}
"""


def test_shopify_client_reads_orders_over_all_pages(shopify_client):
    orders, after = [], None
    while True:
        answer = shopify_client.execute(
            NEWEST_ORDERS, {"query": "updated_at:>='2026-11-01T00:00:00Z'", "after": after}, "NewestOrders"
        )
        found = json.loads(answer)["data"]["orders"]
        orders += [edge["node"] for edge in found["edges"]]
        if not found["pageInfo"]["hasNextPage"]:
            break
        after = found["pageInfo"]["endCursor"]
    assert len(orders) == len({order["id"] for order in orders}) > 250
    assert all(order["lineItems"]["edges"] for order in orders)
    assert {order["totalRefundedSet"]["shopMoney"]["currencyCode"] for order in orders} == {"EUR"}
    assert max(len(order["discountCodes"]) for order in orders) == 2


def test_shopify_client_runs_a_bulk_operation(shopify_client):
    run = """mutation { bulkOperationRunQuery(query: \"\"\"{ orders { edges { node { id name } } } }\"\"\") {
      bulkOperation { id status } userErrors { field message } } }"""
    started = json.loads(shopify_client.execute(run))["data"]["bulkOperationRunQuery"]
    assert started["userErrors"] == []
    for _ in range(20):
        state = json.loads(shopify_client.execute("{ currentBulkOperation { status url objectCount } }"))
        if state["data"]["currentBulkOperation"]["status"] == "COMPLETED":
            break
    lines = requests.get(state["data"]["currentBulkOperation"]["url"], timeout=30).text.splitlines()
    assert len(lines) == int(state["data"]["currentBulkOperation"]["objectCount"]) > 1_000


def test_shopify_client_names_a_refusal(shopify_client):
    from urllib.error import HTTPError

    answer = json.loads(shopify_client.execute("{ orders(first: 1) { nodes { shoeSize } } }"))
    assert answer["errors"][0]["extensions"]["code"] == "undefinedField"
    shopify_client.headers["X-Shopify-Access-Token"] = "wrong"
    with pytest.raises(HTTPError, match="401"):
        shopify_client.execute("{ shop { name } }")
