"""HubSpot's answers are valid by HubSpot's own OpenAPI files.

One deviation is allowed, because HubSpot itself deviates: by the files every property value is a string, but the real
service answers null for a property without a value. Fields that are not in the files are refused, although plain
validation accepts them.
"""

import datetime
import json

import jsonschema
import pytest

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value):
    return not isinstance(value, str) or datetime.datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("int32")
def _is_int32(value):
    return not isinstance(value, int) or -(2**31) <= value < 2**31


def _tighten(schema):
    """Refuse undeclared fields; let property values be null."""
    if isinstance(schema, dict):
        for name, child in schema.items():
            if name == "properties" and isinstance(child, dict) and "properties" in child:
                values = child["properties"]
                if isinstance(values, dict) and "additionalProperties" in values:
                    values["additionalProperties"] = {"type": ["string", "null"]}
            _tighten(child)
        if schema.get("type") == "object" and schema.get("properties") and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
    elif isinstance(schema, list):
        for child in schema:
            _tighten(child)


@pytest.fixture(scope="module")
def specification(reference):
    def load(name):
        document = json.loads((reference / "hubspot" / f"{name}.json").read_text())
        _tighten(document["components"]["schemas"])
        return document

    return load


def _check(document, path, method, answer, status="200"):
    (content,) = document["paths"][path][method]["responses"][status]["content"].values()
    schema = {**content["schema"], "components": document["components"]}
    validator = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]
    assert not problems, problems[:5]
    return answer


LISTS = [
    ("contacts", "contacts", "/crm/v3/objects/contacts", "email,lifecyclestage,hs_analytics_first_timestamp"),
    ("companies", "companies", "/crm/v3/objects/companies", "name,domain,country"),
    ("deals", "deals", "/crm/v3/objects/0-3", "amount,dealstage,closedate,hs_is_closed_won"),
]


@pytest.mark.parametrize(("name", "kind", "path", "properties"), LISTS)
@pytest.mark.parametrize("archived", ["false", "true"])
def test_lists_hold_against_the_specification(specification, ask_company, name, kind, path, properties, archived):
    query = {
        "limit": 50,
        "archived": archived,
        "properties": properties,
        "propertiesWithHistory": "lifecyclestage,dealstage",
    }
    answer = ask_company.hubspot("GET", f"/crm/objects/2026-09/{kind}", params=query)
    body = _check(specification(name), path, "get", answer.json())
    if kind != "companies" or archived == "false":
        assert body["results"]


@pytest.mark.parametrize(("name", "kind", "path", "properties"), LISTS)
def test_searches_hold_against_the_specification(specification, ask_company, name, kind, path, properties):
    answer = ask_company.hubspot_search(kind, properties=properties.split(","), limit=200)
    body = _check(specification(name), f"{path}/search", "post", answer.json())
    assert len(body["results"]) > 100


@pytest.mark.parametrize(("name", "kind", "path", "properties"), LISTS)
def test_batches_hold_against_the_specification(specification, ask_company, name, kind, path, properties):
    ids = [one["id"] for one in ask_company.hubspot_search(kind, limit=20).json()["results"]]
    request = {
        "inputs": [{"id": one} for one in ids],
        "properties": properties.split(","),
        "propertiesWithHistory": ["lifecyclestage", "dealstage", "name"],
    }
    batch = f"/crm/objects/2026-09/{kind}/batch/read"
    whole = ask_company.hubspot("POST", batch, json=request)
    assert len(_check(specification(name), f"{path}/batch/read", "post", whole.json())["results"]) == 20
    request["inputs"].append({"id": "1"})
    partial = ask_company.hubspot("POST", batch, json=request)
    assert partial.status_code == 207
    body = _check(specification(name), f"{path}/batch/read", "post", partial.json(), "207")
    assert body["errors"][0]["context"]["ids"] == ["1"]


def test_one_object_and_its_associations_hold_against_the_specification(specification, ask_company):
    found = ask_company.hubspot_search(
        "contacts", filterGroups=[{"filters": [{"propertyName": "associatedcompanyid", "operator": "HAS_PROPERTY"}]}]
    ).json()["results"][0]
    one = ask_company.hubspot("GET", f"/crm/v3/objects/contacts/{found['id']}", params={"properties": "email"})
    _check(specification("contacts"), "/crm/v3/objects/contacts/{contactId}", "get", one.json())
    document = specification("associations")
    linked = ask_company.hubspot("GET", f"/crm/v4/objects/contacts/{found['id']}/associations/companies").json()
    path = "/crm/v4/objects/{objectType}/{objectId}/associations/{toObjectType}"
    assert len(_check(document, path, "get", linked)["results"]) == 1
    assert [one["typeId"] for one in linked["results"][0]["associationTypes"]] == [1, 279]
    batch = ask_company.hubspot(
        "POST", "/crm/v4/associations/contacts/companies/batch/read", json={"inputs": [{"id": found["id"]}]}
    ).json()
    path = "/crm/v4/associations/{fromObjectType}/{toObjectType}/batch/read"
    assert _check(document, path, "post", batch)["results"][0]["from"]["id"] == found["id"]
    deals = [one["id"] for one in ask_company.hubspot_search("deals", limit=200).json()["results"]]
    inputs = {"inputs": [{"id": deal} for deal in deals]}
    answer = ask_company.hubspot("POST", "/crm/associations/2026-09/deals/contacts/batch/read", json=inputs)
    assert answer.status_code == 207
    partial = _check(document, path, "post", answer.json(), "207")
    assert len(partial["results"]) + partial["numErrors"] == len(deals)
    assert any(one["paging"]["next"] for one in _paged(ask_company, document, path, inputs))


def _paged(ask_company, document, path, inputs):
    ask_company.handle.set(hubspot_association_page_size=1)
    answer = ask_company.hubspot("POST", "/crm/v4/associations/deals/contacts/batch/read", json=inputs).json()
    return [one for one in _check(document, path, "post", answer, "207")["results"] if "paging" in one]


def test_owners_and_pipelines_hold_against_the_specification(specification, ask_company):
    for archived in ("false", "true"):
        owners = ask_company.hubspot("GET", "/crm/owners/2026-09", params={"archived": archived}).json()
        assert _check(specification("owners"), "/crm/v3/owners", "get", owners)["results"]
    pipelines = ask_company.hubspot("GET", "/crm/pipelines/2026-09/deals").json()
    _check(specification("pipelines"), "/crm/v3/pipelines/{objectType}", "get", pipelines)


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (400, "POST", "/crm/objects/2026-09/contacts/search", {"limit": 500}),
        (404, "GET", "/crm/objects/2026-09/contacts/1", None),
        (400, "GET", "/crm/objects/2026-09/contacts?limit=101", None),
    ],
)
def test_refusals_hold_against_the_specification(specification, ask_company, status, method, path, body):
    answer = ask_company.hubspot(method, path, json=body)
    assert answer.status_code == status
    document = specification("contacts")
    refusal = answer.json()
    assert refusal.pop("status") == "error"  # HubSpot sends it, its file forgets it
    schema = {"$ref": "#/components/schemas/Error", "components": document["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=FORMATS).validate(refusal)
