"""Records are joined to persons as in the truth, and readers see no name of a person."""

import re
from collections import defaultdict
from datetime import datetime
from itertools import combinations

import psycopg

from funnel import settings
from sandbox import truth
from sandbox.scenario import Scenario
from tests.end_to_end.pipeline import Pipeline, rows


def test_records_that_are_one_person_and_those_that_are_not(
    company: Pipeline, scenario: Scenario, now: datetime
) -> None:
    """Precision and recall over pairs of records are both 1, with merges, duplicates and capitals in addresses."""
    persons: dict[tuple[str, str], str] = {
        (source, record_id): person_id
        for person_id, records in truth.records_of_people(scenario, now).items()
        for source, record_id in records
    }
    found = {
        (row["source_system"], row["record_id"]): row["person_key"]
        for row in rows("select source_system, record_id, person_key from bi.rpt_identity")
    }
    assert set(persons) <= set(found)

    def pairs(owners: dict[tuple[str, str], str]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
        groups = defaultdict(list)
        for record in sorted(persons):
            groups[owners[record]].append(record)
        return {pair for group in groups.values() for pair in combinations(group, 2)}

    true, matched = pairs(persons), pairs(found)
    assert len(true) > 500
    precision, recall = len(true & matched) / len(matched), len(true & matched) / len(true)
    assert (precision, recall) == (1.0, 1.0)
    reasons = {row["match_reason"] for row in rows("select match_reason from bi.rpt_identity")}
    assert {word for reason in reasons for word in reason.split(", ")} >= {
        "e-mail", "vendor link", "conversion", "merge", "only record",
    }  # fmt: skip


def test_persons_do_not_depend_on_the_order_of_arrival(company: Pipeline) -> None:
    """The model's own statement on the same records in other orders, with load ids in those orders."""
    [path] = settings.read().home.glob("dbt/target/compiled/**/int_person_records.sql")
    statement = path.read_text()
    unioned = re.search(r'("\w+"\.)?"intermediate"\."int_person_records_unioned"', statement)
    assert unioned is not None
    stored = rows(
        "select record_id, person_key, match_reason from intermediate.int_person_records order by 1", "builder"
    )
    with psycopg.connect(settings.dsn("builder")) as connection:
        for seed in ("0.1", "0.7"):
            connection.execute(f"select setseed({seed})")
            connection.execute("drop table if exists pg_temp.shuffled")
            connection.execute(
                "create temporary table shuffled as "
                "select * from intermediate.int_person_records_unioned order by random()"
            )
            shuffled = statement.replace(unioned.group(), "pg_temp.shuffled")
            found = connection.execute(
                f"select record_id, person_key, match_reason from ({shuffled}) as model order by 1".encode()
            ).fetchall()
            assert [tuple(row.values()) for row in stored] == found


def test_people_and_their_merged_records(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected: dict[int, int] = defaultdict(int)
    for human in truth.people(scenario, now):
        expected[human.records_merged] += 1
    found = rows("select n_records_merged, count(*)::int as people from bi.dim_people group by 1")
    assert {row["n_records_merged"]: row["people"] for row in found} == dict(expected)


PERSONAL = r"[[:alnum:]._%+-]+@[[:alnum:].-]+\.[[:alpha:]]{2,}"


def test_no_person_is_named_in_bi_or_ops(company: Pipeline, scenario: Scenario) -> None:
    """Every text of every table contains no address, and no name or phone number of a person in a vendor's records."""
    columns = rows(
        """
        select table_schema, table_name, column_name
        from information_schema.columns
        where table_schema in ('bi', 'ops') and data_type in ('text', 'character varying', 'jsonb', 'ARRAY')
        """
    )
    assert len(columns) > 100
    texts = set()
    for column in columns:
        table = f'{column["table_schema"]}."{column["table_name"]}"'
        distinct = f'select distinct "{column["column_name"]}"::text as t from {table}'
        found = rows(f"select t, t ~ '{PERSONAL}' as is_personal from ({distinct}) as texts where t is not null")
        assert not any(row["is_personal"] for row in found), column
        texts |= {row["t"] for row in found if row["t"]}
    names = process_names(company)
    assert len(names) > 1000
    # A few persons share their name with a sales rep, whose names BI may show.
    reps = {row["rep_name"] for row in rows("select rep_name from bi.dim_sales_reps")}
    assert (names - reps) & texts == set()


def process_names(company: Pipeline) -> set[str]:
    """Names and phone numbers of persons in HubSpot and Salesforce, read without the connectors."""
    import httpx

    connection = company.connection("hubspot")
    headers = {"Authorization": f"Bearer {connection.password}"}
    found: set[str] = set()
    after: str | None = "0"
    while after:
        page = httpx.get(
            f"{connection.base_url}/crm/v3/objects/contacts",
            params={"limit": 100, "after": after, "properties": "firstname,lastname,phone"},
            headers=headers,
        ).json()
        for record in page["results"]:
            given, family = record["properties"].get("firstname"), record["properties"].get("lastname")
            found |= {f"{given} {family}"} | {record["properties"].get("phone")}
        after = page.get("paging", {}).get("next", {}).get("after")
    return {text for text in found if text and text != "None None"}
