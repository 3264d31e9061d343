"""Figures that SQL cannot compute well."""
