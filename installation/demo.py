"""`make demo`: from an empty folder to a published and printed funnel.

It works as in production: Airflow's runs load, build, audit and publish. A second run only starts stopped processes and
prints.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import httpx

from funnel import ledger, secret_store, settings, warehouse
from funnel.publication import holds
from funnel.sources import VENDORS
from installation import (
    airflow_api,
    airflow_setup,
    dashboards,
    databases,
    environments,
    postgres,
    processes,
    sandbox,
    services,
)
from installation.airflow_api import Run

DAYS = 90
FIRST_LOAD = "first_load"
ACTIVE = ("queued", "running")
# An inbox has no days to load: `make files` loads it. The simulated company has filled one.
Tell = Callable[[str], None]


def run() -> None:
    """Start, load, build and publish what is missing, then print the funnel."""
    started = time.monotonic()
    seconds: dict[str, float] = {}

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    with _timed(seconds, "start"):
        services.up(tell)
    sources = (*VENDORS, *(("files",) if sandbox.fill_inbox() else ()))
    with dashboards_meanwhile(tell), airflow_api.open_airflow() as airflow:
        with _timed(seconds, "read DAGs"):
            airflow_api.await_dags(airflow, {*map(_dag_id, sources), "build_funnel"})
        with _timed(seconds, f"load {DAYS} days"):
            loads = _load(airflow, sources, tell)
        with _timed(seconds, "build, audit, publish"):
            publish_loads(airflow, tell)
        steps = {name: _task_seconds(airflow, run) for name, run in loads.items()}
        built = _newest_success(airflow, "build_funnel")
        if built:
            steps["build_funnel"] = _task_seconds(airflow, built)
    seconds["together"] = time.monotonic() - started
    print_summary()
    _print_seconds(seconds, steps)
    print_doors()


@contextmanager
def dashboards_meanwhile(tell: Tell) -> Iterator[None]:
    """Prepare and start Superset while Airflow loads. If it is not installed, only the dashboards are missing."""
    if not environments.has_dashboards():
        tell("no dashboards: Superset is not installed, or DASHBOARDS=off")
        yield
        return
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(services.start_dashboards, tell)
        yield
        try:
            started.result()
        except Exception as error:
            # The funnel is published nevertheless; `make dashboards` tries again and reports every error.
            tell(f"no dashboards: {error}\nTry again: make dashboards")


def newest_day() -> date:
    """Yesterday in UTC: the newest complete day."""
    return settings.now().date() - timedelta(days=1)


def newest_interval() -> tuple[date, date]:
    """The interval of the newest scheduled run, by Airflow's clock, which ignores FUNNEL_TODAY."""
    today = datetime.now(UTC).date()
    return today - timedelta(days=1), today


def _dag_id(source_name: str) -> str:
    return f"ingest__{source_name}"


def _load(airflow: httpx.Client, sources: tuple[str, ...], tell: Tell) -> dict[str, Run]:
    """Trigger one windowed run for each source, unless it has had one."""
    last = newest_day()
    first = last - timedelta(days=DAYS - 1)
    # From here on Airflow works alone: assets trigger the build, which waits for all sources.
    airflow_api.unpause(airflow, "build_funnel")
    with ThreadPoolExecutor() as pool:
        runs = pool.map(lambda name: _load_source(airflow, name, first, last, tell), sources)
        return dict(zip(sources, runs, strict=True))


def _load_source(airflow: httpx.Client, name: str, first: date, last: date, tell: Tell) -> Run:
    dag_id = _dag_id(name)
    earlier = [each for each in airflow_api.runs(airflow, dag_id) if each.run_id.startswith(FIRST_LOAD)]
    for each in earlier:
        if each.state == "success":
            return each
    active = next((each for each in earlier if each.state in ACTIVE), None)
    if active:
        return airflow_api.follow(airflow, dag_id, active.run_id, tell)
    # It replaces the newest day's scheduled run, which would read some of the same days again.
    run_id = f"{FIRST_LOAD}__{first}_{last}" + (f"__{len(earlier) + 1}" if earlier else "")
    interval = None if earlier else newest_interval()
    conf = {"from": first.isoformat(), "to": last.isoformat()}
    airflow_api.trigger(airflow, dag_id, conf, run_id, interval)
    airflow_api.unpause(airflow, dag_id)
    return airflow_api.follow(airflow, dag_id, run_id, tell)


def publish_loads(airflow: httpx.Client, tell: Tell) -> None:
    """Follow the builds that the loads have triggered, until everything loaded is published or waits for a person."""
    began = time.monotonic()
    while ledger.has_unpublished_loads():
        if waiting := holds.waiting_words():
            tell(waiting)
            return
        active = [each for each in airflow_api.runs(airflow, "build_funnel") if each.state in ACTIVE]
        if active:
            airflow_api.follow(airflow, "build_funnel", active[-1].run_id, tell)
        elif time.monotonic() - began > 20:
            # An earlier build has failed, and no later delivery has triggered another one.
            run_id = airflow_api.trigger(airflow, "build_funnel", {})
            airflow_api.follow(airflow, "build_funnel", run_id, tell)
        time.sleep(airflow_api.PAUSE_SECONDS)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[step] = time.monotonic() - began


def _newest_success(airflow: httpx.Client, dag_id: str) -> Run | None:
    return next(
        (
            each
            for each in airflow_api.runs(airflow, dag_id, "success")
            if any(task.task_id == "publish" and task.state == "success" for task in airflow_api.tasks(airflow, each))
        ),
        None,
    )


def _task_seconds(airflow: httpx.Client, run: Run) -> dict[str, float]:
    return {each.task_id: each.seconds or 0.0 for each in airflow_api.tasks(airflow, run)}


# --- printing ------------------------------------------------------------------------------------------------------


def print_summary() -> None:
    """Print what was loaded, the contents of the marts, and the funnel."""
    _print_rows()
    print_funnel()


def _print_rows() -> None:
    print("\nRows")
    query = """
        select source, sum(rows_read), sum(rows_loaded), sum(rows_quarantined), sum(rows_retracted)
        from ops.loads group by source order by source
    """
    for source, read, loaded, quarantined, retracted in _ask(query):
        kept = f"{read:>9,} read = {loaded:,} loaded + {quarantined:,} quarantined"
        print(f"  {source:20} {kept}" + (f"; {retracted:,} retracted later" if retracted else ""))
    counted = []
    with warehouse.connect("bi_reader") as connection:
        shown = [table for table in warehouse.tables(connection, "bi") if table != "dim_dates"]
    for table in shown:
        [(count,)] = _ask(f'select count(*) from bi."{table}"')  # noqa: S608
        counted.append(f"{table} {count:,}")
    for start in range(0, len(counted), 3):
        print("  " + "  ".join(f"{each:36}" for each in counted[start : start + 3]).rstrip())


def print_funnel() -> None:
    """Print the stages of the funnel over all its days; a dash means that no source delivers the stage."""
    [(first, last, spend, sessions, leads, mqls, sals, sqls, opportunities, won, orders, revenue)] = _ask(
        """
        select
            min(date_day), max(date_day), sum(spend), sum(sessions), sum(leads), sum(mqls), sum(sals), sum(sqls),
            sum(opportunities), sum(won), sum(orders),
            -- Null only where neither deals nor a shop are connected.
            coalesce(sum(won_amount) + sum(order_amount), sum(won_amount), sum(order_amount))
        from bi.fct_funnel_daily
        """
    )
    # That of the figures: a changed setting counts from its first publication on.
    [(currency,)] = _ask("select max(reporting_currency) from bi.data_status")
    print(f"\nFunnel, {first} to {last}, activity clock: what happened in this time")
    rows = {
        "spend": "-" if spend is None else f"{_rounded(spend, 2):,} {currency}",
        "sessions": sessions,
        "leads": leads,
        "MQLs": mqls,
        "SALs": sals,
        "SQLs": sqls,
        "opportunities": opportunities,
        "won": won,
        # Orders that bill a deal are counted with the won deals.
        "orders": orders,
        "revenue": "-" if revenue is None else f"{_rounded(revenue, 2):,} {currency}",
    }
    for name, value in rows.items():
        shown = "-" if value is None else value if isinstance(value, str) else f"{value:,}"
        print(f"  {name:14} {shown:>20}")
    _print_rates()


def _print_rates() -> None:
    """Print rates, each of one population: what became of the leads, and the share of ended deals that were won."""
    [(leads, *reached)] = _ask(
        """
        select count(*), count(mql_at), count(sal_at), count(sql_at), count(opportunity_at), count(won_at)
        from bi.fct_leads
        """
    )
    if leads:
        print(f"\nCohort clock: of the {leads:,} leads, what became of them until now")
        for name, became in zip(("MQL", "SAL", "SQL", "opportunity", "won"), reached, strict=True):
            print(f"  became {name:13} {became:>14,}  {_rounded(100 * Decimal(became) / leads, 1):>5}%")
    # The numerator and the denominator of the metric win_rate.
    [(won, closed)] = _ask("select sum(won), sum(won + lost) from bi.rpt_sales_velocity")
    if closed:
        share = _rounded(100 * Decimal(won) / closed, 1)
        print(f"  Win rate: of {closed:,} new-business deals that closed, {won:,} were won: {share}%")


def _rounded(number: Decimal, digits: int) -> Decimal:
    """Round halves away from zero, as PostgreSQL and the dashboards do; Python rounds halves to the even digit."""
    return number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _print_seconds(seconds: dict[str, float], steps: dict[str, dict[str, float]]) -> None:
    print("\nSeconds")
    for step, taken in seconds.items():
        print(f"  {step:24} {taken:6.1f}")
    print("  in Airflow's tasks (when they ran)")
    for name, tasks in steps.items():
        print(f"    {name:22} " + " · ".join(f"{task} {taken:.1f}" for task, taken in tasks.items()))


def print_doors() -> None:
    """Print addresses and commands for further reading."""
    chosen = settings.read()
    known = postgres.find(chosen.home)
    psql = known.bindir / "psql" if known and (known.bindir / "psql").exists() else "psql"
    password = secret_store.secret("airflow_admin_password")
    print("\nLook around")
    print(f"  Airflow   {environments.airflow_url()}  login {airflow_setup.ADMIN}  password {password}")
    print_dashboards()
    print(f"  psql      {psql} '{settings.dsn('bi_reader')}'")
    print("  stop      make down   (make status, make help)")


def load_dashboards() -> None:
    """Load `dashboards/` into Superset again, and start it."""
    databases.start_database()
    ledger.migrate()
    services.start_dashboards(again=True)
    print_dashboards()


def print_dashboards() -> None:
    """Print the address and logins of the dashboards, if they run."""
    if processes.process("superset"):
        secrets = secret_store.secrets()
        print(
            f"  Superset  {environments.superset_url()}/superset/dashboard/funnel/  "
            f"login {dashboards.VIEWER}  password {secrets['superset_viewer_password']}"
        )
        print(
            f"            with the rows behind the numbers: login {dashboards.ANALYST}  "
            f"password {secrets['superset_analyst_password']}"
        )
        print(
            f"            one region alone: login {dashboards.REGIONAL_VIEWER}  "
            f"password {secrets['superset_emea_password']}"
        )
        print(
            f"            to change things: login {airflow_setup.ADMIN}  password {secrets['superset_admin_password']}"
        )


def _ask(query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect("bi_reader") as connection:
        return connection.execute(query.encode()).fetchall()
