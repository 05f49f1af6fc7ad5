"""Graph -> torch module, and the two ways to its weights: a seed or a file."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, prod, sqrt
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError
from .graph import INPUT, Add, BatchNorm, Graph
from .layers import ChannelFactors, make_layer
from .threads import few_threads

# The batch that batch norm takes its statistics from: so many images, and more where a map is so small
# that a channel would see fewer values. The error of a variance over few values never averages out:
# with 32 in its last maps, a network of 50 layers amplifies the next image a hundredfold.
_IMAGES = 8
_VALUES = 128


class GraphModule(nn.Module):
    """A graph as a torch module: one submodule an operation, under the operation's name.

    Takes a batch of `graph.input_shape`, gives a batch of `graph.output_shape`; a tensor is let go
    after its last use.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        for op in graph.ops:
            self.add_module(op.name, make_layer(op))
        last_use = {name: op.name for op in graph.ops for name in op.inputs}
        self._dying = {op.name: [name for name in op.inputs if last_use[name] == op.name] for op in graph.ops}

    def forward(self, x: Tensor) -> Tensor:
        tensors = {INPUT: x}
        del x
        for op in self.graph.ops:
            tensors[op.name] = self.get_submodule(op.name)(*(tensors[name] for name in op.inputs))
            for name in self._dying[op.name]:
                tensors.pop(name, None)
        return tensors[self.graph.output]


def build_module(graph: Graph) -> GraphModule:
    """The module of a graph in eval mode; its convolutions and linear layers are zero until set."""
    # On the meta device layers draw no numbers, so the global generator stays where it was.
    with torch.device("meta"):
        module = GraphModule(graph)
    module.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
                layer.reset_parameters()
            elif isinstance(layer, ChannelFactors):
                layer.weight.fill_(1)
    return module.eval()


@torch.no_grad()
@few_threads()
def initialise(target: Graph | GraphModule, seed: int = 0) -> GraphModule:
    """The module with seeded He-normal weights, in eval mode; a module given is changed in place.

    Batch norm takes its running statistics from one batch of N(0,1) images, so that its outputs stay
    near unit normal through any depth and hold in fp16 and int8. Same seed, same weights.
    """
    module = build_module(target) if isinstance(target, Graph) else target.eval()
    generator = torch.Generator().manual_seed(seed)
    hooks = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.normal_(0, sqrt(2 / layer.weight[0].numel()), generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
            hooks.append(layer.register_forward_pre_hook(_take_statistics))
    for op in module.graph.ops:
        branch_end = module.get_submodule(op.inputs[0]) if isinstance(op, Add) else None
        if isinstance(branch_end, nn.BatchNorm2d):
            branch_end.weight.fill_(_BRANCH_SCALE)
    trunk = module.graph.trunk().ops
    smallest = min((prod(op.shape[1:]) for op in trunk if isinstance(op, BatchNorm)), default=_VALUES)
    images = max(_IMAGES, ceil(_VALUES / smallest))
    module(torch.randn(images, *module.graph.input_shape, generator=generator))
    for hook in hooks:
        hook.remove()
    return module


# Weight of a residual branch's last batch norm. With 1, the published CIFAR networks amplify the rounding
# errors of one runtime against another to 3e-3; with this they stay at 1e-5, so parity means something.
_BRANCH_SCALE = 0.25


def _take_statistics(norm: nn.Module, inputs: tuple[Tensor]) -> None:
    (x,) = inputs
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    if x[0, 0].numel() == 1:
        # A gate has one value an image, and pooled images hardly differ: a unit taken over the images is
        # noise and amplifies the odd image a thousandfold, so it is taken over the channels.
        variance, mean = torch.var_mean(x, correction=0)
    norm.get_buffer("running_mean").copy_(mean)
    norm.get_buffer("running_var").copy_(variance)


def state_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The weights of a graph's module by their names, each with its shape; counters left out."""
    with torch.device("meta"):
        state = GraphModule(graph).state_dict()
    return {name: tuple(x.shape) for name, x in state.items() if "num_batches_tracked" not in name}


def load_state(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Fills a module with tensors under the names of its `state_dict()` and puts it in eval mode.

    Raises UserError, with their source, where names or shapes are not this network's.
    """
    expected = {
        name: tensor for name, tensor in module.state_dict().items() if "num_batches_tracked" not in name
    }
    given = {name for name in state if "num_batches_tracked" not in name}
    if missing := sorted(expected.keys() - given):
        raise UserError(
            f"{source} lacks {_listed(missing)}; it belongs to another network, or to a module of your own, "
            "which is then given as FILE.py:NAME"
        )
    if unexpected := sorted(given - expected.keys()):
        raise UserError(f"{source} also holds {_listed(unexpected)}; it belongs to another network")
    for name, tensor in expected.items():
        if not _is_plain(state[name]):
            raise UserError(f"{source}: '{name}' holds no plain finite numbers; save the weights again")
        if state[name].shape != tensor.shape:
            found, wanted = (" x ".join(map(str, t.shape)) for t in (state[name], tensor))
            raise UserError(f"{source}: '{name}' is {found}, but this network's is {wanted}")
    module.load_state_dict({name: state[name] for name in expected}, strict=False)
    module.eval()


def _is_plain(tensor: Tensor) -> bool:
    """Whether it is dense, real, and finite throughout; whole numbers are no weights."""
    is_dense = tensor.layout == torch.strided and not tensor.is_meta
    return is_dense and tensor.is_floating_point() and bool(torch.isfinite(tensor).all())


def _listed(names: list[str]) -> str:
    shown, more = ", ".join(f"'{name}'" for name in names[:3]), len(names[3:])
    return f"{shown} and {more} more" if more else shown
