"""Build: runs of dbt, metrics, and statistics that SQL cannot compute well."""
