"""TFLite files of others: what is read computes and costs the same, and the rest is refused."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from operation_graphs import GRAPHS, TINY, build, drawn
from zenbench.bench.export.tflite import write_tflite
from zenbench.bench.export.tflite_file import Model, Operator, Tensor, model_bytes
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.bench.export.weights import fold, state_arrays
from zenbench.bench.networks.model_file import FileSubject
from zenbench.bench.networks.tflite.graph import graph_of_tflite, read_tflite
from zenbench.bench.networks.tflite.reader import _READERS
from zenbench.devices.base import Setting
from zenbench.errors import NetworkError, UserError
from zenbench.zen.cost import graph_cost
from zenbench.zen.families import zoo
from zenbench.zen.graph import INPUT, Activation, BatchNorm, Conv, Graph, Pool
from zenbench.zen.importing.read_graph import ReadGraph
from zenbench.zen.module import GraphModule, build_module, load_state

UNREAD = {"softmax of three"}
"""What files spell out in more operators than are read."""
NETWORKS = [
    "mobilenetv2-0.25",
    "regnety-200mf",
    "densenet-121",
    "zennet-400m-se",
    "efficientnet-b0",
    "resnest-50",
]


def filled(read: ReadGraph) -> GraphModule:
    module = build_module(read.graph)
    load_state(module, {name: torch.from_numpy(x) for name, x in read.state().items()}, "the file")
    return module


def difference(ours: GraphModule, read: ReadGraph, images: int = 2) -> float:
    """The largest one of the outputs, as a share of the largest output."""
    x = torch.randn(images, *ours.graph.input_shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = ours(x), filled(read)(x)
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def stored(graph: Graph, state: Any) -> int:
    """Parameters of a file whose batch norms are folded."""
    return sum(part.size for weights in fold(graph, state).values() for _, part in weights.parts())


@pytest.mark.parametrize("name", sorted(GRAPHS.keys() - UNREAD))
def test_every_operation_comes_back_with_its_weights(name: str, tmp_path: Path) -> None:
    graph = build(GRAPHS[name]).graph()
    module = drawn(graph)
    write_tflite(graph, state_arrays(module), tmp_path / "f.tflite")
    read = read_tflite(tmp_path / "f.tflite")
    assert difference(module, read) < 1e-5
    assert graph_cost(read.graph).macs == graph_cost(graph).macs
    numbers = name == "single scale"  # what a file multiplies all values by is a number, and none learned
    assert graph_cost(read.graph).params == stored(graph, state_arrays(module)) - numbers


@pytest.mark.parametrize("name", NETWORKS)
def test_known_networks_come_back_to_their_macs_and_parameters(name: str, tmp_path: Path) -> None:
    graph = replace(zoo(name), resolution=64).graph()
    state = timing_weights(graph)
    write_tflite(graph, state, tmp_path / "f.tflite", batch=2)
    found, cost = graph_cost(graph_of_tflite(tmp_path / "f.tflite")), graph_cost(graph)
    assert (found.macs, found.params) == (cost.macs, stored(graph, state))


@pytest.mark.parametrize(("precision", "most"), [("fp16", 0.01), ("int8", 0.2)])
def test_narrow_files_are_read_as_the_graph_that_they_stand_for(
    precision: str, most: float, tmp_path: Path
) -> None:
    module = drawn(TINY.graph())
    path = tmp_path / "f.tflite"
    write_tflite(module.graph, state_arrays(module), path, precision=precision)
    subject = FileSubject.read(path)
    assert subject.precision == precision
    read = subject.read_graph()
    assert graph_cost(read.graph).macs == graph_cost(TINY.graph()).macs
    assert 0 < difference(module, read) < most


class Made:
    """A small file by hand: operators one after the other, on an image of 8 x 8 x 4."""

    def __init__(self, shape: tuple[int, ...] = (1, 8, 8, 4)) -> None:
        self.model = Model("image", "image", {"image": Tensor(shape)})

    def constant(self, values: Any, dtype: str = "float32") -> str:
        name = f"c{len(self.model.tensors)}"
        held = np.asarray(values, dtype)
        self.model.tensors[name] = Tensor(held.shape, dtype, held)
        return name

    def add(
        self,
        kind: str,
        shape: tuple[int, ...],
        *inputs: str,
        options: str | None = None,
        **fields: int | float,
    ) -> "Made":
        """Reads the last tensor, then the inputs; its output becomes the last one."""
        made = f"t{len(self.model.operators)}"
        self.model.tensors[made] = Tensor(shape)
        self.model.operators.append(Operator(kind, (self.model.output, *inputs), made, options, fields))
        self.model.output = made
        return self

    def conv(self, shape: tuple[int, ...], weight: tuple[int, ...], **fields: int) -> "Made":
        window = {"Padding": 0, "StrideW": 1, "StrideH": 1, **fields}
        return self.add("CONV_2D", shape, self.constant(np.ones(weight)), options="Conv2DOptions", **window)

    def read(self, shape: tuple[int, ...] | None = None) -> ReadGraph:
        return read_tflite(model_bytes(self.model), shape)


def test_a_file_with_its_channels_first_is_turned() -> None:
    made = Made((1, 4, 8, 8))
    made.add("TRANSPOSE", (1, 8, 8, 4), made.constant([0, 2, 3, 1], "int32"), options="TransposeOptions")
    made.conv((1, 8, 8, 6), (6, 3, 3, 4), FusedActivationFunction=3)
    made.add("TRANSPOSE", (1, 6, 8, 8), made.constant([0, 3, 1, 2], "int32"), options="TransposeOptions")
    graph = made.read().graph
    assert graph.input_shape == (4, 8, 8) and [type(op) for op in graph.ops] == [Conv, Activation]


def test_a_flattened_map_keeps_the_order_of_its_weights() -> None:
    made, values = Made((1, 2, 2, 3)), np.arange(24, dtype=np.float32).reshape(2, 12)
    made.add("RESHAPE", (1, 12), made.constant([-1, 12], "int32"), options="ReshapeOptions")
    made.add("FULLY_CONNECTED", (1, 2), made.constant(values), options="FullyConnectedOptions")
    read, image = made.read(), np.random.default_rng(0).standard_normal((1, 2, 2, 3)).astype(np.float32)
    with torch.no_grad():
        found = filled(read)(torch.from_numpy(image.transpose(0, 3, 1, 2).copy())).numpy()
    assert np.allclose(found, image.reshape(1, 12) @ values.T, rtol=1e-5)


def test_a_shape_that_is_computed_of_a_free_batch_is_the_one_that_the_file_tells() -> None:
    made = Made((-1, 1, 1, 4))
    made.model.tensors |= {
        name: Tensor(shape, "int32") for name, shape in (("s", (4,)), ("n", ()), ("p", (2,)))
    }
    width = made.constant(4, "int32")
    made.model.operators += [
        Operator("SHAPE", ("image",), "s", "ShapeOptions"),
        Operator("STRIDED_SLICE", ("s", *(made.constant([n], "int32") for n in (0, 1, 1))), "n"),
        Operator("PACK", ("n", width), "p", "PackOptions", {"ValuesCount": 2}),
    ]
    made.add("RESHAPE", (-1, 4), "p", options="ReshapeOptions")
    made.add("FULLY_CONNECTED", (-1, 2), made.constant(np.ones((2, 4))), options="FullyConnectedOptions")
    assert graph_cost(made.read().graph).macs == 8


def test_a_scale_alone_is_a_norm_and_a_pool_by_its_window_stays_one(tmp_path: Path) -> None:
    graph = build(lambda b: b.batch_norm(b.pool(INPUT, "average", 3, 2, (1, 1, 1, 1)))).graph()
    write_tflite(graph, timing_weights(graph), tmp_path / "f.tflite")
    pool, norm = graph_of_tflite(tmp_path / "f.tflite").ops
    assert isinstance(norm, BatchNorm) and isinstance(pool, Pool) and not pool.counts_padding


def test_one_slope_for_all_channels_is_a_leaky_relu() -> None:
    made = Made().conv((1, 8, 8, 6), (6, 3, 3, 4))
    made.add("PRELU", (1, 8, 8, 6), made.constant(np.full((1, 1, 6), 0.2)))
    *_, op = made.read().graph.ops
    assert isinstance(op, Activation) and (op.function, round(op.slope, 6)) == ("leaky-relu", 0.2)


def test_a_free_size_is_asked_for(tmp_path: Path) -> None:
    made = Made((1, -1, -1, 4)).conv((1, -1, -1, 6), (6, 3, 3, 4))
    with pytest.raises(NetworkError, match="no fixed height and width"):
        made.read()
    assert made.read((16, 16, 4)).graph.input_shape == (4, 16, 16)


def test_a_file_of_a_free_size_is_not_measured_and_one_of_a_free_batch_is(tmp_path: Path) -> None:
    path = tmp_path / "f.tflite"
    path.write_bytes(model_bytes(Made((-1, 8, 8, 4)).conv((-1, 8, 8, 6), (6, 3, 3, 4)).model))
    assert FileSubject.read(path).inputs_in(Setting("host", "litert"))[0].shape == (1, 8, 8, 4)
    path.write_bytes(model_bytes(Made((1, -1, -1, 4)).conv((1, -1, -1, 6), (6, 3, 3, 4)).model))
    with pytest.raises(NetworkError, match=r"'image' of .* has a free size"):
        FileSubject.read(path)


def _refused(made: Made, sentence: str) -> None:
    with pytest.raises(NetworkError, match=sentence) as error:
        made.read()
    assert "\n" not in str(error.value)


def test_a_kernel_that_two_convolutions_share_is_refused() -> None:
    made = Made().conv((1, 8, 8, 4), (4, 1, 1, 4))
    made.model.operators.append(
        replace(made.model.operators[0], inputs=("t0", *made.model.operators[0].inputs[1:]), output="t1")
    )
    made.model.tensors["t1"] = made.model.tensors["t0"]
    made.model.output = "t1"
    _refused(made, "'t1', a CONV_2D, uses its weights a second time")


def test_what_cannot_be_read_is_one_sentence_that_names_the_operator() -> None:
    made = Made()
    made.add("RESIZE_BILINEAR", (1, 16, 16, 4), made.constant([16, 16], "int32"))
    _refused(made, "'t0', a RESIZE_BILINEAR, cannot be read")
    made = Made().conv((1, 8, 8, 6), (6, 3, 3, 4))
    made.add("PRELU", (1, 8, 8, 6), made.constant([[[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]]))
    _refused(made, "'t1', a PRELU, learned a slope a channel")
    _refused(Made().conv((1, 9, 9, 6), (6, 3, 3, 4)), "has the shape .* in the file, but computes")
    _refused(Made().conv((1, 8, 8, 6), (6, 3, 3, 3)), "has weights for 3 channels")
    _refused(Made().conv((1, 8, 8, 6), (6, 3, 3, 4), FusedActivationFunction=5), "holds an activation")
    _refused(Made().conv((1, 8, 8, 6), (6, 3, 3, 4), Padding=7), "is not valid")
    _refused(Made().conv((1, 8, 8, 6), (6, 3, 3, 4), StrideW=2), "has the stride 1 x 2")
    _refused(Made((8, 4)), "is no batch of images")
    _refused(Made((1, 8, 4, 4)), "must be channels x height x width, and square")
    made = Made()
    made.add("PAD", (1, 8, 8, 6), made.constant([[0, 0], [0, 0], [0, 0], [0, 2]], "int32"))
    _refused(made, "pads channels")
    made = Made()
    made.add("RESHAPE", (1, 256), made.constant([1, 256], "int32")).add("RELU", (1, 256))
    _refused(made, "reads a map that is flattened; only a fully connected layer can")


def test_weights_of_another_size_are_refused_when_they_are_wanted() -> None:
    made = Made().conv((1, 8, 8, 6), (6, 3, 3, 4))
    (weight,) = (name for name, tensor in made.model.tensors.items() if tensor.values is not None)
    made.model.tensors[weight] = replace(made.model.tensors[weight], values=np.ones(5, np.float32))
    with pytest.raises(NetworkError, match="has 20 bytes for 216 values"):
        made.read().state()


def test_cut_and_changed_files_are_one_sentence(tmp_path: Path) -> None:
    draw = random.Random(3)
    write_tflite(TINY.graph(), timing_weights(TINY.graph()), tmp_path / "f.tflite")
    whole = (tmp_path / "f.tflite").read_bytes()
    refused = 0
    for number in range(300):
        data = bytearray(whole[: draw.randrange(len(whole))] if number % 4 == 0 else whole)
        for _ in range(8):
            place = draw.randrange(max(8, len(data) - 6000), max(len(data), 9))
            data[place : place + 4] = draw.choice((b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x80"))
        try:
            read_tflite(bytes(data)).state()
        except NetworkError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 400
    assert 100 < refused < 300


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_tflite(tmp_path / "none.tflite")


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MEAN", "MUL"])
def test_an_operator_that_cannot_be_read_has_its_price(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = replace(zoo("efficientnet-b0"), resolution=64).graph()
    write_tflite(graph, timing_weights(graph), tmp_path / "n.tflite")
    read = read_tflite(tmp_path / "n.tflite").graph
    assert read_tflite(tmp_path / "n.tflite", prices=True).graph == read
    monkeypatch.delitem(_READERS, kind)
    with pytest.raises(NetworkError, match=f"a {kind}, cannot be read"):
        read_tflite(tmp_path / "n.tflite")
    priced, whole = graph_of_tflite(tmp_path / "n.tflite", prices=True), graph_cost(read)
    assert kind in {op.kind for op in priced.priced}
    found = graph_cost(priced)
    assert (found.macs, found.params) == (whole.macs, whole.params)
