"""What tests of devices that answer in their own time share."""

import threading
import time
from collections.abc import Callable


def eventually(condition: Callable[[], object]) -> bool:
    """Whether it becomes true; a signal takes its time."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def later(action: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(0.3, action)
    timer.start()
    return timer
