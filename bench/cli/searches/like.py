"""`--like`: a network of one's own gives a search its budget and its start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ....errors import UserError
from ....zen.cost import cost, graph_cost
from ....zen.graph import Graph
from ....zen.importing.batch_norms import require_batch_norm
from ....zen.network import IMAGE_CHANNELS, Network
from ....zen.proxies import score
from ....zen.proxies.base import Reading
from ....zen.search.nearest import is_depthwise, nearest_start
from ....zen.search.task import SearchTask
from ...networks.model_file import FileSubject
from ...networks.reading import read
from ...searching.latency_limits import WrittenLimit
from ...searching.result_record import GivenRecord, read_given
from ...searching.task_record import table_models
from ..shared.opening import opened_model
from ..shared.options import setting_request
from ..shared.output import say
from .options import asked_task

_OF_A_TABLE = ("device", "table", "runtime", "precision", "batch", "threads")


@dataclass(frozen=True)
class GivenNetwork:
    """A network to better, and its graph; `network` is None for a file that zenbench did not write."""

    text: str
    digest: str
    network: Network | None
    graph: Graph

    @staticmethod
    def read(text: str, resolution: int | None, classes: int | None) -> GivenNetwork:
        """Raises UserError where it cannot be read as a graph of square colour images."""
        item = read(text)
        if not isinstance(item, FileSubject):
            return _given(str(item), item, resolution, classes)
        if item.network is not None:
            return _given(str(item), item.network, resolution, classes)
        graph = (item.sized(resolution) if resolution else item).graph()
        channels, height, width = graph.input_shape
        if channels != IMAGE_CHANNELS or height != width:
            raise UserError(
                f"{item} takes inputs of {channels} x {height} x {width}; give one of square colour images"
            )
        return GivenNetwork(str(item), item.digest, None, graph)

    def task(self, options: dict[str, Any]) -> SearchTask:
        """The task that the options describe, with the start that is nearest to the network."""
        task = asked_task(options)
        return replace(task, space=nearest_start(task.space, self.network or self.graph, task.resolution))

    def limited(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a search, with the network's costs, sizes and kind where they say nothing."""
        counted = cost(self.network) if self.network else graph_cost(self.graph)
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
        counted = cost(self.network) if self.network else graph_cost(self.graph)
        plain = self.network is not None and self.network.is_plain
        blocks = self.network.blocks if self.network and plain else task.space.start(task.resolution)
        unknown = []
        try:
            value: float | None = self._score(task.reading)
        except UserError as error:
            value = None
            unknown.append(f"not scored: {error}")
        latency_ms, std_ms = {}, {}
        for limit, model in zip(task.budget.latencies, table_models(task.budget), strict=True):
            try:
                estimate = model.estimate(self._predictable())
            except UserError as error:
                unknown.append(f"{limit.name} not known: {error}")
            else:
                latency_ms[limit.name], std_ms[limit.name] = estimate.ms, estimate.std_ms
        return {
            "network": self.text,
            "digest": self.digest,
            "score": value,
            "layers": sum(block.layers for block in blocks),
            "params": counted.params,
            "macs": counted.macs,
            "latency_ms": latency_ms,
            "std_ms": std_ms,
            "unknown": unknown,
        }

    def _score(self, reading: Reading) -> float:
        if self.network is None:
            require_batch_norm(self.graph, self.text)
        return score(self.network or self.graph, "zen-closed", reading).value

    def _predictable(self) -> Network:
        if self.network is None:
            raise UserError(
                f"{self.text} was not written by zenbench, so its latency is not predicted; "
                "give a limit of your own with --latency"
            )
        return self.network

    def _latency(self, options: dict[str, Any]) -> WrittenLimit | None:
        """The latency that is predicted for it, as a limit for the device and setting of the options; for
        this computer, which nobody asked for, only where it is known."""
        asked = any(options[name] is not None for name in _OF_A_TABLE)
        try:
            network = self._predictable()
            model = opened_model(options["device"], setting_request(options), options["table"])
            ms = model.estimate(network).ms
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


def _given(text: str, network: Network, resolution: int | None, classes: int | None) -> GivenNetwork:
    sized = replace(network, resolution=resolution or network.resolution, classes=classes or network.classes)
    return GivenNetwork(text, sized.digest, sized, sized.graph())


def _up(ms: float) -> float:
    """With four significant digits, at least as much, so that the network itself is within."""
    return float(f"{1.0006 * ms:.4g}")
