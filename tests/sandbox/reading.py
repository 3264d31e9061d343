"""One way of reading each vendor, page by page."""

CUSTOMER = "4155550101"
META = "act_331122334455661"
STATISTICS = (
    "SELECT campaign.id, segments.date, metrics.clicks, metrics.cost_micros FROM campaign "
    "WHERE segments.date BETWEEN '2026-11-01' AND '2026-11-07'"
)
LINKEDIN = "512340001"
LINKEDIN_STATISTICS = (
    "q=analytics&pivot=CAMPAIGN&timeGranularity=DAILY"
    "&dateRange=(start:(year:2026,month:11,day:1),end:(year:2026,month:11,day:7))"
    f"&accounts=List(urn%3Ali%3AsponsoredAccount%3A{LINKEDIN})&fields=dateRange,pivotValues,clicks,costInLocalCurrency"
)
MICROSOFT_REPORT = {
    "Type": "CampaignPerformanceReportRequest",
    "Format": "Csv",
    "FormatVersion": "2.0",
    "Aggregation": "Daily",
    "Columns": ["TimePeriod", "CampaignId", "Clicks", "Spend"],
    "Scope": {"AccountIds": ["180000001"]},
    "Time": {
        "CustomDateRangeStart": {"Day": 1, "Month": 11, "Year": 2026},
        "CustomDateRangeEnd": {"Day": 7, "Month": 11, "Year": 2026},
    },
}
META_RANGE = '{"since":"2026-11-01","until":"2026-11-07"}'


def read_google(ask):
    """(pages, keys) of a paged search."""
    token, pages = "", []
    while True:
        body = {"pageToken": token} if token else {}
        answer = ask.google(CUSTOMER, STATISTICS, method="search", **body)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        pages.append([(row["campaign"]["id"], row["segments"]["date"]) for row in page["results"]])
        token = page.get("nextPageToken")
        if not token:
            return pages


def read_meta(ask):
    body = ask.meta(
        f"{META}/insights", level="campaign", time_increment=1, time_range=META_RANGE, fields="campaign_id", limit=10
    ).json()
    pages = []
    while True:
        pages.append([(row["campaign_id"], row["date_start"]) for row in body["data"]])
        following = body.get("paging", {}).get("next")
        if not following:
            return pages
        body = ask.http.get(following).json()


def read_hubspot(ask):
    after, pages = "0", []
    while after is not None:
        page = ask.hubspot_search("deals", limit=60, after=after, sorts=["hs_object_id"]).json()
        pages.append([one["id"] for one in page["results"]])
        after = page.get("paging", {}).get("next", {}).get("after")
    return pages


def read_salesforce(ask):
    page = ask.query("SELECT Id FROM Opportunity ORDER BY Id", "queryAll").json()
    pages = []
    while True:
        pages.append([one["Id"] for one in page["records"]])
        if page["done"]:
            return pages
        headers = ask._bearer("salesforce", ask.salesforce_token)
        page = ask.http.get(page["nextRecordsUrl"], headers=headers).json()


REPORT = {
    "dateRanges": [{"startDate": "2026-11-01", "endDate": "2026-11-02"}],
    "dimensions": [{"name": "date"}, {"name": "sessionSource"}, {"name": "sessionCampaignName"}],
    "metrics": [{"name": "sessions"}],
    "orderBys": [{"dimension": {"dimensionName": name}} for name in ("date", "sessionSource", "sessionCampaignName")],
}


def read_ga4(ask):
    pages, offset = [], 0
    while True:
        page = ask.ga4(**REPORT, limit="20", offset=str(offset)).json()
        pages.append([tuple(one["value"] for one in row["dimensionValues"]) for row in page.get("rows", ())])
        # An empty page must be requested again: the next offset would skip its records.
        offset += 20 if pages[-1] else 0
        if offset >= page["rowCount"]:
            return pages


ORDERS = """query($first: Int!, $after: String) {
orders(first: $first, after: $after, sortKey: UPDATED_AT, query: "updated_at:>='2026-11-15T00:00:00Z'") {
nodes { id sourceName createdAt } pageInfo { hasNextPage endCursor } } }"""


def read_shopify(ask):
    pages, after = [], None
    while True:
        orders = ask.shopify(ORDERS, first=20, after=after).json()["data"]["orders"]
        pages.append([one["id"] for one in orders["nodes"]])
        after = orders["pageInfo"]["endCursor"]
        if not orders["pageInfo"]["hasNextPage"]:
            return pages


def read_linkedin(ask):
    """Campaigns: statistics have no pages."""
    token, pages = "", []
    while True:
        query = "q=search&pageSize=2" + (f"&pageToken={token}" if token else "")
        page = ask.linkedin(f"adAccounts/{LINKEDIN}/adCampaigns", query).json()
        pages.append([one["id"] for one in page["elements"]])
        token = page["metadata"].get("nextPageToken")
        if not token:
            return pages


READERS = {
    "google_ads": read_google,
    "meta_ads": read_meta,
    "linkedin_ads": read_linkedin,
    "hubspot": read_hubspot,
    "salesforce": read_salesforce,
    "ga4": read_ga4,
    "shopify": read_shopify,
}
VENDORS = list(READERS)


def one_request(ask, vendor):
    """The first data request of a vendor."""
    if vendor == "google_ads":
        return ask.google(CUSTOMER, STATISTICS, method="search")
    if vendor == "meta_ads":
        return ask.meta(f"{META}/insights", level="campaign", time_increment=1, time_range=META_RANGE, fields="clicks")
    if vendor == "linkedin_ads":
        return ask.linkedin("adAnalytics", LINKEDIN_STATISTICS)
    if vendor == "microsoft_ads":
        return ask.microsoft("Submit", {"ReportRequest": MICROSOFT_REPORT})
    if vendor == "hubspot":
        return ask.hubspot_search("contacts", properties=["lifecyclestage"], sorts=["hs_object_id"])
    if vendor == "ga4":
        return ask.ga4(**REPORT)
    if vendor == "shopify":
        return ask.shopify(ORDERS, first=20)
    if vendor == "exchange_rates":
        period = {"startPeriod": "2026-11-02", "format": "csvdata"}
        return ask.http.get("/service/data/EXR/D.USD.EUR.SP00.A", params=period)
    return ask.query("SELECT Id, OwnerId, CreatedDate FROM Lead")


def rows_of(vendor, answer):
    if vendor == "shopify":
        return answer.json()["data"]["orders"]["nodes"]
    lists = {"meta_ads": "data", "linkedin_ads": "elements", "salesforce": "records", "ga4": "rows"}
    return answer.json()[lists.get(vendor, "results")]
