import pytest
from zenbench.errors import NetworkError
from zenbench.zen.cost import cost
from zenbench.zen.families import zennets, zoo, zoo_names


def test_all_twelve_zennets_are_in_the_zoo() -> None:
    assert len(zennets.names()) == 12
    assert {"zennet-cifar-0.5m", "zennet-0.1ms", "zennet-1.2ms", "zennet-400m-se"} <= set(zoo_names())


@pytest.mark.parametrize("name", zennets.names())
def test_zennets_have_their_published_size(name: str) -> None:
    record, network = zennets.records()[name], zoo(name)
    assert cost(network).params == record["trainable_params"]
    assert network.layers == record["layers"]
    assert network.text == record["structure"]
    assert (network.resolution, network.classes) == (record["resolution"], record["classes"])
    assert network.squeeze_excite is record["squeeze_excite"]


def test_names_are_read_with_and_without_prefix_in_any_case() -> None:
    assert zoo("zoo:zennet-0.1ms") == zoo("ZenNet-0.1ms") == zoo("zennet-0.1ms")
    assert zoo("zennet-0.1ms").name == "zoo:zennet-0.1ms"


def test_an_unknown_name_is_refused_with_close_ones() -> None:
    with pytest.raises(
        NetworkError, match=r"no network is called 'zoo:zennet-0\.1m'; did you mean .*zennet-0\.1ms"
    ):
        zoo("zennet-0.1m")
    with pytest.raises(NetworkError, match="no network is called 'zoo:qqq'"):
        zoo("qqq")
