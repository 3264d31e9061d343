"""The keys of the made-up company, and the Airflow Connections that carry them. None of them opens anything real."""

from __future__ import annotations

from typing import Any

from sandbox.scenario import Scenario

GOOGLE_CLIENT_ID = "sandbox-client.apps.googleusercontent.example"
GOOGLE_CLIENT_SECRET = "sandbox-google-secret"
GOOGLE_REFRESH_TOKEN = "1//sandbox-refresh-token"
GOOGLE_MANAGER_ID = "9000000009"
META_ACCESS_TOKEN = "EAAsandboxaccesstoken"
META_APP_SECRET = "sandbox-meta-app-secret"
HUBSPOT_TOKEN = "pat-eu1-sandbox-service-key"
HUBSPOT_CLIENT_ID = "sandbox-hubspot-client"
HUBSPOT_CLIENT_SECRET = "sandbox-hubspot-secret"
HUBSPOT_REFRESH_TOKEN = "sandbox-hubspot-refresh"
SALESFORCE_CLIENT_ID = "3MVGsandboxClientId"
SALESFORCE_CLIENT_SECRET = "sandbox-salesforce-secret"
SALESFORCE_REFRESH_TOKEN = "5Aep861sandboxRefresh"
SALESFORCE_SUBJECT = "integration@company.example"


def connections(scenario: Scenario, base_url: str) -> dict[str, dict[str, Any]]:
    """Connection id to Airflow Connection (JSON form) for each vendor, all at one base URL."""
    base_url = base_url.rstrip("/")
    return {
        "google_ads": {
            "conn_type": "http",
            "host": base_url,
            "login": GOOGLE_CLIENT_ID,
            "password": GOOGLE_CLIENT_SECRET,
            "extra": {
                "refresh_token": GOOGLE_REFRESH_TOKEN,
                "customer_ids": [account.id for account in scenario.accounts("google_ads")],
                "token_url": f"{base_url}/token",
                "version": "v26",
            },
        },
        "meta_ads": {
            "conn_type": "http",
            "host": base_url,
            "password": META_ACCESS_TOKEN,
            "extra": {
                "account_ids": [account.id for account in scenario.accounts("meta_ads")],
                "app_secret": META_APP_SECRET,
                "version": "v26.0",
            },
        },
        "hubspot": {
            "conn_type": "http",
            "host": base_url,
            "password": HUBSPOT_TOKEN,
            "extra": {"version": "2026-09"},
        },
        "salesforce": {
            "conn_type": "http",
            "host": base_url,
            "login": SALESFORCE_CLIENT_ID,
            "password": SALESFORCE_CLIENT_SECRET,
            "extra": {"grant_type": "client_credentials", "version": "v68.0"},
        },
    }
