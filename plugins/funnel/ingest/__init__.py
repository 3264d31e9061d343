"""From a vendor's answers to typed rows in `raw`."""
