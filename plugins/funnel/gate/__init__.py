"""Whether a delivery, or a build, may be used."""
