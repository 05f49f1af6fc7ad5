"""`zenbench setup`."""

from __future__ import annotations

import click

from ...devices.android.runner_download import NAME, digest_path, download
from ...devices.card import card
from .shared.output import say
from .shared.progress import progress


@click.command("setup")
@click.argument("device")
@click.option("--sha256", help="Digest that the download must have.")
def command(device: str, sha256: str | None) -> None:
    """Get the program that times on a phone: Google's benchmark_model, for profile and measure.

    DEVICE is a phone's card, as pixel2.
    """
    chosen = card(device)
    with progress(f"download {NAME}", 1.0) as meter:

        def report(done: int, total: int) -> None:
            meter(done / total if total else 0.0, f"{done / 2**20:.1f} MiB")

        path = download(chosen, sha256, report)
    say(f"{path}: sha256 {digest_path(path).read_text('utf-8').strip()}")
