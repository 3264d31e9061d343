"""May a build's inputs be believed? Asked before its marts are looked at."""

import great_expectations.expectations as gxe

CRITICAL = {
    "deliveries": [
        gxe.ExpectColumnValuesToBeNull(
            column="run_id",
            description="no delivery in this build failed its own gate",
            notes="Its rows are in raw and so in these marts, although nobody believes them. The run's own alert and "
            "ops.checks say what was wrong. Repair the cause and ingest its days again; once they pass, publications "
            "go on.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

KEYS = {"deliveries": ["load_id"]}
