"""The TFLite file format: tensors and operators by name -> the bytes of a file, and what a file says.

Written table by table with the schema that LiteRT ships. Its object classes need the same schema and take
three times as long.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError, UserError

IDENTIFIER = b"TFL3"
SIGNATURE = "serving_default"
_VERSION = 3  # of the schema
_ALIGNMENT = 16
_MOST_BYTES = 2**31 - 2**20  # offsets are 32 bits, and the tables need room beside the weights
_LAST_BYTE_CODE = 127  # operators from here on are told by a later field of 32 bits alone
MALFORMED = (struct.error, LookupError, ArithmeticError, ValueError, TypeError, AttributeError)
"""What the accessors of the schema raise where a file is cut, or points elsewhere."""


@dataclass(frozen=True)
class Tensor:
    """Shape and dtype; `values` where it is a constant."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    values: NDArray[Any] | None = None


@dataclass(frozen=True)
class Operator:
    """One operator: `kind` as the schema's enumeration names it, its tensors, and its options: a class of
    the schema and the fields that differ from its defaults."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    options: str | None = None
    fields: Mapping[str, int | float] = field(default_factory=dict)
    version: int = 1


@dataclass
class Model:
    """Tensors by name and operators in order; one tensor goes in and one comes out."""

    input: str
    output: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


@cache
def schema() -> Any:
    """LiteRT's module of the file format; raises UserError where it is not installed."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        raise UserError("TFLite files need LiteRT; install it with: pip install ai-edge-litert") from None
    return schema_py_generated


def model_bytes(model: Model) -> bytes:
    """The file; the same model gives the same bytes."""
    constants = [tensor.values for tensor in model.tensors.values() if tensor.values is not None]
    size = sum(values.nbytes for values in constants)
    if size > _MOST_BYTES:
        raise UserError(f"the weights take {size / 2**30:.1f} GiB; a TFLite file holds less than 2 GiB")
    room = size + _ALIGNMENT * len(constants) + 512 * (len(model.tensors) + len(model.operators)) + 4096
    return _Writer(room).model(model)


class _Writer:
    """Builds a file from its leaves: every method writes a piece and returns where it lies."""

    def __init__(self, room: int) -> None:
        from flatbuffers import Builder

        self.builder = Builder(room)
        self.schema = schema()
        self._shapes: dict[tuple[int, ...], int] = {}

    def model(self, model: Model) -> bytes:
        index = {name: number for number, name in enumerate(model.tensors)}
        buffers = [self.table("Buffer")]  # the first stands for "no data"
        tensors = []
        for name, tensor in model.tensors.items():
            number = 0
            if tensor.values is not None:
                number = len(buffers)
                buffers.append(
                    self.table("Buffer", Data=self.data(tensor.values.reshape(-1).view(np.uint8).data))
                )
            tensors.append(
                self.table(
                    "Tensor",
                    Shape=self.integers(tensor.shape),
                    Type=getattr(self.schema.TensorType, tensor.dtype.upper()),
                    Buffer=number,
                    Name=self.builder.CreateString(name),
                )
            )
        metadata = []
        for name, text in model.metadata.items():
            buffers.append(self.table("Buffer", Data=self.data(text.encode())))
            written = self.builder.CreateString(name)
            metadata.append(self.table("Metadata", Name=written, Buffer=len(buffers) - 1))
        codes = list(dict.fromkeys((operator.kind, operator.version) for operator in model.operators))
        operators = [self.operator(operator, index, codes) for operator in model.operators]
        graph = self.table(
            "SubGraph",
            Tensors=self.offsets(tensors),
            Inputs=self.integers((index[model.input],)),
            Outputs=self.integers((index[model.output],)),
            Operators=self.offsets(operators),
            Name=self.builder.CreateString("main"),
        )
        root = self.table(
            "Model",
            Version=_VERSION,
            OperatorCodes=self.offsets([self.code(kind, version) for kind, version in codes]),
            Subgraphs=self.offsets([graph]),
            Description=self.builder.CreateString("zenbench"),
            Buffers=self.offsets(buffers),
            Metadata=self.offsets(metadata),
            SignatureDefs=self.offsets([self.signature(index[model.input], index[model.output])]),
        )
        self.builder.Finish(root, IDENTIFIER)
        return bytes(memoryview(self.builder.Bytes)[self.builder.head :])

    def code(self, kind: str, version: int) -> int:
        number = getattr(self.schema.BuiltinOperator, kind)
        return self.table(
            "OperatorCode",
            DeprecatedBuiltinCode=min(number, _LAST_BYTE_CODE),
            BuiltinCode=number,
            Version=version,
        )

    def operator(self, operator: Operator, index: Mapping[str, int], codes: list[tuple[str, int]]) -> int:
        fields: dict[str, int | float] = {
            "OpcodeIndex": codes.index((operator.kind, operator.version)),
            "Inputs": self.integers(tuple(index[name] for name in operator.inputs)),
            "Outputs": self.integers((index[operator.output],)),
        }
        if operator.options is not None:
            fields["BuiltinOptionsType"] = getattr(self.schema.BuiltinOptions, operator.options)
            fields["BuiltinOptions"] = self.table(operator.options, **operator.fields)
        return self.table("Operator", **fields)

    def signature(self, given: int, result: int) -> int:
        maps = [
            self.offsets([self.table("TensorMap", Name=self.builder.CreateString(name), TensorIndex=number)])
            for name, number in (("input", given), ("output", result))
        ]
        key = self.builder.CreateString(SIGNATURE)
        return self.table("SignatureDef", Inputs=maps[0], Outputs=maps[1], SignatureKey=key)

    def table(self, kind: str, **fields: int | float) -> int:
        names = self.schema
        getattr(names, f"{kind}Start")(self.builder)
        for name, value in fields.items():
            getattr(names, f"{kind}Add{name}")(self.builder, value)
        return cast(int, getattr(names, f"{kind}End")(self.builder))

    def integers(self, values: tuple[int, ...]) -> int:
        """A vector of 32-bit integers; equal ones are written once."""
        if values not in self._shapes:
            self._shapes[values] = self.builder.CreateNumpyVector(np.array(values, "<i4"))
        return self._shapes[values]

    def offsets(self, places: Sequence[int]) -> int:
        self.builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            self.builder.PrependUOffsetTRelative(place)
        return cast(int, self.builder.EndVector())

    def data(self, content: bytes | memoryview) -> int:
        builder = self.builder
        builder.StartVector(1, len(content), _ALIGNMENT)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        return cast(int, builder.EndVector())


@dataclass(frozen=True)
class Contents:
    """What a file says of itself: `inputs` by name, metadata texts, and `dtypes` of all its tensors."""

    inputs: tuple[tuple[str, Tensor], ...]
    metadata: dict[str, str]
    dtypes: frozenset[str]
    operators: tuple[str, ...]


def read_contents(data: bytes) -> Contents:
    """Raises NetworkError where the bytes are no TFLite file, UserError where LiteRT is missing."""
    names = schema()
    if data[4:8] != IDENTIFIER:
        raise NetworkError("not a TFLite file")
    try:
        return _contents(names, data)
    except MALFORMED as error:
        raise NetworkError(f"a damaged TFLite file ({type(error).__name__})") from None


def _contents(names: Any, data: bytes) -> Contents:
    model = names.Model.GetRootAs(data)
    kinds = names_of(names.BuiltinOperator)
    types = names_of(names.TensorType)
    graph = model.Subgraphs(0)
    metadata = {}
    for number in range(model.MetadataLength()):
        entry = model.Metadata(number)
        held = model.Buffers(entry.Buffer())
        if held.DataLength():
            metadata[entry.Name().decode()] = held.DataAsNumpy().tobytes().decode("utf-8", "replace")
    tensors = [graph.Tensors(number) for number in range(graph.TensorsLength())]
    inputs = []
    for number in range(graph.InputsLength()):
        tensor = tensors[graph.Inputs(number)]
        dynamic = tensor.ShapeSignatureLength()
        shape = tensor.ShapeSignatureAsNumpy() if dynamic else tensor.ShapeAsNumpy()
        extents = tuple(map(int, np.atleast_1d(shape)))
        inputs.append((tensor.Name().decode(), Tensor(extents, types[tensor.Type()].lower())))
    codes = [model.OperatorCodes(number) for number in range(model.OperatorCodesLength())]
    operators = [
        kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        for code in (
            codes[graph.Operators(number).OpcodeIndex()] for number in range(graph.OperatorsLength())
        )
    ]
    dtypes = frozenset(types[tensor.Type()].lower() for tensor in tensors)
    return Contents(tuple(inputs), metadata, dtypes, tuple(operators))


@cache
def names_of(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}
