"""Training of networks on labelled images."""
