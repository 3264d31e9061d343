"""Reads a sandbox with Microsoft's own client `msads`, in an environment of its own, and prints what it read as JSON.

Usage: python read_microsoft.py BASE_URL CLIENT_ID CLIENT_SECRET REFRESH_TOKEN DEVELOPER_TOKEN CUSTOMER_ID ACCOUNT_ID
"""

import json
import os
import sys
import tempfile

print("started", flush=True)
os.environ["NO_PROXY"] = "127.0.0.1,localhost"

from bingads.authorization import (  # noqa: E402
    AuthorizationData,
    OAuthWebAuthCodeGrant,
    _UriOAuthService,
)
from bingads.v13.reporting import ReportingDownloadParameters, ReportingServiceManager  # noqa: E402
from openapi_client.models.reporting import (  # noqa: E402
    AccountThroughCampaignReportScope,
    CampaignPerformanceReportRequest,
    Date,
    ReportTime,
)

base_url, client_id, client_secret, refresh_token, developer_token, customer_id, account_id = sys.argv[1:]
_UriOAuthService.AUTH_TOKEN_URI["production", "msads.manage"] = f"{base_url}/common/oauth2/v2.0/token"

grant = OAuthWebAuthCodeGrant(client_id, client_secret, "http://localhost/", env="production")
grant.request_oauth_tokens_by_refresh_token(refresh_token)
authorization = AuthorizationData(
    account_id=account_id, customer_id=customer_id, developer_token=developer_token, authentication=grant
)
manager = ReportingServiceManager(authorization, poll_interval_in_milliseconds=200, location=base_url)

request = CampaignPerformanceReportRequest(
    ReportName="msads",
    Format="Csv",
    FormatVersion="2.0",
    Aggregation="Daily",
    ReturnOnlyCompleteData=False,
    Columns=["TimePeriod", "AccountId", "CampaignId", "CampaignName", "CurrencyCode", "Impressions", "Clicks", "Spend"],
    Scope=AccountThroughCampaignReportScope(AccountIds=[account_id]),
    Time=ReportTime(
        CustomDateRangeStart=Date(Day=1, Month=11, Year=2026),
        CustomDateRangeEnd=Date(Day=14, Month=11, Year=2026),
        ReportTimeZone="GreenwichMeanTimeDublinEdinburghLisbonLondon",
    ),
)

report = manager.download_report(
    ReportingDownloadParameters(
        report_request=request,
        result_file_directory=tempfile.mkdtemp(),
        result_file_name="report.csv",
        overwrite_result_file=True,
        timeout_in_milliseconds=60_000,
    )
)
rows = [
    {name: record.value(name) for name in ("TimePeriod", "CampaignId", "CampaignName", "Clicks", "Spend")}
    for record in report.report_records
]
print(
    json.dumps(
        {
            "rows": rows,
            "count": report.record_count,
            "time_zone": report.time_zone,
            "aggregation": report.report_aggregation,
            "incomplete": report.potential_incomplete_data,
            "columns": report.report_columns,
        }
    )
)
