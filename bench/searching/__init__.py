"""The files of a search: its folder, its record, its results."""
