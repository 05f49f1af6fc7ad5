"""Networks that tables are tested on, and profiles beside which they are measured; no program of its own."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from zenbench.bench.cli.profile import RESOLUTIONS, run_profile
from zenbench.bench.measuring.journal import journal_path, read
from zenbench.bench.profiling.plan import plan, random_networks, sources
from zenbench.bench.profiling.progress import Limits
from zenbench.devices.base import Connection, SettingRequest
from zenbench.devices.registry import device
from zenbench.quantities import parse_duration_ms
from zenbench.zen.network import Network
from zenbench.zen.space import spaces

_RESOLUTIONS = (224, 192, 160, 128, 96, 64, 32)
_SEED = 7007


def hold_out_networks(count: int) -> list[Network]:
    """Different random networks, from each space in turn: those of `benchmarks/accuracy.py`."""
    stream = random_networks(sources(*spaces().values()), _RESOLUTIONS, _SEED)
    return list(islice(dict.fromkeys(islice(stream, 2 * count)), count))


def profile_beside(path: Path, runtime: str, time: str, seed: int, hold_out: Sequence[Network]) -> None:
    """Profiles this computer, one thread, until `time` is spent; measures the networks meanwhile."""
    driver = device("host", runtime, Connection(None, None))
    setting = driver.setting(SettingRequest(runtime, threads=1))
    spent = read(journal_path(path)).seconds("calibrating")
    limits = Limits(seconds=max(0.0, parse_duration_ms(time) / 1e3 - spent))
    run_profile(driver, setting, partial(plan, sources(), RESOLUTIONS, seed), path, limits, hold_out)
