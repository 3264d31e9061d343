"""Marketing-and-sales funnel warehouse: ingest (vendor to raw), build (raw to marts), publish (marts to bi)."""
