"""Nodes of an ONNX file in the order that its format prescribes."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def in_order(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Every node behind those that it reads, else as they stand; those of a cycle stay last."""
    makers = {name: number for number, node in enumerate(nodes) for name in node.output if name}
    readers: dict[int, list[int]] = {}
    waiting = []
    for number, node in enumerate(nodes):
        before = {makers[name] for name in _read(node) if name in makers} - {number}
        waiting.append(len(before))
        for maker in before:
            readers.setdefault(maker, []).append(number)
    ready = [number for number, count in enumerate(waiting) if not count]
    for number in ready:  # it grows as its nodes are passed
        for reader in readers.get(number, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    return [nodes[number] for number in (*ready, *(n for n, count in enumerate(waiting) if count))]


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads, and what its branches read of the graph around them."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for one in inner.node:
                yield from _read(one)


def is_in_order(nodes: list[onnx.NodeProto]) -> bool:
    """Whether no node reads what a later one makes."""
    later = {name for node in nodes for name in node.output if name}
    for node in nodes:
        if not later.isdisjoint(_read(node)):
            return False
        later.difference_update(node.output)
    return True
