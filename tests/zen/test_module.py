import weakref
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from zenbench.errors import UserError
from zenbench.zen.families import zennets, zoo
from zenbench.zen.graph import Graph
from zenbench.zen.module import GraphModule, build_module, initialise, load_state
from zenbench.zen.network import parse_text
from zenbench.zen.units.plain import ResidualUnit
from zenbench.zen.workload import Workload

SMALL = parse_text("SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,16,2,8,2)", resolution=8, classes=5).graph()
GATED = Workload(ResidualUnit("inverted", 3, 6, 12, 6, 1, False, squeeze_excite=True), 5).graph()


def images(graph: Graph, batch: int = 2) -> Tensor:
    return torch.randn(batch, *graph.input_shape, generator=torch.Generator().manual_seed(99))


@torch.no_grad()
def outputs(module: GraphModule, x: Tensor) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda _layer, _x, y, name=name: found.update({name: y}))
        for name, layer in module.named_children()
    ]
    module(x)
    for hook in hooks:
        hook.remove()
    return found


def test_submodules_bear_the_names_of_the_operations() -> None:
    module = build_module(SMALL)
    assert [name for name, _ in module.named_children()] == [op.name for op in SMALL.ops]
    assert {"u0_conv1.weight", "u0_bn1.running_var", "u3_linear1.bias"} <= module.state_dict().keys()


@pytest.mark.parametrize("graph", [SMALL, GATED])
def test_every_output_has_the_shape_the_graph_says(graph: Graph) -> None:
    found = outputs(initialise(graph), images(graph))
    assert {name: tuple(y.shape[1:]) for name, y in found.items()} == {op.name: op.shape for op in graph.ops}


def test_a_gated_inverted_unit_is_wired_as_defined() -> None:
    module, x = initialise(GATED, seed=3), images(GATED)
    state = module.state_dict()

    def conv_bn(x: Tensor, number: int, groups: int = 1) -> Tensor:
        weight = state[f"conv{number}.weight"]
        x = functional.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=groups)
        mean, variance = (state[f"bn{number}.running_{part}"] for part in ("mean", "var"))
        return functional.batch_norm(x, mean, variance, state[f"bn{number}.weight"], eps=1e-5)

    y = conv_bn(conv_bn(x, 1).relu(), 2, groups=12).relu()
    gate = conv_bn(conv_bn(y.mean(dim=(2, 3), keepdim=True), 3).relu(), 4).sigmoid()
    expected = (conv_bn(y * gate, 5) + x).relu()
    with torch.no_grad():
        torch.testing.assert_close(module(x), expected)


def test_tensors_are_let_go_after_their_last_use() -> None:
    graph = parse_text("SuperConvK3BNRELU(3,4,1,9)SuperResK3K3(4,4,1,4,9)", resolution=4).graph()
    module, made, most = build_module(graph), [], 0

    def watch(_layer: nn.Module, _inputs: object, y: Tensor) -> None:
        nonlocal most
        made.append(weakref.ref(y))
        most = max(most, sum(ref() is not None for ref in made))

    for layer in module.children():
        layer.register_forward_hook(watch)
    with torch.no_grad():
        module(images(graph))
    assert len(made) == len(graph.ops)
    assert most == 3  # a shortcut, an operation's input and its output


def test_a_built_module_is_silent_until_its_weights_are_set() -> None:
    module = build_module(SMALL)
    assert not module.training
    assert all((p == 0).all() for name, p in module.named_parameters() if "conv" in name or "linear" in name)
    assert all((p == 1).all() for name, p in module.named_parameters() if "bn" in name and "weight" in name)


def test_weights_are_he_normal_and_biases_zero() -> None:
    module = initialise(parse_text("SuperConvK3BNRELU(3,64,1,2)", resolution=8, classes=500).graph())
    state = module.state_dict()
    for name, fan_in in (("u1_conv1", 64 * 9), ("u2_linear1", 64)):
        weight = state[f"{name}.weight"]
        assert weight.std() == pytest.approx((2 / fan_in) ** 0.5, rel=0.03)
        assert weight.mean() == pytest.approx(0, abs=0.03 * (2 / fan_in) ** 0.5)
    assert (state["u2_linear1.bias"] == 0).all()


def test_a_seed_decides_the_weights_and_the_global_generator_stays() -> None:
    before = torch.get_rng_state()
    first, second, other = (initialise(SMALL, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["u0_conv1.weight"], other["u0_conv1.weight"])


def test_initialising_a_module_again_forgets_what_it_held() -> None:
    module = build_module(SMALL)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.fill_(7)
    assert initialise(module, seed=1) is module
    expected = initialise(SMALL, seed=1).state_dict()
    state = module.state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert not module.training


def test_batch_norm_outputs_keep_their_scale_on_new_images() -> None:
    graph = zoo("zennet-cifar-0.5m").graph()
    module = initialise(graph)
    found = outputs(module, images(graph, batch=16))
    scales = {name: float(module.state_dict()[f"{name}.weight"][0]) for name in found if "_bn" in name}
    assert set(scales.values()) == {0.25, 1.0}
    for name, scale in scales.items():
        assert 0.7 < found[name].std() / scale < 1.4
        assert abs(found[name].mean() / scale) < 0.3


@pytest.mark.parametrize("name", zennets.names())
def test_zennets_stay_finite_and_far_from_the_fp16_limit(name: str) -> None:
    network = zoo(name)
    graph = replace(network, resolution=min(network.resolution, 64)).graph()
    found = outputs(initialise(graph), images(graph))
    assert found[graph.output].isfinite().all()
    assert max(float(y.abs().max()) for y in found.values()) < 1000


def test_a_module_takes_the_weights_of_another() -> None:
    given = initialise(SMALL, seed=5)
    module = build_module(SMALL).train()
    load_state(module, given.state_dict(), "here")
    x = images(SMALL)
    with torch.no_grad():
        assert torch.equal(module(x), given(x))
    assert not module.training


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"u0_conv1.weight": None}, "lacks 'u0_conv1.weight'; it belongs to another network"),
        ({"extra.weight": torch.zeros(1)}, "also holds 'extra.weight'"),
        (
            {"u0_conv1.weight": torch.zeros(8, 3, 5, 5)},
            "'u0_conv1.weight' is 8 x 3 x 5 x 5, but this network's is 8 x 3 x 3 x 3",
        ),
    ],
)
def test_weights_of_another_network_are_refused(change: dict[str, Tensor | None], fault: str) -> None:
    state = {**initialise(SMALL).state_dict(), **change}
    with pytest.raises(UserError, match=f"^here:? {fault}"):
        load_state(build_module(SMALL), {name: one for name, one in state.items() if one is not None}, "here")


def test_a_long_list_of_missing_names_is_cut() -> None:
    state = {"u0_conv1.weight": torch.zeros(8, 3, 3, 3)}
    with pytest.raises(UserError, match=r"lacks '.*', '.*', '.*' and \d+ more; it belongs"):
        load_state(build_module(SMALL), state, "here")


@pytest.mark.parametrize("kind", ["sparse", "meta", "int32", "nan"])
def test_weights_that_are_no_plain_numbers_are_refused(kind: str) -> None:
    state = build_module(SMALL).state_dict()
    name = next(iter(state))
    odd = {
        "sparse": state[name].to_sparse(),
        "meta": state[name].to("meta"),
        "int32": state[name].to(torch.int32),
        "nan": state[name] * float("nan"),
    }
    with pytest.raises(UserError, match=f"'{name}' holds no plain finite numbers"):
        load_state(build_module(SMALL), {**state, name: odd[kind]}, "weights.pt")
