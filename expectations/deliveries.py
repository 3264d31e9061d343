"""Checks of a run's delivery as a whole, for every source.

They compare the run's rows of ops.loads with the same stream's history. The rows themselves are checked by
`raw/<source>.py`. `funnel.gate.deliveries` computes the shares and the expected volume and passes them as parameters.
"""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = [
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="stream",
        value_set={"$PARAMETER": "streams"},
        description="every stream of the source was loaded",
        notes="A run without one of them would let its days pass as loaded. Run the ingest of these days again.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="quarantined_share",
        max_value={"$PARAMETER": "quarantine_limit"},
        row_condition=Column("rows_read") >= 20,
        description="the share of quarantined rows is below the limit",
        notes="QUARANTINE_LIMIT, 5 % unless set. A single odd row can wait; one in twenty means that a vendor changed "
        "a field, and the sums would lack it. ops.quarantine names column and reason. Repair the stream's declaration, "
        "then run the ingest again.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="quarantined_share",
        max_value=0.5,
        description="at least half of the rows are readable",
        notes="Also below 20 rows, where the limit would be less than one row. ops.quarantine names column and reason.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="retracted_share",
        max_value=0.5,
        row_condition=Column("rows_before") >= 20,
        description="at most half of the known rows vanish",
        notes="Lost access to an account looks like an empty account. If the vendor's own console shows nothing "
        "either, run the ingest again: the second read finds nothing left to retract and passes.",
    ),
]

WARNING = [
    gxe.ExpectColumnValuesToBeBetween(
        column="rows_quarantined",
        max_value=0,
        description="no row is quarantined",
        notes="The row is missing from every mart until it is repaired. ops.quarantine names column and reason.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="new_fields",
        max_value=0,
        description="no field is undeclared",
        notes="Nothing is lost: it is kept in _extra. Declare it in funnel.sources to use it, or list it as ignored.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="rows_conflicting",
        max_value=0,
        description="no key has two different rows in one read",
        notes="The row received last is kept, which may be the wrong one. ops.loads.conflicts has the numbers of both: "
        "compare them with the vendor's console. Rows that a vendor splits by more than the key need a longer key.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="notes_more",
        max_value=0,
        description="no more values are repaired or left out than before",
        notes="Against the most of the stream's last 28 loads. Half letters and NUL are repaired, attributes that "
        "cannot be read are null. ops.noted_values names column and reason; landed files hold what the vendor sent.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="volume_ratio",
        min_value=0.5,
        max_value=2.0,
        row_condition=Column("rows_expected") >= 20,
        description="the volume is like that of the loads before",
        notes="Against the median rows per day of the stream's last 28 loads. A campaign more or a holiday moves it by "
        "less than half; below 20 expected rows chance decides.",
    ),
]

# Of ops.loads: one load that passes every expectation.
PASSING = {
    "stream": "campaign_stats",
    "rows_read": 10,
    "rows_loaded": 10,
    "rows_quarantined": 0,
    "rows_retracted": 0,
    "values_noted": 0,
}

# By description: the rows of ops.loads, each laid over the passing one.
_ALL = [{"stream": "campaign_stats"}, {"stream": "campaigns"}]
POISON = {
    "every stream of the source was loaded": [{"stream": "campaigns"}],
    "the share of quarantined rows is below the limit": [
        *_ALL,
        {"rows_read": 100, "rows_loaded": 94, "rows_quarantined": 6},
    ],
    "at least half of the rows are readable": [*_ALL, {"rows_read": 5, "rows_loaded": 2, "rows_quarantined": 3}],
    "at most half of the known rows vanish": [*_ALL, {"rows_retracted": 11}],
    "no row is quarantined": [*_ALL, {"rows_read": 100, "rows_loaded": 99, "rows_quarantined": 1}],
    "no field is undeclared": [*_ALL, {"new_fields": ["metrics.surprise"]}],
    "no key has two different rows in one read": [*_ALL, {"rows_conflicting": 1}],
    "no more values are repaired or left out than before": [
        {"run_id": "earlier", "values_noted": 2},
        *_ALL,
        {"values_noted": 3},
    ],
    "the volume is like that of the loads before": [
        *([{"run_id": "earlier", "rows_read": 100, "rows_loaded": 100}] * 5),
        *_ALL,
        {"rows_read": 49, "rows_loaded": 49},
    ],
}
