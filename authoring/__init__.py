"""Tools of those who write sources: scaffolds and recorded answers."""
