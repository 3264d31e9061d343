"""`make ask` answers the twenty questions of the guide with what hand-written SQL says."""

import json
import os
import re
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from funnel import settings, warehouse
from funnel.questions import answers, grammar, metricflow_shell, output
from funnel.questions.catalogue import Catalogue
from funnel.questions.errors import QuestionError
from tests.end_to_end.company.conftest import ANCHOR
from tests.end_to_end.pipeline import Pipeline, rows

GUIDE = settings.REPOSITORY / "docs/analyst_guide.md"
MONDAY = ANCHOR - timedelta(days=ANCHOR.weekday())
SELLING = """
    sum(won) / nullif(sum(won + lost), 0)::numeric as win_rate, sum(won_amount) / nullif(sum(won), 0) as amount,
    sum(won_cycle_days) / nullif(sum(n_cycles), 0)::numeric as days,
    sum(open_opportunities) filter (where month_start = (select max(month_start) from bi.rpt_sales_velocity)) as open
"""
COVERAGE = """
    from bi.rpt_pipeline_coverage
    where
        region = '(all)' and date_day = (select max(date_day) from bi.rpt_pipeline_coverage)
        and date_day >= period_start and date_day < period_start + interval '3 months'
"""
# The SQL that answers each question of the guide, in its order, with the columns of the answer.
BY_HAND = [
    f"""
    select date_trunc('week', date_day)::date, sum(leads) from bi.fct_funnel_daily
    where date_day >= '{MONDAY - timedelta(days=28)}' and date_day < '{MONDAY}' group by 1
    """,
    """
    select month_start, sum(leads), sum(mqls), sum(sals), sum(sqls), sum(opportunities), sum(won)
    from bi.fct_funnel_monthly group by 1
    """,
    "select channel, count(*) as leads from bi.fct_leads group by 1 order by 2 desc, 1 limit 5",
    """
    select channel, sum(spend), sum(leads), sum(spend) / nullif(sum(leads), 0) from bi.fct_funnel_daily group by 1
    """,
    """
    select date_trunc('quarter', month_start)::date, sum(coalesce(won_amount, 0) + coalesce(order_amount, 0))
    from bi.fct_funnel_monthly group by 1
    """,
    "select region, sum(won_amount) from bi.fct_funnel_daily group by 1",
    f"select month_start, win_rate from (select month_start, {SELLING} from bi.rpt_sales_velocity "
    "where region = 'EMEA' group by 1) as selling",
    f"select region, open * win_rate * amount / nullif(days, 0) from (select region, {SELLING} "
    "from bi.rpt_sales_velocity group by 1) as selling",
    f"select region, amount, days from (select region, {SELLING} from bi.rpt_sales_velocity group by 1) as selling",
    """
    select
        channel,
        sum(reached) filter (where is_mature and stage = 'mql' and age_days = 30)
            / nullif(sum(leads) filter (where is_mature and stage = 'mql' and age_days = 30), 0),
        sum(reached) filter (where is_mature and stage = 'won' and age_days = 90)
            / nullif(sum(leads) filter (where is_mature and stage = 'won' and age_days = 90), 0)
    from bi.fct_funnel_cohorts group by 1
    """,
    """
    select
        channel,
        sum(revenue) / nullif(sum(spend), 0),
        sum(spend + costs) / nullif(sum(new_customers) filter (where costs is not null), 0)
    from bi.rpt_channel_return where model = 'linear' group by 1
    """,
    "select model, sum(revenue) from bi.rpt_channel_return where channel = 'Paid Search' group by 1",
    """
    select campaign_name, sum(spend), sum(impressions), sum(clicks)
    from bi.fct_ad_stats_daily inner join bi.dim_campaigns using (campaign_key, platform)
    where platform = 'google_ads' group by 1 order by 2 desc limit 10
    """,
    """
    select month_start, sum(spend), sum(platform_conversions), sum(sessions) from bi.fct_funnel_daily group by 1
    """,
    """
    select
        region, percentile_cont(0.5) within group (order by response_business_minutes),
        avg(is_sla_breached::integer)
    from bi.fct_leads where mql_at is not null group by 1
    """,
    f"""
    select open_amount / nullif(greatest(target - booked_amount, 0), 0), open_amount,
        nullif(greatest(target - booked_amount, 0), 0)
    {COVERAGE}
    """,
    """
    select
        team,
        sum(target) filter (where metric = 'won_amount' and period_grain = 'quarter' and actual is not null),
        sum(actual) filter (where metric = 'won_amount' and period_grain = 'quarter')
            / sum(target) filter (where metric = 'won_amount' and period_grain = 'quarter' and actual is not null)
    from bi.fct_targets group by 1
    """,
    "select region, sum(discount_amount) / sum(list_amount), sum(leakage_amount) from bi.rpt_price_leakage group by 1",
    """
    select product_group, sum(own_ecommerce_amount) / nullif(sum(own_ecommerce_amount + sell_through_amount), 0)
    from bi.rpt_retail_gap group by 1
    """,
    "select holder_team, avg(business_minutes), avg((bounce_no > 0)::integer) from bi.rpt_handoff group by 1",
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


def questions() -> list[str]:
    """The column METRIC of the guide's table."""
    section = GUIDE.read_text().partition("| question | METRIC |")[2].partition("\n\n")[0]
    return re.findall(r"\| `(.+)` \|", section)


def environment() -> dict[str, str]:
    """What `make` sets for a command."""
    return {**os.environ, "PYTHONPATH": f"{settings.REPOSITORY / 'plugins'}:{settings.REPOSITORY}"}


def comparable(found: list[Any]) -> list[list[Any]]:
    """Rows in an order of their own; numbers that dividing made differ in their last digits."""
    plain = [[float(cell) if isinstance(cell, int | float | Decimal) else cell for cell in row] for row in found]
    return sorted(plain, key=lambda row: [str(cell) for cell in row if not isinstance(cell, float)])


@pytest.mark.parametrize("number", range(20))
def test_a_question_of_the_guide_is_answered_as_by_hand(company: Pipeline, catalogue: Catalogue, number: int) -> None:
    asked = questions()
    assert len(asked) == len(BY_HAND) == 20
    found = answers.answer(grammar.parse(asked[number]), catalogue)
    with warehouse.connect("bi_reader") as reader:
        by_hand = comparable(reader.execute(BY_HAND[number].encode()).fetchall())
    assert by_hand
    given = comparable([[row[name] for name in found.columns] for row in found.rows])
    assert len(given) == len(by_hand), asked[number]
    for row, expected in zip(given, by_hand, strict=True):
        close = [pytest.approx(cell, rel=1e-9) if isinstance(cell, float) else cell for cell in expected]
        assert row == close, asked[number]
    assert found.status["complete_through"] == ANCHOR - timedelta(days=1)


def test_metrics_of_several_tables_are_side_by_side(company: Pipeline, catalogue: Catalogue) -> None:
    found = answers.answer(grammar.parse("leads, win rate by channel, month in 2026-02"), catalogue)
    leads = {row["channel"]: row["leads"] for row in found.rows if row["leads"] is not None}
    assert leads == {
        row["channel"]: row["leads"]
        for row in rows(
            "select channel, sum(leads) as leads from bi.fct_funnel_monthly where month_start = '2026-02-01' group by 1"
        )
    }
    assert any(row["win_rate"] is not None for row in found.rows)
    assert {row["month"] for row in found.rows} == {date(2026, 2, 1)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("leeds by month", "There is no metric `leeds`. Nearest: leads"),
        ("leads by sales rep", "There is no dimension `sales rep`"),
        ("leads where region = EMAE", "There is no region `EMAE`. Nearest: EMEA"),
        ("win rate by week", "win_rate is not known by week; it is by month, quarter, year"),
        ("win rate from 2026-02-10", "win_rate is known by month: 2026-02-10 is not the first day of one"),
        ("leads by month order by won", "There is no column of the answer `won`"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(
    company: Pipeline, catalogue: Catalogue, text: str, said: str
) -> None:
    with pytest.raises(QuestionError) as error:
        answers.answer(grammar.parse(text), catalogue)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        "'; drop table bi.fct_leads; --",
        "{{ Dimension('x') }}",
        "{% raw %}",
        "100%",
        "%(x)s",
        "value_0_of_question",
        "\\'",
    ],
)
def test_what_a_user_writes_is_never_sql(company: Pipeline, catalogue: Catalogue, value: str) -> None:
    dimension = catalogue.metric("leads").dimensions[0]
    condition = grammar.Condition(dimension.name, "<", (value,))
    question = grammar.Question(("leads",), where=(condition,))
    [expected] = rows(
        f"select sum(leads) as leads from bi.fct_funnel_daily left join bi.dim_campaigns using (campaign_key) "
        f"where campaign_name < $value${value}$value$"
    )
    assert dimension.name == "campaign"
    [found] = answers.answer(question, catalogue).rows
    assert found["leads"] == expected["leads"]


def test_the_command_prints_json(company: Pipeline) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "funnel.cli", "ask", "--format", "json", "--", "leads by month"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=environment(),
    )
    found = json.loads(done.stdout)
    assert found["columns"] == ["month", "leads"]
    assert sum(row["leads"] for row in found["rows"]) == rows("select count(*) as n from bi.fct_leads")[0]["n"]
    assert found == output.document(answers.answer(grammar.parse("leads by month"), Catalogue()))


def test_metricflows_own_command_reads_bi_as_the_reader(company: Pipeline) -> None:
    folder = metricflow_shell.lay()
    done = subprocess.run(
        [sys.executable, "-m", "funnel.cli", "mf", "query", "--metrics", "leads", "--group-by", "metric_time__month"],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(),
    )
    shown = rows("select month_start, sum(leads)::int as leads from bi.fct_funnel_monthly group by 1")
    assert done.returncode == 0, done.stdout + done.stderr
    for row in shown:
        assert re.search(rf"{row['month_start']:%Y-%m}-01\S*\s+{row['leads']}\b", done.stdout), done.stdout
    assert metricflow_shell.environment(folder)["PGUSER"] == "bi_reader"
    written = "".join(path.read_text() for path in folder.glob("*.yml"))
    assert metricflow_shell.environment(folder)["PGPASSWORD"] not in written
    assert '"schema_name": "marts"' not in (folder / "target" / "semantic_manifest.json").read_text()
