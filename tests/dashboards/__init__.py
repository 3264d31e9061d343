"""Dashboards: what their files say, and what a browser sees of them."""
