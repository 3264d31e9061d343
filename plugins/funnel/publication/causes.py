"""Why a build differs from the publication in effect, as far as the ledger knows: loads, removals, rules, settings,
currency rates and roll-backs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from psycopg import sql

from funnel import warehouse

RESTATEMENT = "rpt_restatement"
# The parts of a change in rpt_restatement, and their names.
PARTS = {
    "change_late": "late change",
    "change_retracted": "retracted rows",
    "change_currency_rate": "currency rate",
    "change_rule": "rule",
    "change_target": "target",
    "change_code": "code",
    "change_other": "other",
}


def known(
    connection: psycopg.Connection[Any],
    build: Mapping[str, Any],
    previous: Mapping[str, Any] | None,
    restated: sql.Composed | None,
) -> Iterator[str]:
    """Sentences, the most general cause first; `restated` are the differing rows of rpt_restatement, if it is built."""
    if previous is None:
        yield "It is the first publication."
        return
    [before] = warehouse.dicts(connection, "select * from ops.builds where build_id = %s", (previous["build_id"],))
    yield from _rules(connection, before, build)
    yield from _rolled_back(connection, previous)
    since = {"since": previous["through_load_id"], "through": build["through_load_id"], "build": before["build_id"]}
    yield from _loads(connection, since)
    yield from _removals(connection, since)
    if restated is not None:
        yield from _restatement(connection, restated)


def _rules(connection: psycopg.Connection[Any], before: Mapping[str, Any], build: Mapping[str, Any]) -> Iterator[str]:
    for subject, value_before, value_now in connection.execute(
        "select subject, value_before, value_now from ops.build_changes where build_id = %s order by reason, subject",
        (build["build_id"],),
    ):
        if subject == "code":
            # The builds of before ops.builds.rules have no separate hashes.
            changed = "Code: models, macros" if value_now else "Rules or code: models, macros, seeds"
            yield (
                f"{changed} or statistics of dbt_project changed "
                f"(version {before['code_version']}, now {build['code_version']})."
            )
        elif subject == "seeds/targets.csv":
            yield "Target: seeds/targets.csv changed."
        elif subject.startswith("seeds/"):
            yield f"Rule: {subject} changed."
        else:
            yield f"Setting: {subject} is {value_now}; it was {value_before}."
    new = sorted(set(build["sources_configured"]) - set(before["sources_configured"]))
    gone = sorted(set(before["sources_configured"]) - set(build["sources_configured"]))
    if new:
        yield f"Sources: {', '.join(new)} deliver for the first time."
    if gone:
        yield f"Sources: {', '.join(gone)} no longer deliver."


def _rolled_back(connection: psycopg.Connection[Any], previous: Mapping[str, Any]) -> Iterator[str]:
    for (publication_id,) in connection.execute(
        "select publication_id from ops.publications where publication_id > %s and reverted_at is not null order by 1",
        (previous["publication_id"],),
    ):
        yield f"Roll-back: publication {publication_id} was withdrawn; what it showed comes back as it is known now."


def _loads(connection: psycopg.Connection[Any], since: Mapping[str, Any]) -> Iterator[str]:
    for source, loads, rows, first, last in connection.execute(
        """
        select source, count(*), sum(rows_loaded), min(window_from), max(window_to) - 1
        from ops.loads where load_id > %(since)s and load_id <= %(through)s
        group by source order by source
        """,
        since,
    ):
        yield f"Loads: {source}, {loads:,} loads of {rows:,} rows, days {first} to {last}."
    for source, days, rows, first, last in connection.execute(
        """
        select source, count(distinct date_day), sum(rows_changed), min(date_day), max(date_day)
        from ops.day_changes where load_id > %(since)s and load_id <= %(through)s and rows_changed > 0
        group by source order by source
        """,
        since,
    ):
        yield f"Restated days: {source} changed {rows:,} rows on {days:,} days between {first} and {last}."


def _removals(connection: psycopg.Connection[Any], since: Mapping[str, Any]) -> Iterator[str]:
    for source, stream, reason, rows in connection.execute(
        """
        select connection_id, stream, reason, sum(rows_removed)
        from ops.removals where after_build_id >= %(build)s
        group by 1, 2, 3 order by 1, 2, 3
        """,
        since,
    ):
        yield f"Removed rows: {rows:,} of {source} {stream} ({reason})."
    for source, stream, rows in connection.execute(
        """
        select source, stream, sum(rows_removed)
        from ops.listings where load_id > %(since)s and load_id <= %(through)s
        group by 1, 2 having sum(rows_removed) > 0 order by 1, 2
        """,
        since,
    ):
        yield f"Deleted by the vendor: {rows:,} records of {source} {stream}."


def _restatement(connection: psycopg.Connection[Any], restated: sql.Composed) -> Iterator[str]:
    """What moves days that were shown before, split as in rpt_restatement: the first row of a value holds the whole."""
    moved = sql.SQL(", ").join(
        sql.SQL("coalesce(built.{part}, 0) - coalesce(shown.{part}, 0) as {part}").format(part=sql.Identifier(column))
        for column in PARTS
    )
    sums = sql.SQL(", ").join(sql.SQL("sum({})").format(sql.Identifier(column)) for column in PARTS)
    query = sql.SQL(
        """
        select subject, {sums}
        from (
            select distinct on (built.mart, built.measure, built.date_day, built.channel, built.region)
                case built.mart
                    when 'fct_ad_stats_daily' then built.measure
                    when 'fct_targets' then 'targets'
                    else built.measure
                end as subject,
                {moved}
            {restated} and built.place is not null
                -- Advertising by channel has the same totals as by day.
                and (built.mart <> 'fct_funnel_daily' or built.measure not in (
                    'spend', 'impressions', 'clicks', 'platform_conversions'
                ))
            order by
                built.mart, built.measure, built.date_day, built.channel, built.region, built.rules_no, built.known_on
        ) as days
        group by subject order by subject
        """
    ).format(sums=sums, moved=moved, restated=restated)
    for subject, *values in connection.execute(query):
        if told := [f"{name} {value:+,.2f}" for name, value in zip(PARTS.values(), values, strict=True) if value]:
            yield f"Days shown before, {subject}: {', '.join(told)}."
