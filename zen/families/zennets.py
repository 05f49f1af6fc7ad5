"""The 12 published ZenNets, as data (`zennets.json`).

Structures, resolution and squeeze-and-excite: idstcv/ZenNAS at d1d617e (Apache-2.0);
parameter counts from the built networks; accuracies: Zen-NAS (arXiv 2102.01063).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ..network import Network, parse_blocks

SOURCE = "idstcv/ZenNAS at d1d617e"


@cache
def records() -> dict[str, dict[str, Any]]:
    """Zoo name -> the published record."""
    data = json.loads(files(__package__).joinpath("zennets.json").read_text("utf-8"))
    return {_zoo_name(key, record): record for key, record in data.items()}


def names() -> tuple[str, ...]:
    return tuple(records())


def build(name: str) -> Network:
    record = records()[name]
    return Network(
        parse_blocks(record["structure"]),
        record["resolution"],
        record["classes"],
        record["squeeze_excite"],
        name=f"zoo:{name}",
    )


def _zoo_name(key: str, record: dict[str, Any]) -> str:
    if record["paper_name"]:
        return str(record["paper_name"]).lower()
    size = key.split("size")[1].split("_", maxsplit=1)[0].replace("05M", "0.5M").lower()
    return f"zennet-cifar-{size}"
