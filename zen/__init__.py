"""Networks: what they are, what they cost, how expressive they are, how to search them."""
