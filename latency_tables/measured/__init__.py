"""Models of tables with measured workloads: fill-in of what was not measured, and calibration."""
