"""Models of machines fitted to published latencies: rooflines, their records and their calibration."""
