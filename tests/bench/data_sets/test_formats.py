"""Data sets in the forms that they are published in, and every way in which they are damaged."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from zenbench.bench.data_sets.image_folder import FolderImages
from zenbench.bench.data_sets.reading import names_data, open_data
from zenbench.errors import UserError

RANDOM = np.random.default_rng(0)


def cifar(folder: Path, classes: int = 10, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Training pixels, (N, 32, 32, 3), and labels, as written into the folder."""
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] if classes == 10 else ["train.bin"]
    folder.mkdir(exist_ok=True)
    pixels = RANDOM.integers(0, 256, (len(names), count, 32, 32, 3)).astype(np.uint8)
    labels = RANDOM.integers(0, classes, (len(names), count)).astype(np.uint8)
    for name, images, classes_of in zip(names, pixels, labels, strict=True):
        planes = images.transpose(0, 3, 1, 2).reshape(count, -1)
        coarse = [np.zeros((count, 1), np.uint8)] if classes == 100 else []
        (folder / name).write_bytes(np.hstack([*coarse, classes_of[:, None], planes]).tobytes())
    test = "test_batch.bin" if classes == 10 else "test.bin"
    (folder / test).write_bytes((folder / names[0]).read_bytes())
    return pixels.reshape(-1, 32, 32, 3), labels.ravel()


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def fashion_mnist(folder: Path, packed: bool) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    pixels = RANDOM.integers(0, 256, (6, 28, 28)).astype(np.uint8)
    for part in ("train", "t10k"):
        for name, array in (("images-idx3", pixels), ("labels-idx1", np.arange(6, dtype=np.uint8))):
            data = idx(array)
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
    return pixels


def image_folder(folder: Path) -> None:
    """Two classes of three images, 40 x 24, each of one colour."""
    for part, names in (("train", ("cat", "dog")), ("val", ("dog", "cat"))):
        for name in names:
            (folder / part / name).mkdir(parents=True)
            for number in range(3):
                colour = (10, 20, 30) if name == "cat" else (200, 100, 50)
                Image.new("RGB", (40, 24), colour).save(folder / part / name / f"{number}.png")


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar_is_read_as_it_was_written(classes: int, tmp_path: Path) -> None:
    pixels, labels = cifar(tmp_path / "c", classes)
    data = open_data(f"cifar{classes}:{tmp_path / 'c'}")
    everything = np.arange(len(labels))
    assert np.array_equal(data.train.pixels(everything, 32), pixels)
    assert data.train.labels.tolist() == labels.tolist()
    assert data.test.size() == (32, 32) and len(data.test.labels) == 4


@pytest.mark.parametrize("packed", [False, True])
def test_fashion_mnist_is_read_packed_or_not(packed: bool, tmp_path: Path) -> None:
    pixels = fashion_mnist(tmp_path / "f", packed)
    data = open_data(f"fashion-mnist:{tmp_path / 'f'}")
    assert np.array_equal(data.train.pixels(np.array([5, 0]), 28)[..., 0], pixels[[5, 0]])
    assert data.classes == 6


def test_folders_give_their_classes_in_alphabetical_order(tmp_path: Path) -> None:
    image_folder(tmp_path)
    data = open_data(f"folder:{tmp_path}")
    assert data.classes == 2 and data.train.size() is None
    for part in (data.train, data.test):
        assert part.labels.tolist() == [0, 0, 0, 1, 1, 1]
        pixels = part.pixels(np.array([0, 3]), 16)
        assert pixels.shape == (2, 16, 16, 3) and pixels[0, 0, 0].tolist() == [10, 20, 30]


def test_random_areas_of_files_follow_from_the_random_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.png").parent.mkdir(exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, (40, 60, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    images = FolderImages([tmp_path / "a.png"] * 4, np.zeros(4, np.int64))
    numbers = np.arange(4)
    found = [images.pixels(numbers, 8, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0][0], found[0][1])


def cut(path: Path, count: int = 1) -> None:
    path.write_bytes(path.read_bytes()[:-count])


def starting(path: Path, start: bytes) -> None:
    path.write_bytes(start + path.read_bytes()[len(start) :])


BATCH, IDX = "data_batch_3.bin", "train-images-idx3-ubyte"
FAULTS: dict[str, Callable[[Path], object]] = {
    "cifar10/missing": lambda folder: (folder / BATCH).unlink(),
    "cifar10/cut": lambda folder: cut(folder / BATCH),
    "cifar10/labels": lambda folder: starting(folder / BATCH, b"\x0b"),
    "fashion-mnist/missing": lambda folder: (folder / IDX).unlink(),
    "fashion-mnist/cut": lambda folder: cut(folder / IDX),
    "fashion-mnist/form": lambda folder: starting(folder / IDX, b"\x00\x00\x0d\x03"),
    "fashion-mnist/packed": lambda folder: (
        (folder / f"{IDX}.gz").write_bytes(gzip.compress((folder / IDX).read_bytes())[:-20]),
        (folder / IDX).unlink(),
    ),
    "folder/empty": lambda folder: [path.unlink() for path in (folder / "train/cat").iterdir()],
    "folder/strange": lambda folder: (folder / "val/cow").mkdir(),
    "folder/flat": lambda folder: (folder / "val").rename(folder / "other"),
    "folder/none": lambda folder: folder.rename(folder.with_name("elsewhere")),
}
MAKERS: dict[str, Callable[[Path], object]] = {
    "cifar10": cifar,
    "fashion-mnist": lambda folder: fashion_mnist(folder, packed=False),
    "folder": image_folder,
}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cifar10/missing", r"there is no file .*data_batch_3.bin; the binary version"),
        ("cifar10/cut", r"data_batch_3.bin has 12,291 bytes, which is no multiple of 3,073"),
        ("cifar10/labels", r"holds label 11, but CIFAR-10 ends at 9"),
        ("fashion-mnist/missing", r"there is no file .*train-images-idx3-ubyte"),
        ("fashion-mnist/cut", r"is damaged: it has 4,719 bytes instead of 4,720"),
        ("fashion-mnist/form", r"is no IDX file of bytes in 3 dimensions"),
        ("fashion-mnist/packed", r"train-images-idx3-ubyte.gz is damaged: it cannot be unpacked"),
        ("folder/empty", r"train/cat holds no images"),
        ("folder/strange", r"val has the class 'cow', which .*train has not"),
        ("folder/flat", r"must hold the folders train and val"),
        ("folder/none", r"there is no folder"),
    ],
)
def test_a_damaged_data_set_is_told(name: str, sentence: str, tmp_path: Path) -> None:
    kind, folder = name.partition("/")[0], tmp_path / "d"
    MAKERS[kind](folder)
    FAULTS[name](folder)
    with pytest.raises(UserError, match=sentence):
        open_data(f"{kind}:{folder}")


def test_a_broken_image_is_named_when_it_is_met(tmp_path: Path) -> None:
    image_folder(tmp_path)
    path = tmp_path / "train/dog/1.png"
    path.write_bytes(path.read_bytes()[:40])
    data = open_data(f"folder:{tmp_path}")
    with pytest.raises(UserError, match=r"dog/1.png is no image that can be read; delete it or replace it"):
        data.train.pixels(np.arange(6), 8)


GOOD = {
    "x": np.zeros((4, 8, 8, 3), np.uint8),
    "y": np.arange(4),
    "tx": np.zeros((2, 8, 8), np.uint8),
    "ty": np.arange(2),
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ty": None}, "lacks the array ty; it must hold x, y, tx, ty"),
        ({"x": np.zeros((4, 8, 8, 3), np.float32)}, r"the array x is float32 of shape \(4, 8, 8, 3\)"),
        ({"x": np.zeros((4, 3, 8, 8), np.uint8)}, r"the array x is uint8 of shape \(4, 3, 8, 8\)"),
        ({"y": np.arange(3)}, "the array y must hold a whole number for each of the 4 images"),
        ({"y": np.zeros(4)}, "the array y must hold a whole number"),
        ({"y": np.zeros(4, np.int64)}, "has training images of one class only; a classifier needs two"),
        ({"y": np.arange(4) - 1}, "holds label -1; labels start at 0"),
        ({"x": np.zeros((0, 8, 8), np.uint8), "y": np.zeros(0, np.int64)}, "the array x is uint8 of shape"),
    ],
)
def test_an_archive_of_another_form_is_told(
    change: dict[str, np.ndarray | None], sentence: str, tmp_path: Path
) -> None:
    arrays = {name: array for name, array in {**GOOD, **change}.items() if array is not None}
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(UserError, match=sentence):
        open_data(f"npz:{tmp_path / 'd.npz'}")


def test_files_that_are_no_archives_are_told(tmp_path: Path) -> None:
    for content in (b"", b"hello", b"PK\x03\x04 torn"):
        (tmp_path / "d.npz").write_bytes(content)
        with pytest.raises(UserError, match="no NumPy archive"):
            open_data(f"npz:{tmp_path / 'd.npz'}")
    np.save(tmp_path / "d.npy", np.zeros(3))
    with pytest.raises(UserError, match="no NumPy archive"):
        open_data(f"npz:{tmp_path / 'd.npy'}")
    with pytest.raises(UserError, match="there is no file"):
        open_data(f"npz:{tmp_path / 'none.npz'}")


def test_a_data_set_needs_a_known_prefix() -> None:
    assert names_data("cifar10:here") and not names_data("here.npz") and not names_data("cifar10")
    for name in ("cifar10", "imagenet:here", "npz:", "here"):
        with pytest.raises(UserError, match="names no data set; give cifar10:DIR"):
            open_data(name)


def test_a_user_who_is_not_known_and_an_odd_label_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names the folder of a user who is not known"):
        open_data("npz:~nobody-of-this-name/x.npz")
    pixels = np.zeros((4, 8, 8), np.uint8)
    np.savez(tmp_path / "odd.npz", x=pixels, y=[0, 1, 2, 2**40], tx=pixels, ty=[0, 1, 2, 3])
    with pytest.raises(UserError, match="holds label 1099511627776 among 8 images"):
        open_data(f"npz:{tmp_path / 'odd.npz'}")


def test_what_is_no_file_is_no_image(tmp_path: Path) -> None:
    image_folder(tmp_path)
    before = len(open_data(f"folder:{tmp_path}").train.labels)
    place = next((tmp_path / "train").iterdir())
    (place / "folder.png").mkdir()
    assert len(open_data(f"folder:{tmp_path}").train.labels) == before
