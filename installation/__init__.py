"""Where the parts run: PostgreSQL, Airflow, Superset and the sandbox, on one machine or in containers.

It is not part of the pipeline; of the pipeline, only the command line imports it.
"""
