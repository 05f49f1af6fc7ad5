"""From a graph to the files that runtimes read."""

NETWORK_KEY = "zenbench.network"
"""Metadata entry with the network's JSON, by which a file that zenbench wrote can be read back."""
