"""Training-free proxies behind one signature, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ...errors import NetworkError, UserError
from ..graph import Graph, Shape
from ..graph_network import AnyNetwork, GraphNetwork
from ..importing.batch_norms import require_batch_norm
from ..network import Network
from .base import READINGS, Reading, Score
from .closed_form import graph_score, zen_closed

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Proxy:
    """Where a proxy's function stands, one line on what it measures, and its images a forward pass.

    The function takes graph, batch, repeats and seed; its module, which may need torch, is loaded when
    it is first called.
    """

    module: str
    summary: str
    function: str | None = None
    batch: int = 16
    options: tuple[tuple[str, Any], ...] = ()

    def load(self) -> Callable[..., Score]:
        function = getattr(import_module(f".{self.module}", __name__), self.function or self.module)
        return partial(function, **dict(self.options))


PROXIES: dict[str, Proxy] = {
    "zen": Proxy("zen_score", "Zen-Score by forward passes"),
    "zen-closed": Proxy("closed_form", "Zen-Score in closed form, from layer shapes alone"),
    "phi": Proxy("phi", "Phi-Score: the Zen-Score without batch norm; overflows in deep networks"),
    # Its kernel is one of images: at 16 of them it orders networks worse (docs/proxies.md).
    "naswot": Proxy("naswot", "how differently images switch the rectifiers", batch=64),
    "synflow": Proxy("synflow", "flow from input to output through absolute weights"),
    "synflow-reference": Proxy(
        "synflow",
        "the same in the sign and form of the Zen-NAS comparison",
        options=(("reference_sign", True),),
    ),
    "grad-norm": Proxy("grad_norm", "length of the loss gradient"),
    "zico": Proxy("zico", "how large and how steady gradients are from batch to batch"),
    "te": Proxy("te", "minus the condition number of the tangent kernel"),
    "regions": Proxy("regions", "linear regions along a line through the inputs"),
    "entropy": Proxy("entropy", "multi-scale entropy of a detection backbone, in closed form"),
    "flops": Proxy("counts", "multiply-accumulates", "flops"),
    "params": Proxy("counts", "trainable parameters", "params"),
    "random": Proxy("counts", "a number drawn for the network", "random"),
}


ZEN = ("zen", "zen-closed")
"""Proxies that have a reading, and need batch norm to read."""


def score(
    target: AnyNetwork | Graph,
    proxy: str = "zen",
    reading: Reading = "paper",
    batch: int | None = None,
    repeats: int = 1,
    seed: int = 0,
) -> Score:
    """The score of a network or graph by the proxy of that name; `batch` is the proxy's own by default.

    Raises UserError where there is none, or where the network has no such score, with the reason.
    """
    if proxy not in PROXIES:
        raise UserError(f"there is no proxy '{proxy}'; known are {', '.join(PROXIES)}")
    if reading not in READINGS:
        raise UserError(f"there is no reading '{reading}' of the Zen-Score; known are {', '.join(READINGS)}")
    if isinstance(target, GraphNetwork):
        if PROXIES[proxy].module != "counts":
            target.require_read()
        if proxy in ZEN:
            require_batch_norm(target.graph(), target.name)
    graph = target if isinstance(target, Graph) else target.graph()
    if graph.priced and PROXIES[proxy].module != "counts":
        raise graph.priced[0].refusal()
    if proxy == "zen-closed":
        start = perf_counter()
        value = zen_closed(target, reading) if isinstance(target, Network) else graph_score(graph, reading)
        return _finite(Score(proxy, value, 0.0, 1, perf_counter() - start))
    function = PROXIES[proxy].load()
    if proxy == "zen":
        function = partial(function, reading=reading)
    batch = PROXIES[proxy].batch if batch is None else batch
    return _finite(replace(function(graph, batch=batch, repeats=repeats, seed=seed), proxy=proxy))


def _finite(found: Score) -> Score:
    if not isfinite(found.value):
        raise NetworkError(
            f"its {found.proxy} score is more than floating point holds; give a network of fewer layers"
        )
    return found


def score_module(
    module: nn.Module,
    input_shape: Shape,
    proxy: str = "zen",
    reading: Reading = "paper",
    batch: int | None = None,
    repeats: int = 1,
    seed: int = 0,
) -> Score:
    """The score of a torch module on images of `input_shape` (channels, height, width).

    Its weights do not matter; residual sums are recognised and left out. Raises UserError where an
    operation is unknown, or where the Zen-Score would miss batch norms, with the reason.
    """
    from ..importing.torch_module import graph_of_module

    graph = graph_of_module(module, input_shape)
    if proxy in ZEN:
        require_batch_norm(graph, "the module")
    return score(graph, proxy, reading, batch, repeats, seed)
