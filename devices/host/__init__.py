"""This computer: its cores, and the runtimes that work on them."""
