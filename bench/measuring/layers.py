"""Layers: where the time of a whole network goes on its device, on request beside its latency."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ...devices.base import Device, InspectableSession, Setting
from ...errors import DeviceError, DeviceUnavailableError, UserError
from ..networks.reading import NetworkLike
from .subjects import subject_of

RUNS = 20


@dataclass(frozen=True, slots=True)
class Inspection:
    """`layers`: layer -> its mean ms, in the runtime's order and by its names. `upload_ms`, `download_ms`:
    medians of all inputs to the device, and of all outputs back; a latency contains neither."""

    layers: Mapping[str, float]
    upload_ms: float
    download_ms: float


def inspect(device: Device, setting: Setting, item: NetworkLike) -> Inspection | DeviceError:
    """Opens the network anew and times its layers and transfers; UserError where the runtime cannot tell."""
    with tempfile.TemporaryDirectory(prefix="zenbench-") as folder:
        try:
            artifact = subject_of(item).artifact(Path(folder), setting, device.accepts[0])
            with closing(device.open(artifact, setting)) as session:
                if not isinstance(session, InspectableSession):
                    raise UserError(
                        f"{device.name} through {setting.runtime} times neither layers nor transfers apart; "
                        "the runtimes tensorrt and tensorrt-graph do"
                    )
                layers = session.layers(RUNS)
                upload, download = (
                    median(sample.ms for sample in samples) for samples in session.transfers(RUNS)
                )
        except DeviceUnavailableError:
            raise
        except DeviceError as error:
            return error
    return Inspection(layers, upload, download)
