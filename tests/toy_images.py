"""A data set that a small network learns in seconds: every class has a colour of its own, in noise."""

from pathlib import Path

import numpy as np
from zenbench.bench.data_sets.array_images import ArrayImages
from zenbench.bench.data_sets.data_set import DataSet
from zenbench.zen.network import Network, parse_text

SIZE, CLASSES = 16, 4
COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200], [180, 180, 40]])
STRUCTURE = "SuperConvK3BNRELU(3,8,2,1)SuperResK3K3(8,16,2,8,1)SuperConvK1BNRELU(16,32,1,1)"


def images(count: int, seed: int, size: int = SIZE) -> ArrayImages:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    noise = random.normal(0, 60, (count, size, size, 3))
    pixels = np.clip(COLOURS[labels][:, None, None, :] + noise, 0, 255).astype(np.uint8)
    return ArrayImages(pixels, labels.astype(np.int64))


def toy_data(train: int = 64, test: int = 32) -> DataSet:
    return DataSet("toy", CLASSES, images(train, 0), images(test, 1))


def toy_network(classes: int = CLASSES) -> Network:
    return parse_text(STRUCTURE, SIZE, classes)


def toy_file(path: Path, train: int = 64, test: int = 32) -> str:
    """The same as a file; its name for --data."""
    data = toy_data(train, test)
    arrays = {"x": data.train, "tx": data.test}
    np.savez(
        path,
        **{name: part.array for name, part in arrays.items() if isinstance(part, ArrayImages)},
        y=data.train.labels,
        ty=data.test.labels,
    )
    return f"npz:{path}"
