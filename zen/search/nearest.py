"""The network of a space that is nearest to a given one in strides, widths and depth, to start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_low, mode
from typing import NamedTuple

from ...errors import NetworkError, UserError
from ..blocks import Block, BlockKind, round_to_8
from ..graph import INPUT, Add, Concat, Conv, GlobalAveragePool, Graph, Linear, Op, Pool
from ..network import Network
from ..space import Space, chain

_CONVOLUTIONS_A_LAYER: dict[BlockKind, int] = {"basic": 2, "bottleneck": 6, "inverted": 6}


class _Place(NamedTuple):
    """An operation of the trunk, the input's size over that of its map, and its depth in convolutions."""

    op: Op
    reduction: int
    depth: int


@dataclass(frozen=True)
class _Stage:
    """What lies between two strides: the reduction of its maps, the channels of its units, its convolutions
    without the stem, and how many of them are in a row."""

    reduction: int
    width: int
    convolutions: Sequence[Conv]
    depth: int

    @property
    def spatial(self) -> list[Conv]:
        """Those larger than 1x1."""
        return [one for one in self.convolutions if one.kernel > 1]


def nearest_start(space: Space, network: Network | Graph, resolution: int) -> Space:
    """The space whose searches at this resolution start from the network that is nearest to a given one.

    That is the network itself where the space has it. Raises NetworkError where the network has no
    convolutions, UserError where the strides of the space do not make its total stride.
    """
    if isinstance(network, Network):
        blocks = tuple(block for block in network.blocks if isinstance(block, Block))
        if network.is_plain and (own := space.started_at(blocks, resolution)):
            return own
        network = network.graph()
    found = space.started_at(chain(_blocks(space, network, resolution)), resolution)
    if found is None:
        raise UserError(f"the space '{space.name}' has no network that is near to the given one")
    return found


def is_depthwise(graph: Graph) -> bool:
    """Whether most convolutions that are larger than 1x1 are depthwise."""
    return _depthwise([op for op in graph.trunk().ops if isinstance(op, Conv) and op.kernel > 1])


def _depthwise(convolutions: Sequence[Conv]) -> bool:
    return 2 * sum(1 < one.groups == one.in_channels for one in convolutions) > len(convolutions)


def _places(graph: Graph) -> list[_Place]:
    """The trunk up to the last map, and the residual sums that it leaves out."""
    trunk = {op.name for op in graph.trunk().ops}
    reductions, depths = {INPUT: 1}, {INPUT: 0}
    found = []
    for op in graph.ops:
        if op.inputs[0] not in reductions or isinstance(op, GlobalAveragePool | Linear):
            continue  # behind the last map, or in a gate
        stride = op.stride if isinstance(op, Conv | Pool) else 1
        reductions[op.name] = reductions[op.inputs[0]] * stride
        branches = op.inputs if _is_joint(op) else op.inputs[:1]
        depths[op.name] = max(depths.get(name, 0) for name in branches) + isinstance(op, Conv)
        if op.name in trunk or isinstance(op, Add):
            found.append(_Place(op, reductions[op.name], depths[op.name]))
    return found


def _is_joint(op: Op) -> bool:
    """Whether branches that count alike meet here."""
    return isinstance(op, Concat) or (isinstance(op, Add) and not op.residual)


def _stages(places: Sequence[_Place], stem: Conv) -> list[_Stage]:
    found, below = [], 1  # the stem
    for reduction in sorted({place.reduction for place in places}):
        own = [place for place in places if place.reduction == reduction]
        deepest = max(place.depth for place in own)
        convolutions = [op for op, _, _ in own if isinstance(op, Conv) and op is not stem]
        found.append(
            _Stage(reduction, _width([op for op, _, _ in own]), convolutions, max(0, deepest - below))
        )
        below = max(below, deepest)
    return found


def _width(ops: Sequence[Op]) -> int:
    """Channels of a stage's units: those of its last residual sum, else of its last joint, else the least of
    its convolutions, for the first of the next unit may have widened already."""
    sums: list[Op] = [op for op in ops if isinstance(op, Add) and op.residual]
    joints = sums or [op for op in ops if _is_joint(op)]
    widths = [op.shape[0] for op in ops if isinstance(op, Conv)]
    return joints[-1].shape[0] if joints else min(widths or [ops[-1].shape[0]])


def _blocks(space: Space, graph: Graph, resolution: int) -> list[Block]:
    """The blocks, input widths not yet set."""
    places = _places(graph)
    first = next((place.op for place in places if isinstance(place.op, Conv)), None)
    if first is None:
        raise NetworkError(
            "a search cannot start from a network without convolutions; give another to --like"
        )
    stages, (stem, *_, last) = _stages(places, first), space.start(resolution)
    body, reached, stem_stride = list[Block](), 1, 0
    for stage in stages:
        strides = _strides(space, stage.reduction // reached, stages[-1].reduction)
        reached = stage.reduction
        if not stem_stride:
            stem_stride = strides.pop(0) if strides else 1
        block, most = _block(space, stage), space.most_layers_a_block
        layers = stage.depth // _CONVOLUTIONS_A_LAYER[block.kind]
        body += [replace(block, stride=stride) for stride in strides]  # of one layer
        if strides:
            body[-1] = replace(body[-1], layers=min(max(1, layers), most))
            layers -= most
        body += [replace(block, layers=min(most, layers - done)) for done in range(0, layers, most)]
    return [
        replace(stem, out_channels=_within(first.out_channels, space.widths), stride=stem_stride),
        *(body or [_block(space, stages[-1])]),
        replace(last, out_channels=_within(places[-1].op.shape[0], space.last_widths)),
    ]


def _strides(space: Space, reduction: int, total: int) -> list[int]:
    """Those of the space that make a reduction."""
    strides = {block.stride for _, blocks in space.starts for block in blocks}
    found = []
    for stride in sorted(strides - {1}, reverse=True):
        while reduction % stride == 0:
            found.append(stride)
            reduction //= stride
    if reduction > 1:
        raise UserError(
            f"the network reduces its input {total} times, which strides of "
            f"{' and '.join(map(str, sorted(strides)))} do not make; give a --space that has others"
        )
    return found


def _block(space: Space, stage: _Stage) -> Block:
    """One layer of the kind of the space that is nearest to a stage's units, without a stride."""
    spatial, width = stage.spatial, _within(stage.width, space.widths)
    depthwise = _depthwise(spatial)
    if depthwise:
        order: tuple[BlockKind, ...] = ("inverted", "bottleneck", "basic")
    elif stage.convolutions and 2 * len(spatial) <= len(stage.convolutions):
        order = ("bottleneck", "basic", "inverted")
    else:
        order = ("basic", "bottleneck", "inverted")
    kind = next(kind for kind in order if kind in space.kinds)
    hidden = median_low([one.out_channels for one in spatial]) if spatial else stage.width
    kernel = mode(one.kernel for one in spatial) if spatial else 3
    if kind == "inverted":
        bottleneck = width
    elif depthwise:  # as wide a convolution that is not would cost as many times more
        bottleneck = _within(min(hidden, stage.width), space.widths)
    else:
        bottleneck = _within(hidden, space.widths)
    return Block(
        kind,
        kernel=min(space.kernels, key=lambda one: abs(one - kernel)),
        in_channels=0,
        out_channels=width,
        stride=1,
        layers=1,
        bottleneck=bottleneck,
        expansion=min(space.expansions, key=lambda one: abs(one - hidden / stage.width))
        if kind == "inverted"
        else 1,
    )


def _within(width: int, limits: tuple[int, int]) -> int:
    return min(max(round_to_8(width), limits[0]), limits[1])
