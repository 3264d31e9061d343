"""The sandbox refuses the same requests as HubSpot, with its messages and status."""

import pytest

from sandbox import credentials


def search(**filters):
    return {
        "filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GT", "value": "0", **filters}]}]
    }


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 0},
        {"after": "next"},
        {"sorts": ["shoesize"]},
        {"sorts": ["email", "createdate"]},
        search(propertyName="shoesize"),
        search(operator="RESEMBLES"),
        search(value="yesterday"),
        search(operator="BETWEEN", value="1"),
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ"}]}]},
        {"filterGroups": [{"filters": []}] * 6},
    ],
)
def test_hubspot_refuses_a_bad_search(ask, body):
    answer = ask.hubspot_search("contacts", **body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_hubspot_search_ends_at_its_cap(worked, ask):
    worked.set(hubspot_search_cap=2)
    assert ask.hubspot_search("contacts", limit=2).json()["total"] == 3
    beyond = ask.hubspot_search("contacts", limit=2, after="2")
    assert beyond.status_code == 400


def test_hubspot_search_goes_on_by_id_past_the_cap(ask):
    beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": "101"}
    found = ask.hubspot_search("contacts", filterGroups=[{"filters": [beyond]}], sorts=["hs_object_id"]).json()
    assert [one["id"] for one in found["results"]] == ["102", "103"]


def test_hubspot_search_bounds_of_between_belong_to_it(ask):
    def found(low, high):
        body = search(operator="BETWEEN", value=str(low), highValue=str(high))
        return [one["id"] for one in ask.hubspot_search("contacts", **body).json()["results"]]

    merged = 1_768_435_200_000  # 2026-01-15T00:00:00Z, when Carl was merged
    assert found(merged, merged) == ["103"]
    assert found(merged + 1, merged + 1_000) == []


def test_hubspot_search_shows_changes_late_if_set(worked, ask):
    worked.set_now("2026-01-05T10:00:30Z")
    assert ask.hubspot_search("contacts").json()["total"] == 1
    worked.set(hubspot_search_lag_seconds=60)
    assert ask.hubspot_search("contacts").json()["total"] == 0


def test_hubspot_wants_a_known_bearer(ask):
    path = "/crm/objects/2026-09/contacts"
    assert ask.http.get(path).json()["category"] == "INVALID_AUTHENTICATION"
    assert ask.http.get(path, headers={"Authorization": "Bearer nobody"}).status_code == 401


def test_hubspot_oauth_tokens_work_and_expire(worked, ask):
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.HUBSPOT_CLIENT_ID,
        "client_secret": credentials.HUBSPOT_CLIENT_SECRET,
        "refresh_token": credentials.HUBSPOT_REFRESH_TOKEN,
    }
    token = ask.http.post("/oauth/2026-09/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert ask.http.get("/crm/objects/2026-09/contacts", headers=headers).status_code == 200
    worked.set(token_seconds=0)
    late = ask.http.post("/oauth/v1/token", data=form).json()["access_token"]
    answer = ask.http.get("/crm/objects/2026-09/contacts", headers={"Authorization": f"Bearer {late}"})
    assert answer.json()["category"] == "EXPIRED_AUTHENTICATION"
    assert ask.http.post("/oauth/v1/token", data={**form, "client_secret": "wrong"}).status_code == 400


@pytest.mark.parametrize("version", ["crm/objects/2026-09", "crm/objects/2026-03", "crm/v3/objects"])
def test_hubspot_answers_on_dated_and_old_paths(ask, version):
    assert ask.hubspot_search("contacts", version=version).json()["total"] == 3


def test_hubspot_knows_no_other_versions_or_objects(ask):
    assert ask.hubspot_search("contacts", version="crm/objects/2024-03").status_code == 404
    assert ask.hubspot_search("shoes").status_code == 400


def test_hubspot_list_pages_are_smaller_with_history(ask):
    path = "/crm/objects/2026-09/contacts"
    assert ask.hubspot("GET", path, params={"limit": 100}).status_code == 200
    with_history = {"limit": 51, "propertiesWithHistory": "lifecyclestage"}
    assert ask.hubspot("GET", path, params=with_history).status_code == 400
    body = {
        "inputs": [{"id": str(n)} for n in range(51)],
        "properties": [],
        "propertiesWithHistory": ["lifecyclestage"],
    }
    assert ask.hubspot("POST", f"{path}/batch/read", json=body).status_code == 400


def test_hubspot_search_shows_no_archived_and_no_merged_contacts(ask_company):
    path = "/crm/objects/2026-09/contacts"
    archived, after = [], None
    while True:
        query = {"archived": "true", "limit": 20, **({"after": after} if after else {})}
        page = ask_company.hubspot("GET", path, params=query).json()
        archived += [one["id"] for one in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")
        if after is None:
            break
    assert len(archived) > 20
    found, after = [], "0"
    while after is not None:
        page = ask_company.hubspot_search("contacts", after=after, properties=["hs_merged_object_ids"]).json()
        found += page["results"]
        after = page.get("paging", {}).get("next", {}).get("after")
    shown = {one["id"] for one in found}
    losers = {one["properties"]["hs_merged_object_ids"] for one in found} - {None}
    assert len(losers) > 5
    assert not shown & losers
    assert not shown & set(archived)
    assert not losers & set(archived)


def test_hubspot_unknown_properties_are_left_out_and_empty_ones_null(ask):
    (one,) = ask.hubspot_search(
        "contacts",
        properties=["utm_id", "shoesize", "salesforceleadid"],
        filterGroups=[{"filters": [{"propertyName": "email", "operator": "EQ", "value": "Ana@Account-X.example"}]}],
    ).json()["results"]
    assert one["properties"]["utm_id"] == "11"
    assert one["properties"]["salesforceleadid"] is None
    assert "shoesize" not in one["properties"]


def test_hubspot_events_are_filtered_by_time_type_and_contact(ask):
    def ids(path="/events/event-occurrences/2026-09", **query):
        return [one["id"] for one in ask.hubspot("GET", path, params=query).json()["results"]]

    assert ids() == ["evt-3", "evt-2", "evt-1"]
    assert ids(path="/events/v3/events/", sort="occurredAt") == ["evt-1", "evt-2", "evt-3"]
    assert ids(occurredAfter="2026-01-09T15:00:00Z", occurredBefore="2026-01-25T09:00:00Z") == ["evt-2"]
    assert ids(objectType="contact", objectId="102") == ["evt-3"]
    assert ids(eventType="pe4242_webinar_attended") == ["evt-2"]
    assert ask.hubspot("GET", "/events/v3/events", params={"objectId": "102"}).status_code == 400
    assert ask.hubspot("GET", "/events/v3/events", params={"occurredAfter": "soon"}).status_code == 400
