"""A profile: what to measure next, for how long, and when a table is good enough."""
