"""How fast blocks are measured through the loopback phone of the tests, and what this computer adds.

`python benchmarks/phone.py [--blocks 60]` profiles blocks of both spaces on a phone made of Android's real
adbd and a runner on this computer's cores. It prints workloads a minute, and the time outside the phone's
rounds (weights, files, pushes, journal) a workload. `--keep SECONDS` keeps a phone up instead and prints how
to reach it, for commands by hand.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from loopback_phone import LoopbackPhone, build
from zenbench.bench.cli.profile import RESOLUTIONS
from zenbench.bench.measuring.journal import Journal
from zenbench.bench.measuring.recipe import profile_recipe
from zenbench.bench.profiling.plan import plan, sources
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import Limits
from zenbench.devices.adb.keys import signer
from zenbench.devices.android.phone import AndroidPhone
from zenbench.devices.android.session_folder import AndroidLink
from zenbench.devices.base import Connection, SettingRequest
from zenbench.devices.card import card

calls_s: list[float] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=60)
    parser.add_argument("--keep", type=float, help="Keep a phone up so many seconds for commands by hand.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not options.keep:  # the user's own key serves commands by hand
            os.environ["HOME"] = name
        with LoopbackPhone(folder / "phone") as phone:
            phone.authorise(signer().GetPublicKey().decode())
            runner = build() / "benchmark_model"
            if options.keep:
                print(f"--device pixel2 --serial {phone.address} --runner {runner}", flush=True)
                time.sleep(options.keep)
                return
            measure(
                AndroidPhone(card("pixel2"), "litert", Connection(phone.address, runner)),
                folder,
                options.blocks,
            )


def measure(phone: AndroidPhone, folder: Path, blocks: int) -> None:
    """Profiles with the clock running, after a first window that loads libraries, and prints the figures."""
    AndroidLink.round = timed(AndroidLink.round)  # type: ignore[method-assign]
    recipe = profile_recipe(phone)
    with Journal(folder / "journal.jsonl") as journal:
        items = plan(sources(), RESOLUTIONS, 0, journal.history)
        profile(phone, phone.setting(SettingRequest()), items, journal, recipe, Limits(recipe.window))
        calls_s.clear()
        started, worked = time.perf_counter(), time.process_time()
        profile(
            phone, phone.setting(SettingRequest()), items, journal, recipe, Limits(recipe.window + blocks)
        )
        seconds, worked = time.perf_counter() - started, time.process_time() - worked
    subjects = len(calls_s) / recipe.rounds
    print(
        f"{subjects:.0f} workloads and networks in {seconds:.1f} s: {60 * subjects / seconds:.0f} a minute\n"
        f"a round on the phone: median {1e3 * median(calls_s):.0f} ms\n"
        f"outside the phone's rounds: {1e3 * (seconds - sum(calls_s)) / subjects:.0f} ms a workload\n"
        f"processor time here: {1e3 * worked / subjects:.0f} ms a workload"
    )


def timed(call):  # type: ignore[no-untyped-def]
    """The call, its duration kept in `calls_s`."""

    def wrapped(*arguments):  # type: ignore[no-untyped-def]
        started = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            calls_s.append(time.perf_counter() - started)

    return wrapped


if __name__ == "__main__":
    main()
