"""Models of tables fitted to whole networks alone."""
