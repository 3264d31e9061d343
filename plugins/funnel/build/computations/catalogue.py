"""The list of statistics computed between two runs of dbt: their rows, function and table.

To add one, see docs/architecture.md, "What SQL cannot compute well".
"""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funnel.build.computations import alignment, markov, scorecard

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Computation:
    """One table of schema `statistics`.

    name      the table; also its source table in dbt and its list in `marts_changes`, so no model may be called so
    reads     the models its queries read; none of them may depend on a statistic
    inputs    query of the rows to compute from, without parameters but %(as_of)s and %(build_id)s; a limit on `group`
              is put around it, and reaches the tables when the query does nothing that hides the column
    order     columns that put the rows of a group into a total order
    group     column of `inputs` and of the result: what is computed together
    changed   queries of one column: the groups whose inputs changed since the publication in effect, from
              `marts_changes.<model>`, or that time changes, from %(as_of)s and %(published_as_of)s
    columns   the table's columns with their types, the group among them; a number is `numeric`, never a float
    key       its primary key
    compute   function of the rows of one group, that gives rows without the group
    """

    name: str
    reads: tuple[str, ...]
    inputs: str
    order: tuple[str, ...]
    group: str
    changed: tuple[str, ...]
    columns: Mapping[str, str]
    key: tuple[str, ...]
    compute: Callable[[Sequence[Row]], Iterable[Row]]


COMPUTATIONS: tuple[Computation, ...] = (
    Computation(
        name="removal_effects",
        reads=("int_channel_transitions",),
        inputs="select * from intermediate.int_channel_transitions",
        order=("conversion_type", "from_channel", "to_channel"),
        group="month_start",
        changed=("select month_start from marts_changes.int_channel_transitions",),
        columns={
            "month_start": "date",
            "conversion_type": "text",
            "channel": "text",
            "conversion_rate": "numeric",
            "removal_effect": "numeric",
        },
        key=("month_start", "conversion_type", "channel"),
        compute=markov.removal_effects_by_type,
    ),
    Computation(
        name="revenue_shares",
        reads=("int_won_origins",),
        inputs="select * from intermediate.int_won_origins",
        order=("opportunity_key",),
        group="quarter_start",
        changed=("select quarter_start from marts_changes.int_won_origins",),
        columns={
            "quarter_start": "date",
            "period_start": "date",
            "period_grain": "text",
            "region": "text",
            "won": "integer",
            "customers": "integer",
            "sourced_share": "numeric",
            "sourced_low": "numeric",
            "sourced_high": "numeric",
            "influenced_share": "numeric",
            "influenced_low": "numeric",
            "influenced_high": "numeric",
            "is_sufficient": "boolean",
            "reason": "text",
        },
        key=("quarter_start", "period_start", "period_grain", "region"),
        compute=alignment.revenue_shares,
    ),
    # Equal leads are counted together: the age of a lead follows from as_of, and matters only up to the longest of
    # scorecard.HORIZONS.
    Computation(
        name="close_rates",
        reads=("int_lead_fates",),
        inputs="""
            select
                created_quarter,
                created_month,
                region,
                segment,
                is_marketing_generated,
                width_bucket(
                    (extract(epoch from %(as_of)s - created_at)::bigint / 86400)::integer, array[30, 60, 90, 180]
                ) as horizons_watched,
                case when decided_at < %(as_of)s then fate else 0 end as outcome,
                greatest(
                    least(
                        extract(
                            epoch from case when decided_at < %(as_of)s then decided_at else %(as_of)s end - created_at
                        )::bigint / 86400,
                        180
                    ),
                    0
                )::integer as days,
                count(*)::integer as leads
            from intermediate.int_lead_fates
            where created_at < %(as_of)s
            group by 1, 2, 3, 4, 5, 6, 7, 8
        """,
        order=(
            "created_month",
            "region",
            "segment",
            "is_marketing_generated",
            "horizons_watched",
            "outcome",
            "days",
        ),
        group="created_quarter",
        changed=(
            "select created_quarter from marts_changes.int_lead_fates",
            """
            select quarter_start
            from marts.dim_dates
            where
                date_day = quarter_start
                and date_day <= %(as_of)s
                and date_day + interval '3 months 180 days'
                    > %(published_as_of)s::timestamptz - interval '1 day'
            """,
        ),
        columns={
            "created_quarter": "date",
            "period_start": "date",
            "period_grain": "text",
            "region": "text",
            "horizon_days": "integer",
            "marketing_leads": "integer",
            "other_leads": "integer",
            "marketing_rate": "numeric",
            "other_rate": "numeric",
            "ratio": "numeric",
            "ratio_low": "numeric",
            "ratio_high": "numeric",
            "difference": "numeric",
            "difference_low": "numeric",
            "difference_high": "numeric",
            "adjusted_ratio": "numeric",
            "is_reversed": "boolean",
            "is_sufficient": "boolean",
            "reason": "text",
        },
        key=("created_quarter", "period_start", "period_grain", "region"),
        compute=alignment.close_rates,
    ),
    Computation(
        name="frictions",
        reads=("int_lead_fates",),
        inputs="""
            select fates.*, weights.*
            from intermediate.int_lead_fates as fates
            cross join (
                select
                    max(weight) filter (where component = 'unanswered_rate') as weight_of_unanswered_rate,
                    max(weight) filter (where component = 'sent_back_rate') as weight_of_sent_back_rate,
                    max(weight) filter (where component = 'moves_per_lead') as weight_of_moves_per_lead,
                    max(weight) filter (where component = 'wait_share') as weight_of_wait_share,
                    max(weight) filter (where component = 'disagreement_rate') as weight_of_disagreement_rate,
                    max(floor) filter (where component = 'unanswered_rate') as floor_of_unanswered_rate,
                    max(floor) filter (where component = 'sent_back_rate') as floor_of_sent_back_rate,
                    max(floor) filter (where component = 'moves_per_lead') as floor_of_moves_per_lead,
                    max(floor) filter (where component = 'wait_share') as floor_of_wait_share,
                    max(floor) filter (where component = 'disagreement_rate') as floor_of_disagreement_rate
                from seeds.friction_weights
            ) as weights
            where fates.mql_quarter is not null
        """,
        order=("lead_key",),
        group="mql_quarter",
        changed=("select mql_quarter from marts_changes.int_lead_fates",),
        columns={
            "mql_quarter": "date",
            "period_start": "date",
            "period_grain": "text",
            "region": "text",
            "mqls": "integer",
            "unanswered_rate": "numeric",
            "sent_back_rate": "numeric",
            "moves_per_lead": "numeric",
            "wait_share": "numeric",
            "disagreement_rate": "numeric",
            "index_spread": "numeric",
            "is_sufficient": "boolean",
            "reason": "text",
        },
        key=("mql_quarter", "period_start", "period_grain", "region"),
        compute=alignment.frictions,
    ),
)


def fingerprint(computations: Sequence[Computation] = COMPUTATIONS) -> str:
    """A hash of a computation's code. It changes with the code, because old groups must then be computed again by a
    full build.
    """
    files = {
        Path(__file__),
        Path(__file__).with_name("engine.py"),
        Path(scorecard.__file__),
        *(Path(inspect.getfile(inspect.unwrap(each.compute))) for each in computations),
    }
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
