"""What is built from `raw`: dbt's runs, metrics, and what SQL cannot compute well."""
