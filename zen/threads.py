"""How many threads torch works with: one, unless a user asks for more.

Torch takes every core by default, and its threads spin while they wait for each other. On two cores with
another program at work, one repeat of a network of 10M MACs took 14 s of processor time with two threads and
0.04 s with one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UserError

VARIABLE = "ZENBENCH_TORCH_THREADS"


@contextmanager
def few_threads() -> Iterator[None]:
    """Runs torch on one thread, or on as many as VARIABLE says; what the caller had set comes back.

    Also a decorator. Raises UserError for what is no number of threads.
    """
    import torch

    asked = os.environ.get(VARIABLE, "1")
    most = os.cpu_count() or 1
    if not (asked.isascii() and asked.isdecimal()) or not 1 <= int(asked) <= most:
        raise UserError(f"{VARIABLE} is '{asked}'; it must be a number of threads from 1 to {most}")
    before = torch.get_num_threads()
    torch.set_num_threads(int(asked))
    try:
        yield
    finally:
        torch.set_num_threads(before)
