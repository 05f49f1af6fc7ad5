"""What a unit is: the smallest piece of a network that a device times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from ...errors import NetworkError
from ..graph_builder import GraphBuilder

MAX_WIDTH = 65_536
MAX_STRIDE = 8


@dataclass(frozen=True, slots=True)
class Unit:
    """One residual unit, one convolution with its batch norm, the head ...: it lowers to operations from
    one tensor to one tensor.

    Kinds are frozen dataclasses of whole numbers, flags and words. `str()` gives a text that `parse_unit`
    reads back: `kind(field=value,...)`, fields at their default left out. A unit is also the simplest
    block: one that unrolls to itself.
    """

    kind: ClassVar[str]
    if TYPE_CHECKING:  # fields or properties of the kinds

        @property
        def in_channels(self) -> int: ...

        @property
        def out_channels(self) -> int: ...

    @property
    def total_stride(self) -> int:
        """Input size over output size."""
        return 1

    def output_size(self, size: int) -> int:
        """Height and width of the output at an input size."""
        return (size - 1) // self.total_stride + 1

    @property
    def layers(self) -> int:
        """Weighted layers on the main path."""
        return 0

    @property
    def open_widths(self) -> tuple[str, ...]:
        """The width fields, where the operations stay the same whatever these are: see `zen/outline.py`."""
        return ()

    @property
    def family(self) -> str:
        """The name of the units that behave alike on a device."""
        return self.kind

    @property
    def label(self) -> str:
        """A short text for people."""
        return str(self)

    def lower(self, builder: GraphBuilder, x: str) -> str:
        """Appends this unit's operations behind tensor `x` and returns the last tensor."""
        raise TypeError(f"{type(self).__name__} does not lower itself")

    def units(self, squeeze_excite: bool = False) -> Iterator[Unit]:
        yield self

    def check(self, size: int | None = None) -> None:
        """Raises NetworkError, naming the field, where a number makes no sense, on a map of that size where
        one is known."""
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or value == field.default:
                continue
            limit = MAX_STRIDE if field.name == "stride" else MAX_WIDTH
            if not 1 <= value <= limit:
                raise NetworkError(f"{self}: {field.name} must be 1 to {limit}, not {value}")
            if field.name == "kernel" and value % 2 == 0:
                raise NetworkError(f"{self}: the kernel must be odd, not {value}")

    def __str__(self) -> str:
        values = ((field, getattr(self, field.name)) for field in fields(self))
        told = (
            f"{field.name}={int(value) if isinstance(value, bool) else value}"
            for field, value in values
            if value != field.default
        )
        return f"{self.kind}({','.join(told)})"


def parse_unit(unit_type: type[Unit], arguments: str, text: str, size: int | None = None) -> Unit:
    """The unit whose fields stand in `arguments`, checked as `Unit.check` does; `text` is what an error
    quotes."""
    pairs = [item.partition("=")[::2] for item in arguments.split(",")]
    known, given = {field.name: field for field in fields(unit_type)}, [name for name, _ in pairs]
    needed = [name for name, field in known.items() if field.default is MISSING]
    if len(set(given)) < len(given) or not set(needed) <= set(given) <= set(known):
        raise NetworkError(f"'{text}' should have the fields {', '.join(known)}")
    hints = get_type_hints(unit_type)
    unit = unit_type(**{name: _value(name, value, hints[name], text) for name, value in pairs})
    unit.check(size)
    return unit


def _value(name: str, value: str, hint: Any, text: str) -> Any:
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise NetworkError(
                f"'{text}' has the unknown {name} '{value}'; known are {', '.join(get_args(hint))}"
            )
        return value
    if hint is bool:
        if value not in ("0", "1"):
            raise NetworkError(f"'{text}': {name} must be 0 or 1, not '{value}'")
        return value == "1"
    if hint is str:
        return value
    if not re.fullmatch(r"[1-9]\d{0,8}", value, re.ASCII):
        raise NetworkError(f"'{text}': {name} must be a whole number above zero, not '{value}'")
    return int(value)
