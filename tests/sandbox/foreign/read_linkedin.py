"""Reads a sandbox with Airbyte's LinkedIn connector, in an environment of its own, and prints what it read as JSON.

The published connector is not modified: LinkedIn's URLs are rewritten where requests leave the process. Usage: python
read_linkedin.py BASE_URL START_DATE CLIENT_ID CLIENT_SECRET REFRESH_TOKEN STREAM…
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import requests

print("started", flush=True)

base_url, start_date, client_id, client_secret, refresh_token, *streams = sys.argv[1:]
send = requests.Session.send


def send_to_sandbox(session, request, **options):
    for host in ("https://api.linkedin.com", "https://www.linkedin.com"):
        request.url = request.url.replace(host, base_url)
    session.trust_env = False
    return send(session, request, **options)


requests.Session.send = send_to_sandbox

import source_linkedin_ads  # noqa: E402
from airbyte_cdk.models import AirbyteMessageSerializer, ConfiguredAirbyteCatalogSerializer, Type  # noqa: E402
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource  # noqa: E402
from yaml import safe_load  # noqa: E402

manifest = safe_load((Path(source_linkedin_ads.__file__).parent / "manifest.yaml").read_text())
config = {
    "start_date": start_date,
    "credentials": {
        "auth_method": "oAuth2.0",
        "client_id": client_id,
        "client_secret": client_secret,
        "refresh_token": refresh_token,
    },
}
catalog = ConfiguredAirbyteCatalogSerializer.load(
    {
        "streams": [
            {
                "stream": {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
                "sync_mode": "full_refresh",
                "destination_sync_mode": "overwrite",
            }
            for name in streams
        ]
    }
)
source = ConcurrentDeclarativeSource(catalog=catalog, config=config, state=[], source_config=manifest)
import logging  # noqa: E402

read = defaultdict(list)
traces = []
for message in source.read(logging.getLogger("airbyte"), config, catalog, []):
    if message.type == Type.RECORD:
        read[message.record.stream].append(message.record.data)
    elif message.type == Type.TRACE and message.trace.error:
        traces.append(AirbyteMessageSerializer.dump(message)["trace"]["error"]["message"])
print(json.dumps({"records": read, "errors": traces}, default=str))
