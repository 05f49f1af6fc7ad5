"""`--like`: a network of one's own gives a search its budget and its start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ....errors import UserError
from ....zen.cost import cost
from ....zen.graph import Graph
from ....zen.graph_network import AnyNetwork
from ....zen.network import IMAGE_CHANNELS, Network
from ....zen.proxies import score
from ....zen.proxies.base import Reading
from ....zen.search.nearest import is_depthwise, nearest_start
from ....zen.search.task import SearchTask
from ...networks.reading import as_networks, read
from ...searching.latency_limits import WrittenLimit
from ...searching.result_record import GivenRecord, read_given
from ...searching.task_record import table_models
from ...tables.unread import estimate_of
from ..shared.opening import opened_model
from ..shared.options import setting_request
from ..shared.output import say
from .options import asked_task

_OF_A_TABLE = ("device", "table", "runtime", "precision", "batch", "threads")


@dataclass(frozen=True)
class GivenNetwork:
    """A network to better, and its graph."""

    text: str
    network: AnyNetwork
    graph: Graph

    @staticmethod
    def read(text: str, resolution: int | None, classes: int | None) -> GivenNetwork:
        """Raises UserError where it cannot be read as a graph of square colour images."""
        item = read(text, resolution, classes)
        (network,) = as_networks([item])
        if isinstance(network, Network):
            sizes = resolution or network.resolution, classes or network.classes
            network = replace(network, resolution=sizes[0], classes=sizes[1])
        graph = network.graph()
        shape = graph.input_shape
        if len(shape) != 3 or shape != (IMAGE_CHANNELS, shape[-1], shape[-1]):
            raise UserError(
                f"{item} takes inputs of {' x '.join(map(str, shape))}; give one of square colour images"
            )
        return GivenNetwork(str(item), network, graph)

    def task(self, options: dict[str, Any]) -> SearchTask:
        """The task that the options describe, with the start that is nearest to the network."""
        task = asked_task(options)
        return replace(task, space=nearest_start(task.space, self._spelled or self.graph, task.resolution))

    def limited(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a search, with the network's costs, sizes and kind where they say nothing."""
        counted = cost(self.network)
        latencies, confidence = options["latencies"], options["confidence"]
        if not latencies and (limit := self._latency(options)):
            # Two predictions of one model have most of its error in common.
            latencies, confidence = (limit,), confidence or 0.5
        return {
            **options,
            "latencies": latencies,
            "confidence": confidence,
            "macs": options["macs"] or counted.macs,
            "params": options["params"] or counted.params,
            "resolution": self.graph.input_shape[1],
            "classes": options["classes"] or self.graph.output_shape[0],
            "space": options["space"] or ("mobilenet" if is_depthwise(self.graph) else None),
        }

    def record(self, task: SearchTask) -> GivenRecord:
        """What it costs, and scores and takes as far as that is known."""
        counted = cost(self.network)
        unknown = []
        try:
            value: float | None = self._score(task.reading)
        except UserError as error:
            value = None
            unknown.append(f"not scored: {error}")
        latency_ms, std_ms = {}, {}
        for limit, model in zip(task.budget.latencies, table_models(task.budget), strict=True):
            try:
                found, _ = estimate_of(model, self.network)
            except UserError as error:
                unknown.append(f"{limit.name} not known: {error}")
            else:
                latency_ms[limit.name], std_ms[limit.name] = found.ms, found.std_ms
        return {
            "network": self.text,
            "digest": self.network.digest,
            "score": value,
            "layers": counted.layers,
            "params": counted.params,
            "macs": counted.macs,
            "latency_ms": latency_ms,
            "std_ms": std_ms,
            "unknown": unknown,
        }

    def _score(self, reading: Reading) -> float:
        return score(self.network, "zen-closed", reading).value

    @property
    def _spelled(self) -> Network | None:
        """The network where a structure string spells it."""
        return self.network if isinstance(self.network, Network) else None

    def _latency(self, options: dict[str, Any]) -> WrittenLimit | None:
        """The latency that is predicted for it, as a limit for the device and setting of the options; for
        this computer, which nobody asked for, only where it is known."""
        asked = any(options[name] is not None for name in _OF_A_TABLE)
        try:
            model = opened_model(options["device"], setting_request(options), options["table"])
            ms = model.estimate(self.network).ms
        except UserError as error:
            if asked:
                raise
            say(f"search: no limit on the latency: {error}")
            return None
        return WrittenLimit(_up(ms) / (model.table.card.setting.batch if options["per_image"] else 1))


def recorded_given(path: Path) -> GivenRecord | None:
    """The network that the search of a result.json was to better."""
    try:
        return read_given(path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise UserError(
            f"{path} does not say what its search was to better; take 'like' out to repeat it without"
        ) from None


def _up(ms: float) -> float:
    """With four significant digits, at least as much, so that the network itself is within."""
    return float(f"{1.0006 * ms:.4g}")
