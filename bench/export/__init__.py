"""From a graph to the files that runtimes read."""

NETWORK_KEY = "zenbench.network"
"""Metadata entry with the network's JSON, by which a file that zenbench wrote can be read back."""

PRECISION_KEY = "zenbench.precision"
"""Metadata entry of an ONNX file with its precision."""

SCALES_KEY = "zenbench.scales"
"""Metadata entry of an int8 ONNX file: JSON, what one step of its input and its output stands for."""
