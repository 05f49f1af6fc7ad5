"""Stands in for the package of the CUDA bindings."""
