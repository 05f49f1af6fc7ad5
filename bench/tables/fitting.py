"""Fitting a table to whole networks that anyone measured: from a CSV file to a `fitted` table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...devices.base import Setting, SettingRequest
from ...devices.card import cards
from ...devices.host import cpu
from ...errors import TableError, UserError
from ...latency_tables.card import TableCard
from ...latency_tables.fitted.features import WholeFeatures, readings_of
from ...latency_tables.fitted.fit import fit_networks
from ...latency_tables.table import LatencyTable
from ...zen.network import Network
from ..csv_file import read_csv
from ..latency_files.columns import Columns
from ..latency_files.measured_networks import LeftOutRow, measured_networks
from ..measuring.journal import utc_now
from .importing.importing import check_named

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Measured:
    """Whole networks with their latencies in ms; `said`: what of the setting the file says, by name;
    `left_out`: the rows that cannot be used."""

    networks: tuple[Network, ...]
    names: tuple[str, ...]
    latencies_ms: tuple[float, ...]
    said: Mapping[str, Any]
    left_out: tuple[LeftOutRow, ...]


def fit_table(
    path: Path,
    space: str,
    device: str | None,
    request: SettingRequest,
    columns: Columns,
    resolution: int | None = None,
    classes: int | None = None,
) -> tuple[LatencyTable, tuple[LeftOutRow, ...]]:
    """The table fitted to a file, and the rows left out; raises TableError where too few are left.

    What neither the file nor the request says of the setting is `unknown`, one image and one thread.
    """
    readings = readings_of(space)
    measured = read_measured(path, readings[0], columns, resolution, classes)
    setting = _setting(measured.said, device, request, path)
    try:
        record = fit_networks(measured.networks, measured.names, measured.latencies_ms, readings)
    except TableError as error:
        raise TableError(f"{path}: {error}{_first(measured.left_out)}") from None
    known = cards().get(setting.device)
    card = TableCard(
        setting=setting,
        provenance="fitted",
        # A table of this computer holds on its CPU model only.
        identity=cpu.identity() if known is not None and known.local else {},
        versions={},
        recipe={},
        reference=None,
        reference_ms=None,
        created=utc_now(),
        source=f"fitted to the column {columns.of('latency')} of {path.name} "
        f"(sha256 {hashlib.sha256(path.read_bytes()).hexdigest()})",
        model=record.to_json(),
    )
    return LatencyTable(card, {}), measured.left_out


def read_measured(
    path: Path, features: WholeFeatures, columns: Columns, resolution: int | None, classes: int | None
) -> Measured:
    """The networks of a file, each once and of the features' space, and the rows left out."""
    file = read_csv(path)
    networks, names, latencies = [], [], []
    settings: dict[tuple[str, str], int] = {}
    left_out: list[LeftOutRow] = []
    for record, network, latency_ms in measured_networks(
        file, columns, "used for a fit", resolution, classes, features.check, left_out
    ):
        networks.append(network)
        names.append(network.name or str(network))
        latencies.append(latency_ms)
        settings.setdefault((file.text(record, "device"), file.text(record, "setting")), record.line)
    if len(settings) > 1:
        (one, line), (other, another) = list(settings.items())[:2]
        raise TableError(
            f"{path}, line {another} was measured on {_shown(other)}, but line {line} on "
            f"{_shown(one)}; fit one setting at a time"
        )
    said = [_said(*texts, f"{path}, line {line}") for texts, line in settings.items()]
    return Measured(tuple(networks), tuple(names), tuple(latencies), said[0] if said else {}, tuple(left_out))


def _first(left_out: Sequence[LeftOutRow]) -> str:
    """Why rows are missing from a fit that fails for want of them."""
    if not left_out:
        return ""
    row = left_out[0]
    some = (
        "1 row was left out," if len(left_out) == 1 else f"{len(left_out)} rows were left out, the first at"
    )
    return f"; {some} line {row.line}: {row.reason}"


def _said(device: str, setting: str, place: str) -> Mapping[str, Any]:
    """What the columns device and setting say, each empty where there is none."""
    if not setting:
        return {"device": device} if device else {}
    try:
        found = asdict(Setting.parse(device or UNKNOWN, setting))
    except UserError as error:
        raise TableError(f"{place}: {error}") from None
    return {name: value for name, value in found.items() if name != "device" or device}


def _setting(said: Mapping[str, Any], device: str | None, request: SettingRequest, path: Path) -> Setting:
    """What the file says, else the options, else unknown."""
    asked = {name: getattr(request, name) for name in ("runtime", "precision", "batch", "threads")}
    given = {name: value for name, value in {"device": device, **asked}.items() if value is not None}
    for name, value in given.items():
        if said.get(name, value) != value:
            raise UserError(
                f"{path} was measured with {name} {said[name]}, not {value}; leave the option out"
            )
    setting = Setting(**{**_UNKNOWN, **given, **said})
    check_named(setting)
    return setting


_UNKNOWN: Mapping[str, Any] = dict.fromkeys(("device", "runtime", "precision", "pinning"), UNKNOWN)


def _shown(setting: tuple[str, str]) -> str:
    return " ".join(filter(None, setting)) or "a device that it does not name"
