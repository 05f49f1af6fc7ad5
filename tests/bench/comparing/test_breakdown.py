"""What kind a network is of, and errors by kind."""

import pytest
from zenbench.bench.comparing.breakdown import UNKNOWN, group, kind_of
from zenbench.bench.latency_files.latency_rows import LatencyRow
from zenbench.bench.networks.reading import networks_only, read

TEXT = "SuperConvK3BNRELU(3,8,2,1){}SuperConvK1BNRELU(16,64,1,1)"
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"


@pytest.mark.parametrize(
    ("text", "family", "kernels"),
    [
        (TEXT.format("SuperResIDWE2K5(8,16,2,16,1)"), "mobilenet", "depthwise up to 5x5, dense up to 3x3"),
        (TEXT.format("SuperResK1K7K1(8,16,2,16,1)"), "resnet", "dense up to 7x7"),
        (
            TEXT.format("SuperResK3K3(8,8,2,8,1)SuperResIDWE2K3(8,16,2,16,1)"),
            "basic and inverted",
            "depthwise up to 3x3, dense up to 3x3",
        ),
        ("SuperConvK3BNRELU(3,8,2,1)", "convolutions", "dense up to 3x3"),
        (CELL, "nasbench201", "dense up to 3x3"),
        ("zoo:regnety-400mf", "regnets", "dense up to 3x3"),
    ],
)
def test_kinds(text: str, family: str, kernels: str) -> None:
    (network,) = networks_only([read(text)], "compared")
    row = LatencyRow(str(network), network.digest, "host", "s", latency_ms=1.0)
    assert (kind_of(row).family, kind_of(row).kernels) == (family, kernels)


def test_a_network_whose_text_is_not_all_of_it_is_not_known() -> None:
    text = TEXT.format("SuperResK3K3(8,16,2,16,1)")
    assert kind_of(LatencyRow(text, "another digest", "host", "s")).family == UNKNOWN
    assert kind_of(LatencyRow("my network", "my network", "host", "s")).kernels == UNKNOWN


def test_groups_are_the_most_frequent_first() -> None:
    first, second = group([("b", 0.02), ("a", 0.2), ("b", -0.08)])
    assert (first.name, first.count, first.within_5, first.within_10) == ("b", 2, 0.5, 1.0)
    assert (first.mape, first.bias) == (pytest.approx(0.05), pytest.approx(-0.03))
    assert (second.name, second.mape) == ("a", pytest.approx(0.2))
