"""What an operation's features know of runtimes: rows of pixels, vectors of a group's channels, padding."""

from math import prod

import pytest
from zenbench.latency_tables.op_features import ROOFLINE, ROWS, TimedOp, graph_ops, op_features
from zenbench.zen.graph import INPUT, Activation, Graph, Priced, Shape

DENSE = TimedOp("conv", 64, 64, 14, 14, kernel=3, padding=1)
LAST_ROWS = -1
GROUP_WASTE = 5


@pytest.mark.parametrize("size", [1, 7, 8, 14, 15])
def test_the_last_rows_of_pixels_are_wasted_where_they_are_not_full(size: int) -> None:
    op = DENSE._replace(size_in=size, size=size)
    rows = -(-(size**2) // ROWS)
    assert op_features(op).point[LAST_ROWS] == pytest.approx(2 * (rows * ROWS / size**2 - 1))
    depthwise = op._replace(groups=64)
    assert op_features(depthwise).point[LAST_ROWS] == 0


def test_narrow_groups_waste_most_of_a_vector() -> None:
    waste = [op_features(DENSE._replace(groups=groups)).point[GROUP_WASTE] for groups in (4, 8, 16)]
    assert waste[0] == 0 < waste[1] < waste[2], "16, 8 and 4 channels a group"


def test_weights_that_only_padding_would_use_are_told_apart() -> None:
    large, small = (
        dict(
            zip(
                ROOFLINE,
                op_features(DENSE._replace(kernel=7, padding=3, size_in=size, size=size)).work,
                strict=True,
            )
        )
        for size in (56, 3)
    )
    used, everything = "100 kB of weights", "100 kB of weights, padding's too"
    assert small[everything] == large[everything]
    assert small[used] < 0.5 * small[everything]


def test_an_unpadded_kernel_wastes_nothing_and_a_dilated_one_more_than_its_taps() -> None:
    wasted = [
        op_features(op).point[7]
        for op in (DENSE._replace(padding=0, size=12), DENSE, DENSE._replace(padding=2, dilation=2))
    ]
    assert wasted[0] == 0 < wasted[1] < wasted[2]


def timed(given: Shape, shape: Shape, macs: int = 0, is_view: bool = False) -> tuple[TimedOp, ...]:
    return graph_ops(Graph(given, (Priced("x", (INPUT,), shape, "x", macs, is_view=is_view),)))


@pytest.mark.parametrize("shape", [(196, 24), (8, 14, 42), (3, 49, 2, 16), (100,), (16, 8, 32)])
def test_what_has_only_a_price_is_timed_as_a_matrix_product_of_as_many_macs(shape: Shape) -> None:
    (op,) = timed((3, 16, 16), shape, macs=64 * prod(shape))
    assert op.form == ("conv" if len(shape) > 1 else "linear")
    assert op.channels_in * op.channels_out * op.size**2 == pytest.approx(64 * prod(shape), rel=0.1)


def test_without_macs_it_is_timed_by_its_bytes_and_a_view_not_at_all() -> None:
    (op,) = timed((64, 20), (4, 8, 40))
    assert (op.form, op.channels_in * op.size_in**2, op.channels_out * op.size**2) == (
        "elementwise",
        64 * 20,
        4 * 18**2,
    )
    seen = Priced("y", ("x",), (160, 8), "y", is_view=True)
    assert graph_ops(Graph((64, 20), (Priced("x", (INPUT,), (4, 8, 40), "x"), seen))) == (op,)


def test_a_piece_of_what_others_fuse_reads_and_writes_its_map() -> None:
    relu = Activation("x", (INPUT,), (4, 8, 8), "relu")
    assert graph_ops(Graph((4, 8, 8), (relu,))) == (TimedOp("elementwise", 4, 4, 8, 8),)
