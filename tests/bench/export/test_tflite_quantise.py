"""TFLite files in fp16 and int8: what they keep of the signal, their scales, and the images that set them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from operation_graphs import BLOCKS, TINY, build
from zenbench.bench.export.checked import export_tflite
from zenbench.bench.export.parity import LIMITS
from zenbench.bench.export.running import tflite_runner
from zenbench.bench.export.tflite import lower, write_tflite
from zenbench.bench.export.tflite_file import model_bytes, read_contents, schema
from zenbench.bench.export.tflite_quantise import gaussian_batches, quantise, read_batches
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.bench.networks.model_file import FileSubject
from zenbench.errors import DeviceError, UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph import INPUT
from zenbench.zen.module import initialise
from zenbench.zen.network import Network, parse_text


def test_fp16_halves_the_file_and_keeps_the_answer(tmp_path: Path) -> None:
    network = zoo("zennet-cifar-0.5m")
    whole, _ = export_tflite(network, tmp_path / "32.tflite")
    half, parity = export_tflite(network, tmp_path / "16.tflite", precision="fp16")
    assert 0.5 < half.path.stat().st_size / whole.path.stat().st_size < 0.53
    assert 1e-5 < parity.relative_error < LIMITS["fp16"] and parity.holds
    assert half.inputs[0].dtype == "float32"
    assert FileSubject.read(half.path).precision == "fp16"


def test_int8_quarters_the_file_and_takes_and_gives_bytes(tmp_path: Path) -> None:
    network = zoo("resnet-18")
    whole, exact = export_tflite(replace(network, resolution=64), tmp_path / "32.tflite")
    small, parity = export_tflite(replace(network, resolution=64), tmp_path / "8.tflite", precision="int8")
    assert small.path.stat().st_size < 0.27 * whole.path.stat().st_size
    assert small.inputs[0].dtype == "int8"
    contents = read_contents(small.path.read_bytes())
    assert contents.inputs[0][1].dtype == "int8"
    assert contents.dtypes == {"int8", "int32"}, "nothing is left in fp32"
    assert parity.snr_db is not None and 20 < parity.snr_db < 60
    assert exact.snr_db is not None and exact.snr_db > 100


@pytest.mark.parametrize("block", BLOCKS[::3])
def test_int8_blocks_keep_most_of_the_signal(tmp_path: Path, block: str) -> None:
    network = Network(parse_text(f"SuperConvK3BNRELU(3,8,1,1){block}").blocks, 16, 10, "Conv" not in block)
    _, parity = export_tflite(network, tmp_path / "n.tflite", precision="int8")
    assert parity.holds and parity.snr_db is not None and parity.snr_db > 12


def test_int8_weights_have_a_scale_a_channel() -> None:
    graph = TINY.graph()
    data = quantise(model_bytes(lower(graph, timing_weights(graph), 1)), gaussian_batches((1, 16, 16, 3)))
    model = schema().Model.GetRootAs(data)
    tensors = [model.Subgraphs(0).Tensors(n) for n in range(model.Subgraphs(0).TensorsLength())]
    weights = [tensor for tensor in tensors if tensor.Name().endswith(b"conv1.weight")]
    assert len(weights) > 1
    for tensor in weights:
        assert tensor.Quantization().ScaleLength() == tensor.Shape(0) > 1


def test_what_the_quantizer_cannot_do_is_told_in_one_line(tmp_path: Path) -> None:
    graph = build(lambda b: b.conv(INPUT, 2100, 1), size=2, channels=4100).graph()  # 34 MB of weights
    with pytest.raises(DeviceError, match=r"^ai-edge-quantizer failed: .*conv1\.weight") as caught:
        write_tflite(graph, timing_weights(graph), tmp_path / "g.tflite", precision="int8")
    assert "\n" not in str(caught.value)


def test_given_images_set_the_ranges(tmp_path: Path) -> None:
    images = 20 * np.random.default_rng(0).standard_normal((9, 3, 16, 16), dtype=np.float32)
    np.save(tmp_path / "i.npy", images)
    np.savez(tmp_path / "i.npz", images=images)
    narrow = export_tflite(TINY, tmp_path / "n.tflite", precision="int8")[0]
    found = [
        export_tflite(
            TINY,
            tmp_path / f"{end}.tflite",
            precision="int8",
            batch=2,
            images=read_batches(tmp_path / f"i.{end}", 2, (3, 16, 16)),
        )
        for end in ("npy", "npz")
    ]
    (wide, parity), again = found
    assert parity.snr_db is not None and parity.snr_db > 15
    assert again[0].sha256 == wide.sha256
    loud = images[:1]
    with torch.no_grad():
        truth = initialise(TINY.graph())(torch.from_numpy(loud)).numpy()
    error = np.linalg.norm(tflite_runner(narrow.path)(loud) - truth) / np.linalg.norm(truth)
    assert error > 4 * parity.relative_error, "ranges of N(0,1) cut such images off"


def test_the_loudest_image_sets_the_ranges_wherever_it_comes(tmp_path: Path) -> None:
    graph = TINY.graph()
    images = np.random.default_rng(0).standard_normal((16, 1, 3, 16, 16), dtype=np.float32)
    images[5] *= 20
    files = [
        export_tflite(TINY, tmp_path / f"{number}.tflite", precision="int8", images=order)[0]
        for number, order in enumerate(
            ([*images, images[0]], [images[5], *images[:5], *images[6:], images[0]])
        )
    ]
    with torch.no_grad():
        truth = initialise(graph)(torch.from_numpy(images[5])).numpy()
    for file in files:
        error = np.linalg.norm(tflite_runner(file.path)(images[5]) - truth) / np.linalg.norm(truth)
        assert error < 0.2, "an average of the ranges would cut the loud image off"


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((4, 16, 16, 3), np.float32), r"\(K, 3, 16, 16\)"),
        (np.zeros((4, 3, 16, 16), np.int64), "holds int64"),
        (np.zeros((1, 3, 16, 16), np.float32), "give at least 2"),
        (np.full((4, 3, 16, 16), np.nan, np.float32), "no numbers"),
        (np.array(None), "cannot be read"),
    ],
)
def test_images_that_will_not_do(tmp_path: Path, images: np.ndarray, sentence: str) -> None:  # type: ignore[type-arg]
    np.save(tmp_path / "i.npy", images, allow_pickle=True)
    with pytest.raises(UserError, match=sentence):
        read_batches(tmp_path / "i.npy", 1, (3, 16, 16))
