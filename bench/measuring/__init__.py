"""From a device to rounds and rows: what is timed, how, and what disturbed it."""
