"""From a graph to the files that runtimes read."""
