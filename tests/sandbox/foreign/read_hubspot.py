"""Reads a sandbox with HubSpot's generated client `hubspot-sdk` on the dated paths, and prints what it read as JSON.

Usage: python read_hubspot.py BASE_URL SERVICE_KEY
"""

import json
import os
import sys

print("started", flush=True)
os.environ["NO_PROXY"] = "127.0.0.1,localhost"

from hubspot_sdk import HubSpot  # noqa: E402

base_url, service_key = sys.argv[1:]
os.environ["HUBSPOT_BASE_URL"] = base_url
client = HubSpot(access_token=service_key)

modified = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1788220800000"}
searched, after = [], "0"
while after:
    page = client.crm.objects.contacts.search(
        after=after,
        filter_groups=[{"filters": [modified]}],
        limit=200,
        properties=["email"],
        sorts=["hs_object_id"],
    )
    searched += [contact.id for contact in page.results]
    after = page.paging.next.after if page.paging else None

listed = [contact.id for contact in client.crm.objects.contacts.list(limit=100, properties=["email"])]

deals = client.crm.objects.deals.search(
    after="0",
    filter_groups=[{"filters": [{"propertyName": "hs_salesforceopportunityid", "operator": "NOT_HAS_PROPERTY"}]}],
    limit=100,
    properties=["dealstage"],
    sorts=["hs_object_id"],
)
ids = [deal.id for deal in deals.results]
batch = client.crm.associations.batch.get(
    from_object_type="deals", to_object_type="contacts", inputs=[{"id": deal} for deal in ids]
)
associated = {
    result.from_.id: {one.to_object_id: [kind.label for kind in one.association_types] for one in result.to}
    for result in batch.results
}
pipelines = client.crm.pipelines.list(object_type="deals")
print(
    json.dumps(
        {
            "searched": searched,
            "total": page.total,
            "listed": listed,
            "deals": ids,
            "associated": associated,
            "stages": [stage.label for stage in pipelines.results[0].stages],
            "owners": len(list(client.crm.owners.list(limit=10))),
        }
    )
)
