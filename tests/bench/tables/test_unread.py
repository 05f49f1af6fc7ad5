"""The deviation of predictions of networks that were not read whole."""

from __future__ import annotations

from dataclasses import replace
from math import hypot
from pathlib import Path

import pytest
from zenbench.bench.latency_files.latency_rows import read_rows, write_rows
from zenbench.bench.tables.prediction import open_model, predict
from zenbench.bench.tables.unread import UNREAD_STD, unread_share
from zenbench.devices.base import SettingRequest
from zenbench.zen.graph import INPUT
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.graph_network import GraphNetwork
from zenbench.zen.importing.read_graph import ReadGraph


def network(kind: str) -> GraphNetwork:
    """Of a stem, a unit that is read or priced, and a head."""
    b = GraphBuilder((3, 32, 32))
    x = b.activation(b.conv(INPUT, 16, 3, 2), "relu")
    macs = 16 * 16 * 9 * 16 * 16
    x = b.conv(x, 16, 3) if kind == "read" else b.priced("attend", [x], (16, 16, 16), macs, 2304, False)
    b.linear(b.global_average_pool(b.conv(x, 16, 3)), 10)
    unread = None if kind == "read" else "'attend', a call of attend, cannot be read"
    return GraphNetwork(kind, ReadGraph(b.graph(), {}), unread=unread)


def test_what_was_not_read_is_uncertain() -> None:
    model = open_model("pixel2", SettingRequest())
    read, priced = predict(model, [network("read"), network("priced")])
    assert unread_share(model, network("read")) == 0
    share = unread_share(model, network("priced"))
    assert 0.1 < share < 0.9
    plain = model.estimate(network("priced"))
    assert priced.std_ms == pytest.approx(hypot(plain.std_ms, UNREAD_STD * share * plain.ms))
    assert read.std_ms == model.estimate(network("read")).std_ms
    whole = replace(network("priced"), unread=None)
    assert predict(model, [whole])[0].std_ms == plain.std_ms


def test_a_row_tells_the_share_that_was_not_read(tmp_path: Path) -> None:
    model = open_model("pixel2", SettingRequest())
    rows = predict(model, [network("read"), network("priced")])
    assert rows[0].unread_share is None
    assert rows[1].unread_share == unread_share(model, network("priced"))
    write_rows(tmp_path / "predicted.csv", rows)
    again = read_rows(tmp_path / "predicted.csv")
    assert again[1].unread_share == pytest.approx(rows[1].unread_share)
