"""Building blocks that several families share, each beside its incremental mode."""
