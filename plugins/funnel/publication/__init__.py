"""Publication: all marts of a build at once, or none."""
