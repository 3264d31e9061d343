"""The keys of the simulated company, and the Airflow connections that contain them. None of them gives access to
anything real.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.clock import DAY
from sandbox.scenario import Scenario

GOOGLE_CLIENT_ID = "sandbox-client.apps.googleusercontent.example"
GOOGLE_CLIENT_SECRET = "sandbox-google-secret"
GOOGLE_REFRESH_TOKEN = "1//sandbox-refresh-token"
GOOGLE_MANAGER_ID = "9000000009"
META_ACCESS_TOKEN = "EAAsandboxaccesstoken"
META_APP_SECRET = "sandbox-meta-app-secret"
LINKEDIN_CLIENT_ID = "78sandboxclientid"
LINKEDIN_CLIENT_SECRET = "sandbox-linkedin-secret"
LINKEDIN_REFRESH_TOKEN = "AQW-sandbox-refresh-token"
MICROSOFT_CLIENT_ID = "0a1b2c3d-sandbox-client"
MICROSOFT_CLIENT_SECRET = "sandbox-microsoft-secret"
MICROSOFT_REFRESH_TOKEN = "M.C5-sandbox-refresh-token"
MICROSOFT_DEVELOPER_TOKEN = "BBDSANDBOXDEVTOKEN"
MICROSOFT_CUSTOMER_ID = "25990001"
HUBSPOT_TOKEN = "pat-eu1-sandbox-service-key"
HUBSPOT_CLIENT_ID = "sandbox-hubspot-client"
HUBSPOT_CLIENT_SECRET = "sandbox-hubspot-secret"
HUBSPOT_REFRESH_TOKEN = "sandbox-hubspot-refresh"
SALESFORCE_CLIENT_ID = "3MVGsandboxClientId"
SALESFORCE_CLIENT_SECRET = "sandbox-salesforce-secret"
SALESFORCE_REFRESH_TOKEN = "5Aep861sandboxRefresh"
SALESFORCE_SUBJECT = "integration@company.example"
SHOPIFY_CLIENT_ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SHOPIFY_CLIENT_SECRET = "shpss_sandbox_shopify_secret"
SHOPIFY_TOKEN = "shpat_sandbox_custom_app_token"
GA4_CLIENT_EMAIL = "reader@sandbox-project.iam.gserviceaccount.example"
GA4_KEY_ID = "0123456789abcdef0123456789abcdef01234567"
# A small company: its ids are listed every day, so that the warehouse equals the truth every morning.
LISTED_DAILY = {"reconcile_days": 1}
# For this long a closed account stays on the connection's list, and its runs fail.
DAYS_UNTIL_NOTICED = 2


@cache
def service_account_key() -> rsa.RSAPrivateKey:
    """The service account's key, generated from fixed words: the same in every process, and not secret."""

    def prime(words: bytes, distance: int) -> int:
        # The distance to the next prime, found once by search.
        return (int.from_bytes(hashlib.shake_256(words).digest(128), "big") | 3 << 1022 | 1) + distance

    p, q = prime(b"sandbox key one", 212), prime(b"sandbox key two", 524)
    public = rsa.RSAPublicNumbers(65_537, p * q)
    secret = pow(65_537, -1, (p - 1) * (q - 1))
    return rsa.RSAPrivateNumbers(p, q, secret, secret % (p - 1), secret % (q - 1), pow(q, -1, p), public).private_key()


def service_account() -> dict[str, str]:
    """The key file in Google Cloud's format, without its addresses."""
    pem = service_account_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "client_email": GA4_CLIENT_EMAIL,
        "private_key_id": GA4_KEY_ID,
        "private_key": pem.decode(),
    }


def connections(scenario: Scenario, base_url: str, now: int | None = None) -> dict[str, dict[str, Any]]:
    """Connection id to Airflow Connection (JSON form) for each vendor, all at one base URL.

    `now` is the moment for which accounts are listed: a closed account is removed from the list some days later.
    """
    base_url = base_url.rstrip("/")
    properties = [one.id for one in scenario.properties]
    vendors = _ad_platforms(scenario, base_url, now) | _crms() | _site(base_url, properties)
    return {name: {"conn_type": "http", "host": base_url, **details} for name, details in vendors.items()}


def _ad_platforms(scenario: Scenario, base_url: str, now: int | None) -> dict[str, dict[str, Any]]:
    def listed(platform: str) -> list[str]:
        return [
            account.id
            for account in scenario.accounts(platform)
            if now is None or not account.is_closed(now - DAYS_UNTIL_NOTICED * DAY)
        ]

    return {
        "google_ads": {
            "login": GOOGLE_CLIENT_ID,
            "password": GOOGLE_CLIENT_SECRET,
            "extra": {
                "refresh_token": GOOGLE_REFRESH_TOKEN,
                "customer_ids": listed("google_ads"),
                "token_url": f"{base_url}/token",
                "version": "v26",
            },
        },
        "meta_ads": {
            "password": META_ACCESS_TOKEN,
            "extra": {
                "account_ids": listed("meta_ads"),
                "app_secret": META_APP_SECRET,
                "version": "v26.0",
            },
        },
        "linkedin_ads": {
            "login": LINKEDIN_CLIENT_ID,
            "password": LINKEDIN_CLIENT_SECRET,
            "extra": {
                "refresh_token": LINKEDIN_REFRESH_TOKEN,
                "account_ids": listed("linkedin_ads"),
                "token_url": f"{base_url}/oauth/v2/accessToken",
                "version": "202607",
            },
        },
        "microsoft_ads": {
            "login": MICROSOFT_CLIENT_ID,
            "password": MICROSOFT_CLIENT_SECRET,
            "extra": {
                "refresh_token": MICROSOFT_REFRESH_TOKEN,
                "developer_token": MICROSOFT_DEVELOPER_TOKEN,
                "customer_id": MICROSOFT_CUSTOMER_ID,
                "account_ids": listed("microsoft_ads"),
                "token_url": f"{base_url}/common/oauth2/v2.0/token",
                "version": "v13",
            },
        },
    }


def _crms() -> dict[str, dict[str, Any]]:
    return {
        "hubspot": {"password": HUBSPOT_TOKEN, "extra": {"version": "2026-09", **LISTED_DAILY}},
        "salesforce": {
            "login": SALESFORCE_CLIENT_ID,
            "password": SALESFORCE_CLIENT_SECRET,
            "extra": {"grant_type": "client_credentials", "version": "v68.0", **LISTED_DAILY},
        },
    }


def _site(base_url: str, properties: list[str]) -> dict[str, dict[str, Any]]:
    """The shop, the visits, and the rates of its currencies."""
    return {
        "shopify": {
            "login": SHOPIFY_CLIENT_ID,
            "password": SHOPIFY_CLIENT_SECRET,
            "extra": {"version": "2026-10", **LISTED_DAILY},
        },
        "ga4": {
            "login": GA4_CLIENT_EMAIL,
            "password": service_account()["private_key"],
            "extra": {
                "property_ids": properties,
                "private_key_id": GA4_KEY_ID,
                "token_url": f"{base_url}/oauth2/v4/token",
                "version": "v1beta",
            },
        },
        # Its dollar rate is the company's own; rates of other currencies come from the seeds.
        "exchange_rates": {"extra": {"currencies": ["USD"]}},
    }
