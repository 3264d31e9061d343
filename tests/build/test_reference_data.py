"""Rates, calendars, targets and other reference data: carried, converted, refused when they contradict themselves."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from funnel.build import dbt_run

from .builds import STATS, only, set_rates
from .conftest import Write, rows

# The models that the first test looks at.
SEEN = (
    *("int_currency_rates_daily", "int_targets", "int_product_prices", "int_commission_steps"),
    *("int_regional_holidays", "dim_dates"),
)


def test_rates_are_carried_and_converted_on_both_sides(
    write: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reporting in euros: a dollar has the last quotation before the day, and a euro the rate 1."""
    monkeypatch.setenv("REPORTING_CURRENCY", "EUR")
    set_rates(
        project,
        *("2026-01-05,EUR,1.25", "2026-01-05,GBP,1.50", "2026-01-12,GBP,2.00"),
        *("2026-01-05,CHF,1.00", "2026-01-12,CHF,9.90"),
    )
    # The European Central Bank begins on the 8th, the accountants' own file on the 9th, a Friday.
    for day, dollars, francs in (("08", "1.25", "1.0"), ("09", "1.25", "1.0"), ("12", "1.25", "0.5")):
        write(
            "exchange_rates__rates",
            {"rate_date": f"2026-01-{day}", "currency_code": "USD", "units_per_euro": dollars},
            {"rate_date": f"2026-01-{day}", "currency_code": "CHF", "units_per_euro": francs},
        )
    in_dollars = {"rate_date": "2026-01-09", "base_currency": "chf", "rate": "1.5", "_file_order": "|a"}
    write("files__exchange_rates", {**in_dollars, "row_key": "1"})
    set_reference_data(write, project)
    write("google_ads__campaign_stats", STATS)
    with only(*SEEN):
        dbt_run.build(project_dir=project)
    found = rows(
        "select date_day, currency_code, rate, is_carried from intermediate.int_currency_rates_daily "
        "where currency_code <> 'CHF' and date_day in ('2026-01-04', '2026-01-05', '2026-01-11', '2026-01-12') "
        "order by 1, 2"
    )
    assert found == [
        (date(2026, 1, 4), "EUR", Decimal(1), False),
        (date(2026, 1, 5), "EUR", Decimal(1), False),
        (date(2026, 1, 5), "GBP", Decimal("1.2"), False),
        (date(2026, 1, 5), "USD", Decimal("0.8"), False),
        (date(2026, 1, 11), "EUR", Decimal(1), False),
        (date(2026, 1, 11), "GBP", Decimal("1.2"), True),
        (date(2026, 1, 11), "USD", Decimal("0.8"), False),
        (date(2026, 1, 12), "EUR", Decimal(1), False),
        (date(2026, 1, 12), "GBP", Decimal("1.6"), False),
        (date(2026, 1, 12), "USD", Decimal("0.8"), False),
    ]
    # One origin at a time: from the first day of a better one on, the others are ignored.
    francs = rows(
        "select extract(day from date_day), origin, rate, is_carried from intermediate.int_currency_rates_daily "
        "where currency_code = 'CHF' and date_day between '2026-01-05' and '2026-01-13' order by 1"
    )
    assert francs == [
        (5, "seed", Decimal("0.8"), False),
        (6, "seed", Decimal("0.8"), True),
        (7, "seed", Decimal("0.8"), True),
        (8, "exchange_rates", Decimal(1), False),
        (9, "files", Decimal("1.2"), False),
        (10, "files", Decimal("1.2"), True),
        (11, "files", Decimal("1.2"), True),
        (12, "files", Decimal("1.2"), True),
        (13, "files", Decimal("1.2"), True),
    ]
    see_reference_data()


def set_reference_data(write: Write, project: Path) -> None:
    """Targets, prices and plans of the seeds, some of them overridden by files; the German calendar."""
    rules = project / "dbt_project.yml"
    rules.write_text(rules.read_text().replace("business_calendar: weekends", "business_calendar: DE"))
    for name, lines in {
        "targets": ["2026-01-01,month,sales,won_amount,(all),100,", "2026-01-01,quarter,sales,leads,EMEA,9,"],
        "price_list": ["p,10,EUR,2026-01-01,2026-02-01", "p,12,EUR,2026-02-01,", "q,5,USD,2026-01-01,"],
        "commission_plans": ["new,sales,0,0.05,2026-01-01,", "new,sales,1,0.08,2026-01-01,"],
    }.items():
        with open(project / f"seeds/{name}.csv", "a") as file:
            file.write("\n".join(lines) + "\n")
    target = {"period_start": "2026-01-01", "team": "sales", "_file_order": "|a"}
    write(
        "files__targets",
        {**target, "row_key": "1", "metric": "Won_Amount", "target": 120, "currency_code": "USD"},
        {**target, "row_key": "2", "metric": "happiness", "target": 1},
    )
    product = {"product_id": "p", "currency_code": "EUR", "_file_order": "|a"}
    write(
        "files__products",
        {**product, "row_key": "1", "list_price": 11, "valid_from": None},
        {**product, "row_key": "2", "list_price": 13, "valid_from": "2026-01-15"},
    )


def see_reference_data() -> None:
    """Files override the seeds; invalid targets are left out; steps and prices have the right ends."""
    assert rows("select * from intermediate.int_targets order by metric") == [
        ("quarter", "sales", "leads", "EMEA", "seed", None, 9, date(2026, 1, 1), date(2026, 4, 1)),
        ("month", "sales", "won_amount", "(all)", "files", "USD", 120, date(2026, 1, 1), date(2026, 2, 1)),
    ]
    assert rows("select * from intermediate.int_product_prices order by product_id, valid_from") == [
        ("p", "files", "EUR", 11, date(2000, 1, 1), date(2026, 1, 15)),
        ("p", "files", "EUR", 13, date(2026, 1, 15), None),
        ("q", "seed", "USD", 5, date(2026, 1, 1), None),
    ]
    assert rows("select step_from, step_to, commission_rate from intermediate.int_commission_steps order by 1") == [
        (0, 1, Decimal("0.05")),
        (1, None, Decimal("0.08")),
    ]
    assert rows("select holiday_date from intermediate.int_regional_holidays where region = 'EMEA' limit 1") != []
    # In Germany New Year is not a business day, Saturday is not one anywhere, Epiphany is one in most of Germany.
    assert rows(
        "select is_business_day from marts.dim_dates "
        "where date_day in ('2026-01-01', '2026-01-02', '2026-01-03', '2026-01-06') order by date_day"
    ) == [(False,), (True,), (False,), (True,)]


def test_contradicting_rules_are_reported_by_name(warehouse: str, project: Path) -> None:
    """Each seed with one mistake of each kind, and one correct row or period."""
    seeds = {
        "holidays": ["XX,2026-01-01,one", "XX,2026-01-01,two", "US,2026-12-25,right"],
        "region_calendars": ["Nowhere,US", "EMEA,YY"],
        "targets": [
            "2026-01-01,month,a,won_amount,(all),1,USD",
            "2026-01-01,quarter,a,won_amount,(all),3,USD",
            "2026-02-02,month,b,leads,(all),1,",
            "2026-01-01,month,c,happiness,(all),1,",
            "2026-01-01,month,d,leads,(all),1,",
        ],
        "price_list": [
            "overlap,1,USD,2026-01-01,2026-03-01",
            "overlap,2,USD,2026-02-01,",
            "gap,1,USD,2026-01-01,2026-02-01",
            "gap,2,USD,2026-03-01,",
            "negative,-1,USD,2026-01-01,",
            "right,1,USD,2026-01-01,2026-02-01",
            "right,2,USD,2026-02-01,",
        ],
        "commission_plans": [
            "late step,a,0.5,0.05,2026-01-01,",
            "one,b,0,0.05,2026-01-01,2026-06-01",
            "two,b,0,0.05,2026-03-01,",
            "one,c,0,0.05,2026-01-01,2026-06-01",
            "two,c,0,0.05,2026-07-01,",
            "too much,d,0,5,2026-01-01,",
            "right,e,0,0.05,2026-01-01,2026-06-01",
            "right,e,1,0.08,2026-01-01,2026-06-01",
            "next,e,0,0.05,2026-06-01,",
        ],
    }
    for name, lines in seeds.items():
        path = project / f"seeds/{name}.csv"
        path.write_text("\n".join([path.read_text().splitlines()[0], *lines]) + "\n")
    rules = project / "dbt_project.yml"
    rules.write_text(rules.read_text().replace("business_calendar: weekends", "business_calendar: ZZ"))
    wanted = [*seeds, "country_regions"]
    outcome = dbt_run._invoke(project, "build", "--select", *wanted, "--indirect-selection", "cautious")
    failed = {
        result.node.name: result.failures
        for result in outcome.result.results
        if str(result.status) in ("fail", "error")
    }
    # One row each: correct rows are not reported.
    assert failed == dict.fromkeys(failed, 1)
    told = (
        *("assert_business_calendar_is_known", "assert_commission_steps_begin_at_zero"),
        *("accepted_values_targets_metric", "is_key_of_seed_holidays", "is_true_of_seed_commission_plans"),
        *("is_true_of_seed_price_list", "is_true_of_seed_targets"),
        *("periods_do_not_overlap_commission_plans", "periods_do_not_overlap_price_list"),
        *("periods_do_not_overlap_targets", "periods_have_no_gaps_commission_plans", "periods_have_no_gaps_price_list"),
        *("relationships_region_calendars_calendar", "relationships_region_calendars_region"),
    )
    assert {next((one for one in told if name.startswith(one)), name) for name in failed} == set(told)
    assert len(failed) == len(told)
