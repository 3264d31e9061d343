"""Orchestration: the only wing that imports Airflow."""
