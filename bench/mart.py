"""What the whole mart costs at size: a full rebuild, a day, and the queries that dashboards send.

`make bench-mart` makes warehouses of a made-up company on a throw-away server, at 1/10, 1/3 and the full size (by default
3 years, 2,000 campaigns, 500,000 leads, 100,000 opportunities and 5 million touches), builds, audits and publishes each
once, then brings days to it, and asks `bi` as reader what dashboards ask: long spans of the monthly tables, short ones of
the daily tables, answers by channel, region and model. `SIZE="--scales 0.1 --leads 200000"` chooses other sizes.

A rebuild and a day are build, audit and publication. The first day warms caches up and is not counted. Memory is the
largest of this process, in which all of them run; the server has its own.
"""

import argparse
import json
import math
import random
import resource
import statistics
import sys
import time
from datetime import timedelta
from typing import Any

import psycopg

from bench import history, mornings
from bench.cluster import throw_away_warehouse
from bench.mornings import Size
from funnel import settings

# {month}: first of a month; {day}: a day; {channel}, {region}: an existing one.
MONTHLY = """
select month_start, sum(spend) as spend, sum(leads) as leads, sum(won) as won, sum(won_amount) as won_amount
from bi.fct_funnel_monthly where month_start >= date '{month}' - interval '35 months' group by month_start order by month_start;
select channel, sum(spend) as spend, sum(leads) as leads, sum(mqls) as mqls, sum(won) as won, sum(won_amount) as won_amount
from bi.fct_funnel_monthly where month_start >= date '{month}' - interval '11 months' group by channel order by 6 desc;
select stage, stage_order, sum(entities) as entities from bi.fct_funnel_stages
where month_start >= date '{month}' - interval '2 months' and region = '{region}' group by stage, stage_order order by stage_order;
select model, channel, sum(spend) as spend, sum(revenue) as revenue, sum(revenue) / nullif(sum(spend), 0) as roas
from bi.rpt_channel_return where month_start = '{month}' group by model, channel order by model, revenue desc;
select channel, min(roas_low) as roas_low, max(roas_high) as roas_high from bi.rpt_channel_return
where month_start >= date '{month}' - interval '2 months' group by channel
"""
DAILY = """
select date_day, sum(spend) as spend, sum(leads) as leads, sum(won_amount) as won_amount from bi.fct_funnel_daily
where date_day > date '{day}' - 30 and date_day <= date '{day}' group by date_day order by date_day;
select channel, sum(spend) as spend, sum(leads) as leads, sum(won) as won from bi.fct_funnel_daily
where date_day > date '{day}' - 30 and date_day <= date '{day}' and region = '{region}' group by channel;
select campaigns.campaign_name, sum(funnel.spend) as spend, sum(funnel.leads) as leads
from bi.fct_funnel_daily as funnel inner join bi.dim_campaigns as campaigns using (campaign_key)
where funnel.date_day > date '{day}' - 7 and funnel.date_day <= date '{day}' and funnel.channel = '{channel}' group by campaigns.campaign_name order by spend desc limit 20;
select mart, data_as_of, last_audit_passed, failed_checks, sources_late from bi.data_status
"""
REPEATS = 20


def ask(size: Size) -> dict[str, float]:
    """The 95th percentile over all queries in milliseconds, and the slowest query's median."""
    chance = random.Random(11)
    taken: dict[str, list[float]] = {}
    with psycopg.connect(settings.dsn("bi_reader"), autocommit=True) as reader:
        channels = [
            row[0] for row in reader.execute("select channel from bi.fct_funnel_stages group by channel order by 1")
        ]
        regions = [
            row[0] for row in reader.execute("select region from bi.fct_funnel_stages group by region order by 1")
        ]
        for _ in range(REPEATS):
            day = mornings.LAST_DAY - timedelta(days=chance.randrange(min(300, size.days - 31)))
            values = {
                "day": day,
                "month": day.replace(day=1),
                "channel": chance.choice(channels),
                "region": chance.choice(regions),
            }
            for question in (MONTHLY + ";" + DAILY).split(";"):
                query = question.strip().format(**values)
                started = time.perf_counter()
                reader.execute(query.encode()).fetchall()
                taken.setdefault(question, []).append((time.perf_counter() - started) * 1000)
    every = sorted(milliseconds for one in taken.values() for milliseconds in one)
    slowest = max(taken, key=lambda question: statistics.median(taken[question]))
    print(
        f"  slowest question, {statistics.median(taken[slowest]):.0f} ms: {' '.join(slowest.split())[:110]}", flush=True
    )
    return {"p95_ms": every[math.ceil(0.95 * len(every)) - 1], "slowest_ms": statistics.median(taken[slowest])}


def peak_mb() -> float:
    """The peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def measure(name: str, size: Size, days: int) -> dict[str, Any]:
    """Measure one size: seconds of the rebuild and of a day, milliseconds of queries, megabytes."""
    full = history.prepare(name, size)
    print(f"  full: {', '.join(f'{part} {value:.0f} s' for part, value in full.items())}", flush=True)
    counted = []
    for offset in range(days + 1):
        day = mornings.LAST_DAY + timedelta(days=offset + 1)
        seconds = history.run_day(day, mornings.bodies_of(day, size))
        print(f"  {day}: {', '.join(f'{part} {value:.1f} s' for part, value in seconds.items())}", flush=True)
        if offset:
            counted.append(sum(value for part, value in seconds.items() if part != "load"))
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        tables = ("marts.fct_leads", "marts.fct_opportunities", "marts.fct_touchpoints", "marts.fct_attribution")
        rows = {table: admin.execute(f"select count(*) from {table}".encode()).fetchone() for table in tables}
        stored = admin.execute("select pg_database_size(current_database())").fetchone()
    return {
        "full_seconds": round(sum(value for part, value in full.items() if part != "history"), 1),
        "day_seconds": round(statistics.median(counted), 1),
        **{name: round(value, 1) for name, value in ask(size).items()},
        "peak_mb": round(peak_mb()),
        "database_gb": round(stored[0] / 1e9, 1) if stored else None,
        **{table.removeprefix("marts."): count[0] if count else None for table, count in rows.items()},
    }


def main() -> None:
    """Measure each size and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.1, 1 / 3, 1.0], help="shares of the sizes below")
    parser.add_argument("--days", type=int, default=1095, help="days of history, the same at every scale")
    parser.add_argument("--campaigns", type=int, default=2_000)
    parser.add_argument("--leads", type=int, default=500_000)
    parser.add_argument("--opportunities", type=int, default=100_000)
    parser.add_argument("--touches", type=int, default=5_000_000)
    parser.add_argument("--counted-days", type=int, default=2, help="days, after one that warms up")
    chosen = parser.parse_args()
    curve = []
    for scale in chosen.scales:
        size = Size(
            days=chosen.days,
            campaigns=max(1, round(chosen.campaigns * scale)),
            leads=max(1, round(chosen.leads * scale / chosen.days)),
            leads_per_opportunity=max(1, round(chosen.leads / chosen.opportunities)),
            touches=chosen.touches / chosen.leads,
        )
        print(f"{scale:.2f} of the size: {size}", flush=True)
        with throw_away_warehouse():
            figures = {"scale": round(scale, 3), **measure("mart", size, chosen.counted_days)}
        print(f"  {json.dumps(figures)}", flush=True)
        curve.append(figures)
    print(json.dumps({"bench": "mart", "curve": curve}))


if __name__ == "__main__":
    main()
