"""Tensors of another library that are ours in another shape: flattened, turned, in groups, padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from ...errors import NetworkError
from ..graph import Shape
from ..graph_builder import GraphBuilder
from ..windows import Padding


@dataclass(frozen=True, slots=True)
class Padded:
    """A map with a constant around it, which the convolution or pool that reads it takes for its padding."""

    source: str
    shape: Shape
    padding: Padding
    value: float


Form = Literal["flat", "channels last", "groups", "shuffled", "expanded"]
"""`flat`: the features (C H W,) of a map; `channels last`: (H, W, C); `groups`: (groups, C / groups, H, W);
`shuffled`: (C / groups, groups, H, W); `expanded`: a gate repeated to the shape of a map."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A tensor of ours in another shape and order."""

    source: str
    shape: Shape
    form: Form


@dataclass
class Views:
    """The tensors of a graph under way, and their views, under names of their own.

    Every method takes and gives names; `where` names an operation for the NetworkError that it raises. Where
    the reader `prices` what it cannot read, the input may have any shape.
    """

    input_shape: Shape
    prices: bool = False
    _builder: GraphBuilder = field(init=False)
    _views: dict[str, Padded | Turned] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_square = len(self.input_shape) == 3 and self.input_shape[1] == self.input_shape[2]
        if not is_square and not self.prices:
            shape = " x ".join(map(str, self.input_shape))
            raise NetworkError(f"the input is {shape}; it must be channels x height x width, and square")
        self._builder = GraphBuilder(self.input_shape)

    def shape(self, x: str) -> Shape:
        """As the other library sees it."""
        return self._views[x].shape if x in self._views else self._builder.shape(x)

    def pad(self, x: str, padding: Padding, value: float, where: str) -> str:
        """The map with so much of a value around it, for a convolution or pool."""
        channels, height, width = self.shape(self._image(x, where))
        top, left, bottom, right = padding
        if not any(padding):
            return x
        if min(padding) < 0:
            raise NetworkError(f"{where} has a padding below nought; only padding that adds can be read")
        shape = (channels, top + height + bottom, left + width + right)
        return self._viewed(Padded(x, shape, padding, value))

    def reshape(self, x: str, shape: Sequence[int], where: str) -> str:
        """A tensor in another shape of as many values, in the order of the other library's memory."""
        shape, given = tuple(shape), self.shape(x)
        if shape == given:
            return x
        view = self._views.get(x)
        form = view.form if isinstance(view, Turned) else None
        source = view.source if isinstance(view, Turned) else self._plain(x, where)
        ours = self._builder.shape(source)
        if form in (None, "flat", "groups"):
            if shape == ours:
                return source
            if shape == (prod(ours),):
                return self._turned(source, shape, "flat")
            if len(ours) == 3 and len(shape) == 4 and shape[2:] == ours[1:]:
                return self._turned(source, shape, "groups")
            if len(ours) == 1 and shape == (*ours, 1, 1):
                return self._builder.unflatten(source)
        if form == "shuffled" and shape == ours:
            return self._builder.channel_shuffle(source, given[1])
        if form == "channels last" and ours[1:] == (1, 1) and shape == (prod(ours),):
            return self._turned(source, shape, "flat")
        raise NetworkError(
            f"{where} makes the shape {shape} of {given}; only flattening, groups of channels and what "
            "goes back to a map can be read"
        )

    def permute(self, x: str, order: Sequence[int], where: str) -> str:
        """A tensor with its axes, the batch not counted, in another order."""
        order, given = tuple(order), self.shape(x)
        shape = tuple(given[axis] for axis in order)
        view = self._views.get(x)
        if order == tuple(range(len(given))):
            return x
        if view is None and order == (1, 2, 0):
            return self._turned(x, shape, "channels last")
        if isinstance(view, Turned):
            if view.form == "channels last" and order == (2, 0, 1):
                return view.source
            if view.form in ("groups", "shuffled") and order == (1, 0, 2, 3):
                return self._turned(view.source, shape, "shuffled" if view.form == "groups" else "groups")
        raise NetworkError(
            f"{where} puts the axes {given} in the order {order}; only channels last, back again, and a "
            "shuffle of groups of channels can be read"
        )

    def expand(self, x: str, shape: Sequence[int], where: str) -> str:
        """A gate repeated to the shape of the map that it is multiplied with."""
        shape, given = tuple(shape), self.shape(self._plain(x, where))
        if shape == given:
            return x
        if len(shape) != len(given) or any(a not in (1, b) for a, b in zip(given, shape, strict=True)):
            raise NetworkError(f"{where} makes {shape} of {given}; only a gate can be repeated")
        return self._turned(x, shape, "expanded")

    def channels_last(self, x: str) -> str:
        """The view (H, W, C) of a map."""
        channels, height, width = self._builder.shape(x)
        return self._turned(x, (height, width, channels), "channels last")

    def channels_first(self, x: str) -> str | None:
        """The map behind a view (H, W, C); None of any other tensor."""
        view = self._views.get(x)
        return view.source if isinstance(view, Turned) and view.form == "channels last" else None

    def _turned(self, source: str, shape: Shape, form: Form) -> str:
        return self._viewed(Turned(source, shape, form))

    def _viewed(self, view: Padded | Turned) -> str:
        name = str(view)
        self._views[name] = view
        return name

    def _through(self, tensors: Sequence[str], where: str, build: Callable[[list[str]], str]) -> str:
        """What `build` makes, element by element, of tensors that are all of ours or all seen alike."""
        views = [self._views.get(x) for x in tensors]
        first = views[0]
        if isinstance(first, Turned) and first.form != "expanded":
            alike = {view.form if isinstance(view, Turned) else None for view in views}
            if alike == {first.form} and len({self.shape(x) for x in tensors}) == 1:
                made = build([view.source for view in views if view is not None])
                return self._turned(made, first.shape, first.form)
        return build([self._plain(x, where) for x in tensors])

    def _plain(self, x: str, where: str) -> str:
        """A tensor of ours."""
        view = self._views.get(x)
        if isinstance(view, Padded):
            raise NetworkError(f"{where} reads a padded map; only convolutions and pools can")
        if view is not None:
            raise NetworkError(
                f"{where} reads a tensor that is {view.form}, {view.shape}; make it channels x height x "
                "width before"
            )
        return x

    def _image(self, x: str, where: str) -> str:
        """A map of ours."""
        shape = self.shape(self._plain(x, where))
        if len(shape) != 3:
            raise NetworkError(f"{where} reads features of a linear layer; it must read channels of a map")
        if shape[1] != shape[2]:
            raise NetworkError(f"{where} reads a map of {shape[1]} x {shape[2]}; it must be square")
        return x
