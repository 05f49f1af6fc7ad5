"""Latency tables: their form, their checks, and what they predict."""
