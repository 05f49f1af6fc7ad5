"""A space of so few networks that a profile comes to its end."""

TINY = """
name = "tiny"
kinds = ["basic"]
kernels = [3]
widths = [8, 8]
last_widths = [8, 8]
most_layers_a_block = 2
random_macs_at_224 = 1e9

[[start]]
up_to_resolution = 224
blocks = "SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,8,2,8,1)SuperConvK1BNRELU(8,8,1,1)"
"""
