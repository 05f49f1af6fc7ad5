"""NVIDIA GPUs: their state, CUDA, and the runtimes that work on them."""
