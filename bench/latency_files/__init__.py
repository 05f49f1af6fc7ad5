"""CSV files of latencies, ours and those of other tools."""
