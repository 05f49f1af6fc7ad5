"""Layer norm, group norm and mish, for which TFLite has no operator, so that files spell them out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....zen.graph import Activation, Affine, Multiply
from .inputs import Spelled, SpelledKind
from .operators import TfliteOperators


class SpelledOperators(TfliteOperators):
    """Follows what operators make of one tensor, until the function is whole."""

    def spelled_out(self) -> str | Spelled | None:
        """A function that the operator completes, or as far as it has come; None where it belongs to none."""
        match self.operator.kind:
            case "MEAN":
                return self._mean_of_norm()
            case "SUB" | "SQUARED_DIFFERENCE":
                return self._gap()
            case "ADD":
                return self._sum_of_norm()
            case "RSQRT":
                return self._further("raised", "inverse")
            case "MUL":
                return self._product_of_norm() or self._whole_mish()
            case "RESHAPE":
                return self._back_to_map()
            case "DIV":
                return self._gate_of_mish()
        return None

    def _state(self, position: int) -> Spelled | None:
        return self.spelled.get(self.operator.inputs[position])

    def _further(self, kind: SpelledKind, next_kind: SpelledKind) -> Spelled | None:
        state = self._state(0)
        return replace(state, kind=next_kind) if state is not None and state.kind == kind else None

    def _pair(self, kind: SpelledKind) -> tuple[Spelled, int] | None:
        """The input that is so far, and the position of the other one."""
        for position, other in ((0, 1), (1, 0)):
            state = self._state(position)
            if state is not None and state.kind == kind:
                return state, other
        return None

    def _mean_of_norm(self) -> Spelled | None:
        """Over the channels of a place, or over places and channels of a group."""
        variance = self._further("square", "variance")
        of = self.operator.inputs[0] if variance is None else variance.x
        rank, axes = len(self.source.tensors[of].shape), np.ravel(self._numbers(1, "axes")).tolist()
        is_grouped = of in self.held and self.held[of].form == "grouped"
        if not is_grouped and of not in self.tensors:
            return None
        if [axis % rank for axis in axes] != ([1, 3] if is_grouped else [rank - 1]):
            return None
        if len(self.source.tensors[self.operator.outputs[0]].shape) != rank:
            return None
        return variance or Spelled("mean", of)

    def _gap(self) -> Spelled | None:
        found = self._pair("mean")
        if found is None or self.operator.inputs[found[1]] != found[0].x:
            return None
        if self.operator.kind == "SQUARED_DIFFERENCE":
            return replace(found[0], kind="square")
        return replace(found[0], kind="gap") if found[1] == 0 else None

    def _sum_of_norm(self) -> str | Spelled | None:
        if (found := self._pair("variance")) is not None and self._is_constant(found[1]):
            epsilon = self._number(found[1])
            return None if epsilon is None else replace(found[0], kind="raised", epsilon=epsilon)
        if (found := self._pair("scaled")) is not None and self._is_constant(found[1]):
            return self._whole_norm(*found)
        return None

    def _product_of_norm(self) -> Spelled | None:
        first, second = self._state(0), self._state(1)
        if first is not None and first == second and first.kind == "gap":
            return replace(first, kind="square")
        if (found := self._pair("inverse")) is not None:
            gap = self._state(found[1])
            return replace(found[0], kind="normed") if gap == Spelled("gap", found[0].x) else None
        if (found := self._pair("normed")) is not None and self._is_constant(found[1]):
            return replace(found[0], kind="scaled", scale=self.operator.inputs[found[1]])
        return None

    def _back_to_map(self) -> Spelled | None:
        """Of the parts that a group norm works on."""
        state = self._further("normed", "normed")
        held = None if state is None else self.held.get(state.x)
        if held is None:
            return None
        channels, height, width = self.assembler.shape(held.x)
        self._check_output(self.operator.outputs[0], (height, width, channels))
        return state

    def _whole_norm(self, state: Spelled, shift: int) -> str:
        held = self.held.get(state.x)
        if held is None:
            made = self.assembler.layer_norm(self.tensors[state.x], 1, self.where, state.epsilon)
        else:
            norm = self.assembler.group_norm(held.x, held.groups, self.where, state.epsilon)
            made = self.assembler.channels_last(norm)
        weight = self.constants[state.scale].values
        return self._fused(self.assembler.weighed(made, weight=weight, bias=self._source(shift)))

    def _gate_of_mish(self) -> Spelled | None:
        """tanh(log(1 + exp(x))) as (1 - u u) / (1 + u u) with u = sigmoid(-x)."""
        if self._is_constant(1):
            return None
        less, more = (self.assembler.maker(self._tensor(position)) for position in (0, 1))
        if not isinstance(less, Affine) or not isinstance(more, Affine) or less.inputs != more.inputs:
            return None
        makers = [self.assembler.maker(less.inputs[0])]
        makers += [self.assembler.maker(op.inputs[0]) if op is not None else None for op in makers]
        square, share = makers
        turned = self.assembler.maker(share.inputs[0]) if share is not None else None
        is_mish = (
            ((less.factor, less.offset), (more.factor, more.offset)) == ((-1, 1), (1, 1))
            and isinstance(square, Multiply)
            and len(set(square.inputs)) == 1
            and isinstance(share, Activation)
            and share.function == "sigmoid"
            and isinstance(turned, Affine)
            and (turned.factor, turned.offset) == (-1, 0)
        )
        return Spelled("mish gate", source=turned.inputs[0]) if is_mish and turned is not None else None

    def _whole_mish(self) -> str | None:
        found = self._pair("mish gate")
        if found is None:
            return None
        x = self._tensor(found[1])
        if (self.assembler.channels_first(x) or x) != found[0].source:
            return None
        return self._fused(self.assembler.activation(x, "mish", self.where))
