"""Dashboards: their files, and how a browser shows them."""
