"""The root of all errors: what a user did wrong, what a device did, and the exit codes they end with."""

from __future__ import annotations


class ZenbenchError(Exception):
    """A failure that the command line shows as one sentence, without a traceback."""

    exit_code = 2


class UserError(ZenbenchError):
    """Something in the input or the options is wrong; the message says what to do next."""


class NetworkError(UserError):
    """A text, file or structure that describes no network."""


class TableError(UserError):
    """A latency table, card or journal that is missing, damaged or meant for something else."""


class DeviceError(ZenbenchError):
    """A device is missing, refused an artifact or failed while it ran one."""

    exit_code = 3


class DeviceUnavailableError(DeviceError):
    """No measurement is possible on a device now: it is gone, refuses us or is full; no block is to blame."""


class DeviceBrokenError(DeviceUnavailableError):
    """What one block did took the device from this process: the block is recorded, and the command ends."""


def first_line(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001 - an error of somebody else's class
        lines = []
    return lines[0] if lines else type(error).__name__
