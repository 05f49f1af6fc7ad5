"""On-device latency benchmarking with Zen-NAS search."""

__version__ = "0.1.0"
