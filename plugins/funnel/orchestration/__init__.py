"""Airflow's side of the pipeline: the only wing that imports Airflow."""
