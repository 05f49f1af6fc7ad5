"""Assembly: a graph under way with the sources of its weights, and the graph that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import NetworkError
from ..graph import Conv, Graph, Linear, Operation, Shape
from .read_graph import ReadGraph, WeightSource
from .views import Turned, Views


@dataclass
class Assembly(Views):
    """The operations that were appended so far, where their weights come from, and what is read."""

    _sources: dict[str, WeightSource] = field(default_factory=dict)

    def weighed(self, made: str, **parts: WeightSource | None) -> str:
        """The tensor that was made last, with where its operation's weights come from: `weight`, `bias` ...;
        None where it has no such part."""
        op = self.ops()[-1]
        self._sources.update((f"{op.name}.{part}", source) for part, source in parts.items() if source)
        return made

    def source(self, op: Operation, part: str) -> WeightSource | None:
        """Where a part of an operation's weights comes from."""
        return self._sources.get(f"{op.name}.{part}")

    def ops(self) -> tuple[Operation, ...]:
        """All so far."""
        return self._builder.graph().ops

    def priced(
        self,
        kind: str,
        tensors: Sequence[str],
        shape: Shape,
        macs: int = 0,
        params: int = 0,
        is_view: bool = False,
    ) -> str:
        """An operation that is not read."""
        views = [self._views.get(x) for x in tensors]
        sources = (x if view is None else view.source for x, view in zip(tensors, views, strict=True))
        return self._builder.priced(kind, tuple(dict.fromkeys(sources)), shape, macs, params, is_view)

    def read(self, output: str) -> ReadGraph:
        """The graph up to `output`, without what does not reach it."""
        view = self._views.get(output)
        if isinstance(view, Turned) and view.form in ("flat", "channels last"):
            output = view.source
        needed = {self._plain(output, "the network's output")}
        kept: list[Operation] = []
        for op in reversed(self.ops()):
            if op.name in needed:
                needed.update(op.inputs)
                kept.append(op)
        if not kept:
            raise NetworkError("the network hands its input on as it is; there is nothing to read")
        sources = {name: x for name, x in self._sources.items() if name.rpartition(".")[0] in needed}
        return ReadGraph(Graph(self.input_shape, tuple(reversed(kept))), sources)

    def whole(self, outputs: Sequence[str], work: Sequence[str] = ()) -> ReadGraph:
        """The graph up to several outputs, or to one that is a view that no graph ends in; `work`: operations
        that it holds too though no output needs them."""
        if len(outputs) == 1:
            try:
                found = self.read(outputs[0])
            except NetworkError:
                found = None
            if found is not None and {op.name for op in found.graph.ops}.issuperset(work):
                return found
        joined = self.priced("outputs", [*outputs, *work], self.shape(outputs[0]), is_view=True)
        return self.read(joined)

    def maker(self, x: str) -> Operation | None:
        """The operation that made a tensor or what it is a view of; None for the input."""
        view = self._views.get(x)
        source = view.source if view is not None else x
        return next((op for op in reversed(self.ops()) if op.name == source), None)

    def again(self, op: Conv | Linear, bias: bool) -> str:
        """A layer once more, with bias or without; the first one goes where nothing else reads it."""
        (x,) = op.inputs
        if isinstance(op, Linear):
            return self._builder.linear(x, op.out_features, bias)
        window = op.kernel, op.stride, op.groups
        return self._builder.conv(x, op.out_channels, *window, bias, op.padding, op.dilation)

    def like(self, x: str, made: str) -> str:
        """A tensor of ours seen as `x` is."""
        return self._as(x, made)

    def _as(self, x: str, made: str) -> str:
        """What was made of a tensor behind a view, seen through a view of the same form."""
        view = self._views.get(x)
        if not isinstance(view, Turned):
            return made
        if view.form == "channels last":
            return self.channels_last(made)
        shape = self._builder.shape(made)[:1] if view.form == "flat" else view.shape
        return self._turned(made, shape, view.form)
