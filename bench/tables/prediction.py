"""Predictions: from a table, opened with its checks, to rows of `predicted.csv`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...devices.base import SettingRequest, profile_command
from ...devices.card import THIS_COMPUTER, card, cards
from ...devices.host import cpu
from ...errors import TableError, UserError
from ...latency_tables.predictor import Predictor, predictor
from ...latency_tables.store import find
from ...latency_tables.table import LatencyTable
from ...zen.graph_network import AnyNetwork
from ..latency_files.latency_rows import LatencyRow
from ..searching.task_record import table_digest
from .unread import estimate_of


def open_table(device: str | None, request: SettingRequest, path: Path | None = None) -> LatencyTable:
    """The table at `path`, else the one for the device (by default this computer) and request.

    Raises UserError where the one at `path` is not of a device or setting that was asked for, TableError on
    another machine than a table's own.
    """
    if path:
        table = LatencyTable.load(path)
        check_asked(table, path, device, request)
    else:
        # The pinning is part of a setting but not of the choice between tables.
        table = find(card(device or THIS_COMPUTER).setting(request, pinning="free"))
    owner = table.card
    known = cards().get(owner.setting.device)  # what others measured may be on a device without a card
    if known is not None and known.local and dict(owner.identity) != dict(cpu.identity()):
        raise TableError(
            f"this table belongs to {owner.identity.get('cpu', 'another machine')} and does not hold on "
            f"{cpu.identity()['cpu']}; build one here with: {profile_command(owner.setting)}"
        )
    return table


def check_asked(table: LatencyTable, path: Path, device: str | None, request: SettingRequest) -> None:
    """Raises UserError where what was asked contradicts the table that was named beside it."""
    setting = table.card.setting
    asked = {name: getattr(request, name) for name in ("runtime", "precision", "batch", "threads")}
    for name, value in {"device": device, **asked}.items():
        held = getattr(setting, name)
        if value is not None and value != held:
            raise UserError(
                f"{path} is a table of {setting.device} {setting}: {name} {held}, not {value}; "
                "leave --table out, or ask for what it holds"
            )


def open_model(device: str | None, request: SettingRequest, path: Path | None = None) -> Predictor:
    """The latency model of `open_table`'s table."""
    return predictor(open_table(device, request, path))


def predict(model: Predictor, networks: Iterable[AnyNetwork]) -> list[LatencyRow]:
    """One row a network."""
    setting, digest = model.table.card.setting, table_digest(model.table)
    rows = []
    for network in networks:
        estimate, share = estimate_of(model, network)
        rows.append(
            LatencyRow.of(
                network,
                setting,
                estimate.ms,
                std_ms=estimate.std_ms,
                coverage=estimate.coverage,
                unread_share=share or None,
                sum_ms=estimate.sum_ms,
                reference_ms=model.table.card.reference_ms,
                table=digest,
            )
        )
    return rows
