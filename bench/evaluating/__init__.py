"""Accuracy of networks, and of the files they are exported to."""
