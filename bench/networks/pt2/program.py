"""An exported program -> Graph and weights."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn

from ....errors import NetworkError, first_line
from ....zen.importing.read_graph import ReadGraph
from ....zen.importing.torch_module import read_traced
from .archive import DTYPES, ProgramArchive
from .operators import SIZES, UnknownOperator, appended, erase_read_past

_FREE_BATCH = 3  # any number that is no usual extent


def read_exported_program(path: Path, size: int | None = None) -> ReadGraph:
    """The graph that a file of torch.export.save computes, with its weights.

    `size`: of the square images, where the program leaves it free. Nothing in the file is unpickled or run as
    code. Raises UserError where the file cannot be read, NetworkError where it is damaged, takes other than
    images, or an operation has no counterpart.
    """
    archive = ProgramArchive(path)
    try:
        program = _Program(archive, size)
    except NetworkError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise NetworkError(
            f"{path} is damaged ({type(error).__name__}: {first_line(error)}); save it again with "
            "torch.export.save"
        ) from None
    try:
        return read_traced(program.graph, program.root, program.image, program.held)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None


class _Program:
    """The torch.fx graph of a program, and its tensors on the meta device: `root` has the weights, `held`
    gives their values, by their identity."""

    def __init__(self, archive: ProgramArchive, size: int | None) -> None:
        self.archive = archive
        module = archive.program()["graph_module"]
        self.source = module["graph"]
        self.graph, self.root = fx.Graph(), nn.Module()
        self.held: dict[int, Callable[[], Tensor]] = {}
        self.values: dict[str, Any] = {}
        """What the program's names stand for: nodes, and numbers."""
        signature = module["signature"]
        images = [name for name in map(self._input, signature["input_specs"]) if name]
        if len(images) != 1:
            self._refuse(f"takes {len(images)} tensors; only one of images can be read")
        self.image = self._image(images[0], size)
        for node in self.source["nodes"]:
            if node["outputs"]:  # what gives nothing asserts something
                self._add(node)
        outputs = [spec["user_output"] for spec in signature["output_specs"] if "user_output" in spec]
        if len(outputs) != 1:
            self._refuse(f"gives {len(outputs)} tensors; let it give its last one only")
        self.graph.output(self._value(outputs[0]["arg"]))
        erase_read_past(self.graph)

    def _refuse(self, reason: str) -> NoReturn:
        raise NetworkError(f"{self.archive.path} {reason}")

    def _input(self, spec: Mapping[str, Any]) -> str | None:
        """Keeps a weight or a number; of a tensor that the user gives the name."""
        ((kind, told),) = spec.items()
        if kind in ("parameter", "buffer", "tensor_constant"):
            self._hold(told["arg"]["name"], told[f"{kind}_name"], kind, told.get("persistent", True))
        elif kind == "constant_input":  # an argument that the program has made its own
            self.values[told["name"]] = next(iter(told["value"].values()))
        elif kind == "user_input":
            given: Any = told["arg"].get("as_tensor")
            return given["name"] if given else None
        else:
            self._refuse(f"reads a {kind.replace('_', ' ')}; only tensors can be read")
        return None

    def _hold(self, name: str, stored_as: str, kind: str, is_persistent: bool) -> None:
        meta = self.source["tensor_values"][name]
        sizes = [extent["as_int"] for extent in meta["sizes"]]
        tensor = torch.empty(sizes, dtype=DTYPES[meta["dtype"]], device="meta")
        folder = "constants" if kind == "tensor_constant" or not is_persistent else "weights"
        attribute = f"tensor{len(self.held)}"
        if kind == "parameter":
            self.root.register_parameter(attribute, nn.Parameter(tensor, tensor.is_floating_point()))
        else:
            self.root.register_buffer(attribute, tensor)
        self.values[name] = self.graph.create_node("get_attr", attribute)

        def stored() -> Tensor:
            found = self.archive.tensor(stored_as, folder)
            if list(found.shape) != sizes:
                self._refuse(
                    f"holds '{stored_as}' as {list(found.shape)} and reads it as {sizes}; save it again"
                )
            return found

        self.held[id(getattr(self.root, attribute))] = stored

    def _image(self, name: str, size: int | None) -> Tensor:
        """An image on the meta device, in the batch that the program is written for."""
        meta = self.source["tensor_values"][name]
        batch, *shape = (extent.get("as_int") for extent in meta["sizes"])
        if len(shape) != 3 or shape[0] is None:
            self._refuse(f"takes a tensor of {len(shape) + 1} axes; only images can be read")
        for extent in shape[1:]:
            if size is not None and extent not in (None, size):
                self._refuse(
                    f"has a fixed size of {shape[1]} x {shape[2]}, not {size}; leave --resolution out"
                )
            if extent is None and size is None:
                self._refuse("has a free height and width; give --resolution, as in 224")
        shape = [shape[0], *(extent or size for extent in shape[1:])]
        self.values[name] = self.graph.placeholder("image")
        return torch.empty([batch or _FREE_BATCH, *shape], dtype=DTYPES[meta["dtype"]], device="meta")

    def _add(self, node: Mapping[str, Any]) -> None:
        """Appends a node, or several that do the same."""
        name = node["target"].removeprefix("torch.ops.aten.")
        outputs = [_names(one) for one in node["outputs"]]
        given = {one["name"]: self._value(one["arg"]) for one in node["inputs"]}
        try:
            made = appended(self.graph, name, given)
        except NetworkError as error:
            called = name.partition(".")[0]
            raise NetworkError(
                f"{self.archive.path}: '{outputs[0][0]}', a call of {called}, {error}"
            ) from None
        if made is None:
            made = self._unknown(node["target"], given, [name for names in outputs for name in names])
        if "as_tensors" in node["outputs"][0]:
            parts = [
                self.graph.call_function(operator.getitem, (made, part)) for part in range(len(outputs[0]))
            ]
            self.values.update(zip(outputs[0], parts, strict=True))
        else:
            self.values[outputs[0][0]] = made
            meta = self.source["tensor_values"].get(outputs[0][0])
            if meta and isinstance(made, fx.Node):
                made.meta.setdefault(SIZES, tuple(extent.get("as_int") for extent in meta["sizes"]))

    def _unknown(self, target: str, given: Mapping[str, Any], outputs: Sequence[str]) -> fx.Node:
        """A node for an operator that is not known here, which is never run: its shapes are as declared."""
        metas = [self.source["tensor_values"].get(name) for name in outputs]
        shapes = [tuple(extent["as_int"] for extent in meta["sizes"]) for meta in metas if meta]
        if len(shapes) != len(outputs):
            self._refuse(f"computes numbers by {target}; export it with fixed shapes")
        return self.graph.call_function(UnknownOperator(target, shapes), tuple(given.values()))

    def _value(self, argument: Mapping[str, Any]) -> Any:
        """What an argument stands for."""
        ((kind, told),) = argument.items()
        match kind:
            case "as_none":
                return None
            case "as_tensor":
                return self.values[told["name"]]
            case "as_tensors":
                return [self.values[one["name"]] for one in told]
            case "as_optional_tensor":
                return self._value(told)
            case "as_optional_tensors" | "as_sym_ints":
                return [self._value(one) for one in told]
            case "as_sym_int" | "as_sym_float" | "as_sym_bool":
                return self._value(told)
            case "as_name":
                return self.values[told]
            case "as_int" | "as_bool" | "as_string" | "as_ints" | "as_bools" | "as_floats":
                return told
            case "as_float":
                return float(told)  # infinities are written as words
            case "as_scalar_type":
                return DTYPES.get(told)
            case _:  # devices, layouts and formats of memory, which change no value
                return None


def _names(output: Mapping[str, Any]) -> list[str]:
    ((kind, told),) = output.items()
    if kind == "as_tensors":
        return [one["name"] for one in told]
    return [told["name"] if kind == "as_tensor" else told.get("as_name", "")] if told else [""]
