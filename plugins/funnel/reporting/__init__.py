"""Reporting: alerts and lineage."""
