"""Checks of a build's inputs, before the checks of its marts."""

import great_expectations.expectations as gxe

CRITICAL = {
    "deliveries": [
        gxe.ExpectColumnValuesToBeNull(
            column="run_id",
            description="no delivery in this build failed its own gate",
            notes="Its rows are in raw and so in these marts, although they failed. The run's own alert and "
            "ops.checks say what was wrong. Repair the cause and ingest its days again; once they pass, publications "
            "go on.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

KEYS = {"deliveries": ["load_id"]}
