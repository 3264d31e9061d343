"""Statistics that SQL cannot compute well."""
