"""What runs where: PostgreSQL, Airflow, Superset and the sandbox, on one machine or in containers.

Not part of the pipeline, which imports none of it but from its command line.
"""
