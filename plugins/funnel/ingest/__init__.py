"""Ingest: from a vendor's responses to typed rows in `raw`."""
