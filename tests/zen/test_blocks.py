import pytest
from hypothesis import given
from hypothesis import strategies as st
from zenbench.errors import NetworkError
from zenbench.zen.blocks import Block, block_workloads, parse_block, round_to_8
from zenbench.zen.units.plain import ConvUnit, HeadUnit, ResidualUnit
from zenbench.zen.workload import Workload

KEY = (
    "residual(style=basic,kernel=3,in_channels=8,hidden_channels=8,out_channels=8,stride=1,projection=0,{})@8"
)


@pytest.mark.parametrize(
    ("name", "arguments", "block"),
    [
        ("SuperConvK7BNRELU", "3,64,2,1", Block("conv", 7, 3, 64, 2, 1)),
        ("SuperResK5K5", "8,16,1,24,3", Block("basic", 5, 8, 16, 1, 3, 24)),
        ("SuperResK1K7K1", " 8, 16,2 ,24,1", Block("bottleneck", 7, 8, 16, 2, 1, 24)),
        ("SuperResIDWE6K3", "8,16,2,24,2", Block("inverted", 3, 8, 16, 2, 2, 24, 6)),
    ],
)
def test_a_block_is_read_and_written(name: str, arguments: str, block: Block) -> None:
    assert parse_block(name, arguments) == block
    assert str(block) == f"{name}({arguments.replace(' ', '')})"


def test_a_convolution_block_strides_once() -> None:
    units = list(Block("conv", 3, 3, 8, 2, 3).units())
    assert units == [ConvUnit(3, 3, 8, 2), ConvUnit(3, 8, 8, 1), ConvUnit(3, 8, 8, 1)]


def test_a_basic_block_projects_once_and_strides_once() -> None:
    units = list(Block("basic", 5, 8, 16, 2, 2, 24).units(squeeze_excite=True))
    assert units == [
        ResidualUnit("basic", 5, 8, 24, 16, 2, True, True),
        ResidualUnit("basic", 5, 16, 24, 16, 1, False, True),
    ]


def test_a_bottleneck_layer_is_two_units() -> None:
    units = list(Block("bottleneck", 3, 8, 16, 2, 1, 24).units())
    assert units == [
        ResidualUnit("bottleneck", 3, 8, 24, 16, 2, True),
        ResidualUnit("bottleneck", 3, 16, 24, 16, 1, False),
    ]


def test_an_inverted_layer_is_a_unit_to_the_bottleneck_and_one_to_the_output() -> None:
    units = list(Block("inverted", 3, 8, 20, 1, 1, 10, 6).units())
    assert units == [
        ResidualUnit("inverted", 3, 8, 64, 10, 1, True),
        ResidualUnit("inverted", 3, 10, 120, 20, 1, True),
    ]


def test_the_first_unit_projects_even_where_widths_agree() -> None:
    first, second = Block("basic", 3, 8, 8, 1, 2, 8).units()
    assert isinstance(first, ResidualUnit)
    assert isinstance(second, ResidualUnit)
    assert (first.projection, second.projection) == (True, False)


@pytest.mark.parametrize(("width", "rounded"), [(1, 8), (8, 8), (11.9, 8), (12, 16), (20, 24), (60, 64)])
def test_rounding_to_eight(width: float, rounded: int) -> None:
    assert round_to_8(width) == rounded


def test_workloads_of_a_block_shrink_with_its_stride() -> None:
    assert [w.size for w in block_workloads(Block("basic", 3, 8, 8, 2, 3, 8), 15)] == [15, 8, 8]


units = st.one_of(
    st.builds(
        ConvUnit, st.sampled_from([1, 3, 5, 7]), st.integers(1, 4096), st.integers(1, 4096), st.integers(1, 8)
    ),
    st.builds(
        ResidualUnit,
        st.sampled_from(["basic", "bottleneck", "inverted"]),
        st.sampled_from([3, 5, 7]),
        st.integers(1, 4096),
        st.integers(1, 4096),
        st.integers(1, 4096),
        st.integers(1, 8),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(HeadUnit, st.integers(1, 4096), st.integers(1, 10_000)),
)


@given(units, st.integers(1, 4096))
def test_workload_keys_round_trip(unit: ConvUnit | ResidualUnit | HeadUnit, size: int) -> None:
    workload = Workload(unit, size)
    assert Workload.parse(str(workload)) == workload


def test_a_workload_key_is_readable() -> None:
    assert (
        str(Workload(ConvUnit(3, 8, 16, 2), 32)) == "conv(kernel=3,in_channels=8,out_channels=16,stride=2)@32"
    )
    assert Workload.parse("head(classes=10,in_channels=8)@7").unit == HeadUnit(8, 10)
    assert Workload.parse(KEY.format("squeeze_excite=0")).unit == ResidualUnit("basic", 3, 8, 8, 8, 1, False)
    assert Workload.parse(KEY.format("squeeze_excite=1")).unit == ResidualUnit(
        "basic", 3, 8, 8, 8, 1, False, True
    )


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "not the key"),
        ("conv@8", "'conv' is no unit; known are conv, residual"),
        ("pond(in_channels=8)@8", "is no unit"),
        ("head(in_channels=8,classes=10)@0", "not the key"),
        ("head(in_channels=8,classes=10)@7x7", "not the key"),
        ("head(in_channels=8)@7", "should have the fields in_channels, classes"),
        ("head(in_channels=8,classes=10,)@7", "should have the fields"),
        ("head(in_channels=8,in_channels=8,classes=10)@7", "should have the fields"),
        (
            "head(in_channels=eight,classes=10)@7",
            "in_channels must be a whole number above zero, not 'eight'",
        ),
        ("head(in_channels=0,classes=10)@7", "in_channels must be a whole number above zero"),
        (f"head(in_channels={'9' * 5000},classes=10)@7", "in_channels must be a whole number"),
        ("conv(kernel=4,in_channels=8,out_channels=8,stride=1)@7", "kernel must be odd"),
        (KEY.format("squeeze_excite=2"), "squeeze_excite must be 0 or 1"),
        (KEY.format("squeeze_excite=0").replace("basic", "fancy"), "unknown style 'fancy'"),
    ],
)
def test_a_malformed_workload_key_is_refused_by_name(key: str, fault: str) -> None:
    with pytest.raises(NetworkError, match=fault):
        Workload.parse(key)
