"""Tools for authors of sources: scaffolds and recorded responses."""
