"""The dashboards as users see them: a real Superset over a published company, in a real browser."""

import csv
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import layout
import psycopg
import pytest
import queries

from funnel import ledger, secret_store, settings
from funnel.gate import errors, marts, report
from funnel.publication import publication
from installation import dashboards
from tests.dashboards import bypasses
from tests.dashboards.conftest import FIRST_TAB, PASSWORD, House, Viewer, reading, screenshot, seen_by, value
from tests.dashboards.drawn import whole
from tests.dashboards.reading import SAYS, STRIP, last_days, read
from tests.dashboards.test_assets import ASSETS, BOARDS, DATASETS, placed
from tests.end_to_end.pipeline import rows

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]


@pytest.mark.parametrize("slug", SAYS)
def test_a_dashboard_draws_every_chart_and_its_numbers_are_those_of_the_warehouse(viewer: Viewer, slug: str) -> None:
    assert read(viewer, slug) == []


def test_a_filter_narrows_every_number(viewer: Viewer) -> None:
    viewer.open("funnel", "In detail")
    box = viewer.page.locator("[data-test=form-item-value]").nth(1)
    box.locator(".ant-select").click()
    viewer.page.keyboard.type("Paid Search")
    viewer.page.locator('.ant-select-item-option[title="Paid Search"]').click()
    viewer.page.keyboard.press("Escape")
    viewer.page.locator("[data-test=filter-bar__apply-button]").click()
    leads = (
        f"select sum(leads) from bi.fct_funnel_daily where channel = 'Paid Search' and {last_days(viewer.house.today)}"
    )
    wanted = whole(value(leads))
    viewer.page.wait_for_function(
        """(wanted) => document.querySelector('[data-test-chart-name="New leads"] .slice_container')
            ?.innerText.trim().startsWith(wanted)""",
        arg=wanted,
        timeout=20_000,
    )
    viewer.turn_to("Channels and campaigns")
    assert "Paid Search" in viewer.text("By channel")
    assert "Paid Social" not in viewer.text("By channel")
    # The line on top applies to the whole page.
    assert "Passed" in viewer.text(STRIP)


def test_a_table_is_exported_as_csv_with_the_rows_that_are_shown(viewer: Viewer) -> None:
    viewer.open("funnel", "Channels and campaigns")
    table = viewer.page.locator('[data-test-chart-name="By channel"]')
    table.locator("button[aria-label='More Options']").click()
    viewer.page.get_by_text("Download", exact=True).hover()
    with viewer.page.expect_download() as download:
        viewer.page.get_by_text("Export to .CSV", exact=True).click()
    # A table with a line of totals is exported as two files, its rows first.
    with zipfile.ZipFile(download.value.path()) as files:
        text = files.read(files.namelist()[0]).decode("utf-8-sig")
    exported = {row["Channel"]: row for row in csv.DictReader(io.StringIO(text))}
    expected = rows(
        f"select channel, sum(leads) as leads from bi.fct_funnel_daily where {last_days(viewer.house.today)} group by 1"
    )
    assert {name: int(float(row["Leads"])) for name, row in exported.items()} == {
        row["channel"]: int(row["leads"]) for row in expected
    }


def test_a_number_of_one_name_is_equal_on_all_pages(viewer: Viewer) -> None:
    boards = {
        board["slug"]: {chart["slice_name"]: tab_of(board, chart) for chart in placed(board)}
        for board in BOARDS.values()
        if board["slug"] in SAYS
    }
    shared = {
        title
        for one in boards
        for title in boards[one]
        if any(title in boards[other] for other in boards if other != one)
    }
    assert {STRIP, "Advertising spend"} <= shared
    shown: dict[str, set[str]] = {title: set() for title in shared}
    for slug, titles in boards.items():
        for tab in dict.fromkeys(titles[title] for title in titles if title in shared):
            viewer.open(slug, tab)
            for title in viewer.charts():
                if title in shared:
                    shown[title].add(viewer.text(title))
    assert {title: texts for title, texts in shown.items() if len(texts) != 1} == {}


def tab_of(board: dict[str, Any], chart: dict[str, Any]) -> str:
    """The title of the tab on which a chart is; the first one for what is above the tabs."""
    position = board["position"]
    (item,) = (
        each
        for each in position.values()
        if isinstance(each, dict) and each.get("meta", {}).get("uuid") == chart["uuid"]
    )
    tabs = [name for name in item["parents"] if name.startswith("TAB-")]
    return str(position[tabs[0]]["meta"]["text"]) if tabs else FIRST_TAB


def test_a_page_opens_on_the_last_complete_days_in_plain_dates(viewer: Viewer) -> None:
    first, last = viewer.house.today - timedelta(days=30), viewer.house.today - timedelta(days=1)
    viewer.open("funnel")
    assert f"{first:%-d %b %Y} to {last:%-d %b %Y}" in viewer.page.locator("body").inner_text()


def test_a_filter_changes_the_query_of_a_chart_or_its_title_says_that_it_does_not(house: House) -> None:
    silent = []
    with house.client("admin", secret_store.secret("superset_admin_password")) as admin:

        def sql(chart: dict[str, Any], *extra: dict[str, Any]) -> str:
            (query,) = json.loads(queries.query_context(chart["params"]))["queries"]
            number = house.datasets[DATASETS[chart["dataset_uuid"]]["table_name"]]
            # The comparison with the days before needs a period.
            filters = [each for each in query["filters"] if each.get("val") != "No filter"] + list(extra)
            body = {
                "datasource": {"id": number, "type": "table"},
                "queries": [query | {"filters": filters, "time_offsets": [], "post_processing": []}],
                "result_type": "query",
            }
            answer = admin.post("/api/v1/chart/data", json=body).raise_for_status().json()
            return str(answer["result"][0]["query"])

        for board in ASSETS.boards:
            for name in layout.placed(board):
                chart = ASSETS.charts[name]
                for each in board["filters"]:
                    column = each.get("column") or DATASETS[chart["dataset_uuid"]]["main_dttm_col"]
                    if layout.is_reached(each, name, ASSETS):
                        operator, wanted = ("IN", ["x"]) if "column" in each else ("TEMPORAL_RANGE", "Last week")
                        asked = {"col": column, "op": operator, "val": wanted}
                        says_so = sql(chart) != sql(chart, asked)
                    else:
                        said = str(layout.subtitle(chart, ASSETS))
                        says_so = each["name"] in said.partition("Not narrowed by: ")[2] or name == "trust_strip"
                    if not says_so:
                        silent.append((board["slug"], name, each["name"]))
    assert silent == []


def test_home_lists_the_pages_of_the_user_with_their_questions(viewer: Viewer) -> None:
    with seen_by(viewer, "only_funnel", PASSWORD) as seen:
        assert seen.page.url.endswith("/start/")
        text = seen.page.locator("body").inner_text()
        assert "How many take each step" in text
        assert "Alignment" not in text
        assert seen.page.get_by_text("+ Chart").count() == 0
        assert seen.complaints == []


def test_a_viewer_shares_the_filtered_view(house: House) -> None:
    with reading(house, "only_funnel") as reader:
        roles = reader.get("/api/v1/me/roles/").raise_for_status().json()["result"]["roles"]
        assert ["can_share_dashboard", "Superset"] in [list(each) for each in roles["Viewer"]]
        mask = {"NATIVE_FILTER-funnel-channel": {"extraFormData": {}, "filterState": {"value": ["Email"]}}}
        link = (
            reader.post("/api/v1/dashboard/funnel/permalink", json={"dataMask": mask}).raise_for_status().json()["key"]
        )
        assert reader.get(f"/api/v1/dashboard/permalink/{link}").raise_for_status().json()["state"]["dataMask"] == mask


@pytest.mark.parametrize(("user", "slugs"), [("viewer", list(SAYS)), ("of_emea", ["funnel", "pipeline"])])
def test_pages_are_readable_on_a_phone(viewer: Viewer, user: str, slugs: list[str]) -> None:
    house = viewer.house
    with seen_by(viewer, user, house.password if user == "viewer" else PASSWORD) as seen:
        seen.page.set_viewport_size({"width": 390, "height": 6000})
        for slug in slugs:
            seen.page.goto(f"{house.url}/superset/dashboard/{slug}/", wait_until="commit")
            seen.wait_for_charts()
            widths = seen.page.evaluate(
                "() => [...document.querySelectorAll('[data-test-chart-name]')].map((one) => one.offsetWidth)"
            )
            # One wide chart or two numbers in a row.
            assert all(120 < width <= 390 for width in widths), (slug, widths)
            assert seen.page.evaluate("() => document.documentElement.scrollWidth") <= 390
            screenshot(seen, f"{slug}, {user}, phone")
            assert seen.page.pdf()[:5] == b"%PDF-"
        assert seen.complaints == []


def test_an_analyst_opens_the_rows_that_every_headline_counts(viewer: Viewer) -> None:
    """The search field of a list says of how many rows. Who may not see rows cannot open the page."""
    house, counted = viewer.house, {}
    with seen_by(viewer, dashboards.ANALYST, secret_store.secret("superset_analyst_password")) as seen:
        assert read(seen, "records") == []
        for tab in ("Leads", "Deals and orders"):
            seen.turn_to(tab)
            for title in seen.charts():
                field = seen.page.locator(f'[data-test-chart-name="{title}"] input').last
                said = field.get_attribute("placeholder") if field.count() else None
                counted[title] = int("".join(filter(str.isdigit, said or "")) or -1)
    recent = f"from bi.fct_funnel_daily where {last_days(house.today)}"
    assert {title: number for title, number in counted.items() if title != STRIP} == {
        title: value(f"select sum({measure})::integer {recent}")
        for title, measure in (
            ("Leads created", "leads"),
            ("Leads qualified by marketing", "mqls"),
            ("Leads qualified by sales", "sqls"),
            ("Deals opened", "opportunities"),
            ("Deals that were won", "won"),
            ("Orders without a deal", "orders"),
        )
    }
    with reading(house, "only_funnel") as reader:
        assert reader.get("/api/v1/dashboard/records").status_code in (403, 404)
        for title in ("leads", "won", "orders", "journey"):
            assert reader.get(f"/api/v1/chart/{house.chart(f'records/{title}')}/data/").status_code in (403, 404)


# --- who may see what ----------------------------------------------------------------------------------------------


def test_wrong_passwords_are_slowed_at_the_api_too(house: House) -> None:
    def attempt(client: httpx.Client, user: str, password: str) -> int:
        body = {"username": user, "password": password, "provider": "db", "refresh": False}
        return client.post("/api/v1/security/login", json=body).status_code

    with httpx.Client(base_url=house.url, timeout=30) as guesser:
        # Each of the two processes counts by itself.
        answers = [attempt(guesser, "intruder", f"guess {n}") for n in range(24)]
        assert answers[:10] == [401] * 10
        assert 429 in answers
        # Others are not locked out.
        assert attempt(guesser, "viewer", house.password) == 200


def test_without_a_login_nothing_is_shown(house: House) -> None:
    with httpx.Client(base_url=house.url, timeout=30) as anybody:
        page = anybody.get("/superset/dashboard/funnel/")
        assert page.status_code in (302, 404)
        assert "Funnel" not in page.text
        assert anybody.get("/api/v1/dashboard/funnel").status_code in (401, 404)
        assert anybody.get("/api/v1/dashboard/").json().get("count", 0) == 0
        for path in (
            f"/api/v1/chart/{house.chart('funnel/by_channel')}/data/",
            "/api/v1/dataset/",
            "/api/v1/database/",
        ):
            assert anybody.get(path).status_code == 401, path
        policy = anybody.get("/login/").headers["content-security-policy"]
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy, f"an outside host is allowed: {policy}"


def test_the_pixel_of_the_makers_never_leaves_the_browser(viewer: Viewer) -> None:
    viewer.complaints.clear()
    viewer.open("funnel")
    assert viewer.complaints == []
    assert any("scarf.sh" in url for url in viewer.blocked), "no page asks for it any more: this test proves nothing"


def test_a_role_opens_its_own_dashboard_and_no_other(house: House) -> None:
    with house.client("only_funnel") as reader:
        assert reader.get("/api/v1/dashboard/funnel").status_code == 200
        assert reader.get(f"/api/v1/chart/{house.chart('funnel/by_channel')}/data/").status_code == 200
        for slug, chart in (("money", "leakage_by_team"), ("trust", "checks"), ("pipeline", "oldest")):
            assert reader.get(f"/api/v1/dashboard/{slug}").status_code in (403, 404), slug
            number = house.chart(f"{slug}/{chart}")
            for form in ("", "?format=csv"):
                assert reader.get(f"/api/v1/chart/{number}/data/{form}").status_code in (403, 404), slug
        assert [each["slug"] for each in reader.get("/api/v1/dashboard/").json()["result"]] == ["funnel"]
    with house.client("nobody") as reader:
        assert reader.get("/api/v1/dashboard/").json()["count"] == 0
        assert reader.get("/api/v1/dashboard/funnel").status_code in (403, 404)


def test_a_reader_writes_nothing_and_asks_no_sql(house: House) -> None:
    with house.client("viewer", house.password) as reader:
        reader.headers["X-CSRFToken"] = reader.get("/api/v1/security/csrf_token/").raise_for_status().json()["result"]
        reader.headers["Referer"] = house.url
        number = reader.get("/api/v1/dashboard/funnel").json()["result"]["id"]
        query = {"database_id": 1, "sql": "select 1", "client_id": "x"}
        refused = [
            reader.put(f"/api/v1/dashboard/{number}", json={"dashboard_title": "Mine"}),
            reader.delete(f"/api/v1/chart/{house.chart('funnel/leads')}"),
            reader.post("/api/v1/sqllab/execute/", json=query),
            reader.get("/api/v1/security/users/"),
            reader.get("/api/v1/database/1"),
        ]
        assert {answer.status_code for answer in refused} <= {401, 403, 404}, [each.text[:200] for each in refused]


@pytest.mark.parametrize(("user", "regions"), [("of_emea", ("EMEA",)), ("two_regions", ("EMEA", "APAC"))])
def test_a_region_sees_its_rows_alone_exports_included(house: House, user: str, regions: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{region}'" for region in regions)
    expected = rows(
        f"select channel, sum(leads) as leads from bi.fct_funnel_daily where region in ({listed}) group by 1"
    )
    wanted = {row["channel"]: int(row["leads"]) for row in expected}
    number = house.chart("funnel/by_channel")
    with house.client(user) as reader:
        drawn = reader.get(f"/api/v1/chart/{number}/data/").raise_for_status().json()["result"][0]["data"]
        assert {row["channel"]: int(row["leads"]) for row in drawn} == wanted
        text = reader.get(f"/api/v1/chart/{number}/data/?format=csv").raise_for_status().content.decode("utf-8-sig")
        exported = {row["Channel"]: int(float(row["Leads"])) for row in csv.DictReader(io.StringIO(text))}
        assert exported == wanted
        # A table without regions contains figures of all of them.
        closed = reader.get(f"/api/v1/chart/{house.chart('funnel/bridge')}/data/").raise_for_status().json()
        assert closed["result"][0]["data"] == []
        strip = reader.get(f"/api/v1/chart/{house.chart('trust_strip')}/data/").raise_for_status().json()
        assert strip["result"][0]["data"][0]["verdict"] == "Passed"


def hidden(word: str) -> set[str]:
    """Texts that a user of one dashboard, or of one region, must never get."""
    if word == "accounts":
        return {row["account_key"] for row in rows("select account_key from bi.dim_accounts")}
    # A value of a row, a line of CSV, a word of a text search, the list of all: campaigns have such names, too.
    return {'"apac"', "\napac,", "'apac'", "apac americas"}


@pytest.mark.parametrize(
    ("user", "secret", "words"),
    [
        ("only_funnel", bypasses.ACCOUNTS, ["accounts"]),
        ("of_emea", bypasses.REGIONS, ["regions"]),
        ("nobody", bypasses.REGIONS, ["regions", "accounts"]),
        ("(anonymous)", bypasses.ACCOUNTS, ["regions", "accounts"]),
    ],
)
def test_no_attempt_through_superset_leaks(
    house: House, record_property: Callable[[str, object], None], user: str, secret: str, words: list[str]
) -> None:
    # Both users may read the funnel; of the deals a user of one dashboard may see nothing, a user of EMEA its own.
    other = house.datasets["loads" if user == "of_emea" else "open_deals"]
    tries = bypasses.requests(bypasses.target(house, secret, house.datasets["funnel_by_day"], "leads", other))
    assert len(tries) >= 40
    forbidden = set().union(*map(hidden, words))
    leaks = []
    with reading(house, user) as client:
        for attempt in tries:
            # Superset answers an address fifty times in a second.
            while (answer := attempt.send(client)).status_code == 429:
                time.sleep(1)
            text = answer.text.lower()
            is_leak = any(word in text for word in forbidden) or (attempt.is_change and answer.status_code < 300)
            got = "LEAK" if is_leak else "nothing hidden" if answer.status_code < 300 else "refused"
            record_property("bypass", [f"Superset: {attempt.name}", user, f"{answer.status_code} {got}"])
            if is_leak:
                leaks.append((attempt.name, answer.status_code, answer.text[:300]))
    time.sleep(1)
    assert leaks == []


def test_an_expression_is_answered_to_an_administrator_and_refused_to_a_viewer(house: House) -> None:
    # Subqueries in an expression are refused by Superset to everyone.
    expression = bypasses.sql_metric("string_agg(distinct region, ' ')")
    body = bypasses.context(house.datasets["funnel_by_day"], {"metrics": [expression]})
    with house.client("admin", secret_store.secret("superset_admin_password")) as admin:
        text = admin.post("/api/v1/chart/data", json=body).raise_for_status().text.lower()
        assert any(word in text for word in hidden("regions"))
    with house.client("of_emea") as reader:
        refused = reader.post("/api/v1/chart/data", json=body)
    assert refused.status_code == 403
    assert "not write SQL" in refused.text


def test_users_of_one_set_share_their_cache_and_no_other_set_reads_it(house: House) -> None:
    # A query that no other test sends.
    query = {"columns": ["region"], "metrics": ["leads"], "row_limit": 777}
    body = bypasses.context(house.datasets["funnel_by_day"], query, force=False)

    def ask(user: str, password: str = PASSWORD) -> tuple[bool, set[str]]:
        with house.client(user, password) as client:
            (answer,) = client.post("/api/v1/chart/data", json=body).raise_for_status().json()["result"]
        return bool(answer["is_cached"]), {row["region"] for row in answer["data"]}

    ask("viewer", house.password)
    assert ask("viewer", house.password)[0]
    is_cached, seen = ask("only_funnel")
    assert not is_cached
    assert len(seen) > 3
    assert ask("of_emea") == (False, {"EMEA"})
    assert ask("of_emea") == (True, {"EMEA"})


def test_a_changed_password_of_people_locks_out_no_dashboard(house: House) -> None:
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute("alter role bi_reader password 'changed by hand'")
        try:
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(settings.dsn("bi_reader"))
            with house.client("viewer", house.password) as reader:
                path = f"/api/v1/chart/{house.chart('funnel/by_channel')}/data/?force=true"
                assert reader.get(path).raise_for_status().json()["result"][0]["data"]
        finally:
            ledger.migrate()
    psycopg.connect(settings.dsn("bi_reader")).close()


# --- what a publication and a failed audit do ----------------------------------------------------------------------


def test_a_publication_empties_the_cache_and_a_rollback_returns_the_old_one(house: House) -> None:
    number = house.chart("funnel/by_month")

    def ask(reader: httpx.Client) -> tuple[bool, Any]:
        (answer,) = reader.get(f"/api/v1/chart/{number}/data/").raise_for_status().json()["result"]
        return bool(answer["is_cached"]), answer["data"]

    with house.client("viewer", house.password) as reader:
        ask(reader)
        was_cached, shown = ask(reader)
        assert was_cached
        with psycopg.connect(settings.dsn("admin"), autocommit=True) as database:
            copied = """
                insert into ops.publications
                    (build_id, as_of, through_load_id, marts, rows_changed, audited_at, previous_id)
                select build_id, as_of, through_load_id, marts, rows_changed, audited_at, publication_id
                from ops.publication_in_effect returning publication_id
            """
            (made,) = database.execute(copied).fetchone() or (None,)
            try:
                assert ask(reader) == (False, shown)
                assert ask(reader) == (True, shown)
            finally:
                database.execute("delete from ops.publications where publication_id = %s", (made,))
        is_cached, again = ask(reader)
        assert again == shown
        assert not is_cached, "the files of the publication before were deleted when another one was in effect"


@contextmanager
def failed_audit(house: House) -> Iterator[None]:
    """A count of one day becomes negative and the audit fails; afterwards it is repaired and audited again."""
    day = house.today - timedelta(days=3)

    def turn() -> None:
        """The first call does damage, the second one undoes it."""
        with psycopg.connect(settings.dsn("builder")) as builder:
            builder.execute("update marts.fct_funnel_daily set leads = -1 - leads where date_day = %s", [day])

    turn()
    try:
        with pytest.raises(errors.GateClosed):
            report.require(marts.check_marts(house.build_id))
        yield
    finally:
        turn()
        report.require(marts.check_marts(house.build_id))


def test_a_failed_audit_is_shown_on_every_dashboard_and_numbers_stay(viewer: Viewer) -> None:
    house = viewer.house
    viewer.open("funnel")
    before = viewer.text("From step to step")
    with failed_audit(house):
        viewer.open("funnel")
        assert "FAILED: " in viewer.text(STRIP)
        assert viewer.text("From step to step") == before
        screenshot(viewer, "failed_audit")
        with house.client("viewer", house.password) as reader:
            answer = reader.get(f"/api/v1/chart/{house.chart('trust_strip')}/data/").raise_for_status().json()
            assert "FAILED: " in answer["result"][0]["data"][0]["verdict"]


@pytest.mark.soak
@pytest.mark.parametrize("slug", SAYS)
def test_an_open_dashboard_learns_of_a_failed_audit_within_a_minute(viewer: Viewer, slug: str) -> None:
    viewer.open(slug)
    assert "FAILED" not in viewer.text(STRIP)
    with failed_audit(viewer.house):
        failed_at = time.monotonic()
        # No user touches the page.
        viewer.page.wait_for_function(
            "(title) => document.querySelector(`[data-test-chart-name=\"${title}\"]`)?.innerText.includes('FAILED')",
            arg=STRIP,
            timeout=60_000,
        )
        assert time.monotonic() - failed_at < 60


def test_publishing_needs_no_superset(house: House) -> None:
    assert publication.publish(house.build_id).build_id == house.build_id
