"""Machines: what runs an artifact and says how long it took."""
