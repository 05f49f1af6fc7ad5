"""Who runs the islands of a search: this process, others beside it, or Ray."""
