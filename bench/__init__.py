"""The joint: timing, profiling, export, measuring, comparing and the command line."""
