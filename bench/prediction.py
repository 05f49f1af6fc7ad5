"""Predictions: from a table, opened with its checks, to rows of `predicted.csv`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..devices import host_cpu
from ..devices.base import Wish, profile_command
from ..devices.card import card, cards
from ..errors import TableError
from ..latency_tables.predictor import Predictor, predictor
from ..latency_tables.store import find
from ..latency_tables.table import LatencyTable
from ..zen.network import Network
from .latency_csv import LatencyRow


def open_table(device: str, wish: Wish, path: Path | None = None) -> LatencyTable:
    """The table at `path`, else the one for the device and wish; refused on another machine than its own."""
    # The pinning is part of a setting but not of the choice between tables.
    table = LatencyTable.load(path) if path else find(card(device).setting(wish, pinning="free"))
    owner = table.card
    known = cards().get(owner.setting.device)  # what others measured may be on a device without a card
    if known is not None and known.local and dict(owner.identity) != dict(host_cpu.identity()):
        raise TableError(
            f"this table belongs to {owner.identity.get('cpu', 'another machine')} and does not hold on "
            f"{host_cpu.identity()['cpu']}; build one here with: {profile_command(owner.setting)}"
        )
    return table


def open_model(device: str, wish: Wish, path: Path | None = None) -> Predictor:
    """The latency model of `open_table`'s table."""
    return predictor(open_table(device, wish, path))


def predict(model: Predictor, networks: Iterable[Network]) -> list[LatencyRow]:
    """One row a network."""
    setting = model.table.card.setting
    rows = []
    for network in networks:
        estimate = model.estimate(network)
        rows.append(
            LatencyRow(
                network=str(network),
                digest=network.digest,
                resolution=network.resolution,
                classes=network.classes,
                device=setting.device,
                setting=str(setting),
                latency_ms=estimate.ms,
                latency_per_image_ms=estimate.ms / setting.batch,
                std_ms=estimate.std_ms,
                coverage=estimate.coverage,
                sum_ms=estimate.sum_ms,
                reference_ms=model.table.card.reference_ms,
            )
        )
    return rows
