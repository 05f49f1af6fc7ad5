"""Network: blocks, head, resolution and classes; its text and JSON forms, digest and workloads."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import NetworkError
from .blocks import MAX_LAYERS, Block, block_workloads, parse_block
from .graph import INPUT, Graph
from .graph_builder import GraphBuilder
from .units import UNIT_KINDS, unit_from_text
from .units.base import Unit
from .units.plain import HeadUnit
from .workload import Workload

FORMAT = "zenbench-network/1"
MAX_RESOLUTION = 4096
IMAGE_CHANNELS = 3


@dataclass(frozen=True)
class Network:
    """An immutable chain of super blocks or single units with a pooled linear classifier, at one square
    resolution.

    `squeeze_excite` is for super blocks; single units say it themselves. `name` is a label (`zoo:...`)
    and no part of its identity; `digest` is its identity.
    """

    blocks: tuple[Block | Unit, ...]
    resolution: int = 224
    classes: int = 1000
    squeeze_excite: bool = False
    name: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.blocks:
            raise NetworkError("a network needs at least one block")
        if not 1 <= self.resolution <= MAX_RESOLUTION:
            raise NetworkError(f"the resolution must be 1 to {MAX_RESOLUTION}, not {self.resolution}")
        if not 1 <= self.classes <= 1_000_000:
            raise NetworkError(f"the number of classes must be 1 to 1000000, not {self.classes}")
        channels = IMAGE_CHANNELS
        for number, block in enumerate(self.blocks, 1):
            block.check()
            if isinstance(block, HeadUnit):
                raise NetworkError(f"block {number} is a head, which every network has of its own at its end")
            if block.in_channels != channels:
                giver = f"block {number - 1} gives" if number > 1 else "an image has"
                raise NetworkError(
                    f"block {number}, {block}, takes {block.in_channels} channels but {giver} {channels}"
                )
            channels = block.out_channels
        if self.layers > 4 * MAX_LAYERS:
            raise NetworkError(f"the network has {self.layers} layers; the limit is {4 * MAX_LAYERS}")

    @property
    def layers(self) -> int:
        """Sum of the super blocks' layer numbers, as the published ZenNets count; with single units, the
        weighted layers on the main path, the classifier among them."""
        layers = sum(block.layers for block in self.blocks)
        return layers if self.is_plain else layers + 1

    @property
    def is_plain(self) -> bool:
        """Whether PlainNet text spells all blocks."""
        return all(isinstance(block, Block) for block in self.blocks)

    @property
    def text(self) -> str:
        """The structure string; it holds neither resolution, classes nor squeeze-and-excite."""
        return "".join(map(str, self.blocks))

    def __str__(self) -> str:
        suffices = self.is_plain and not self.squeeze_excite
        return self.text if suffices or not self.name else self.name

    def workloads(self) -> tuple[Workload, ...]:
        """Every unit with its input size, from the stem to the head."""
        found: list[Workload] = []
        size = self.resolution
        for block in self.blocks:
            found.extend(block_workloads(block, size, self.squeeze_excite))
            size = found[-1].output_size
        return (*found, Workload(HeadUnit(self.blocks[-1].out_channels, self.classes), size))

    def graph(self) -> Graph:
        """The whole network as operations, each named after its unit: `u3_conv1`."""
        builder = GraphBuilder((IMAGE_CHANNELS, self.resolution, self.resolution))
        x = INPUT
        for index, workload in enumerate(self.workloads()):
            builder.scope = f"u{index}_"
            x = workload.unit.lower(builder, x)
        return builder.graph()

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "blocks": [str(block) for block in self.blocks],
            "resolution": self.resolution,
            "classes": self.classes,
            "squeeze_excite": self.squeeze_excite,
        }

    @cached_property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def parse_text(text: str, resolution: int = 224, classes: int = 1000) -> Network:
    """The network that a PlainNet structure string spells; raises NetworkError with the place at fault."""
    return Network(parse_blocks(text), resolution, classes)


def parse_blocks(text: str) -> tuple[Block | Unit, ...]:
    """The super blocks and units of a structure string, white space between them ignored."""
    rest = text.strip()
    if not rest:
        raise NetworkError("the structure is empty")
    blocks: list[Block | Unit] = []
    while rest:
        match = re.match(r"(\w+)\s*\(([^()]*)\)\s*", rest)
        if match is None:
            place = _shorten(rest)
            if re.match(r"\w*\s*\([^()]*(\(|$)", rest):
                raise NetworkError(f"unclosed bracket in '{place}'")
            raise NetworkError(
                f"expected a block like SuperResK3K3(in,out,stride,bottleneck,layers) at '{place}'"
            )
        if match[1] in UNIT_KINDS:
            blocks.append(unit_from_text("".join(match[0].split())))
        else:
            blocks.append(parse_block(match[1], match[2]))
        rest = rest[match.end() :]
    return tuple(blocks)


def from_json(data: object) -> Network:
    """The network in a parsed `network.json`; raises NetworkError where it does not hold one."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise NetworkError(f'a network file must be a JSON object with "format": "{FORMAT}"')
    blocks = data.get("blocks")
    if not isinstance(blocks, list) or not all(isinstance(block, str) for block in blocks):
        raise NetworkError('"blocks" must be a list of block strings')
    for key, kind in (("resolution", int), ("classes", int), ("squeeze_excite", bool)):
        if type(data.get(key)) is not kind:
            raise NetworkError(f'"{key}" must be {"true or false" if kind is bool else "a whole number"}')
    return Network(parse_blocks("".join(blocks)), data["resolution"], data["classes"], data["squeeze_excite"])


def _shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
