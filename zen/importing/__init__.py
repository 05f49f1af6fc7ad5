"""Networks of others, read as graphs."""
