"""Sub-networks of Once-for-All's MobileNetV3, as its `sample_active_subnet` returns them.

Source: mit-han-lab/once-for-all at f03b267, `OFAMobileNetV3`; the keys of the width and the resolution are
those of its searches and of searches built on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import NetworkError
from ...zen.families.ofanets import STAGES, sub_network
from ...zen.network import Network

NetworkRecord = Mapping[str, Any]

_RESOLUTION = 224
_UNITS_A_STAGE = 4
_CHOICES = {"ks": (3, 5, 7), "e": (3, 4, 6), "d": (2, 3, 4)}
_WIDTHS = (1.0, 1.2)


def is_sub_network(data: Any) -> bool:
    return isinstance(data, dict) and data.keys() >= _CHOICES.keys()


def sub_network_of(data: NetworkRecord) -> Network:
    """The sub-network that `sample_active_subnet` names: kernels `ks`, expansions `e`, depths `d`.

    `ks` and `e` hold one value for all units, or 20, four a stage, or as many as there are units. The width
    of the supernet is `wid`, `width` or `w`; the resolution `r`, `resolution` or `image_size`, else 224.
    Raises NetworkError where the supernets have no such sub-network, or no width says which one is meant.
    """
    depths = _chosen("d", _list(data["d"], STAGES))
    if len(depths) != STAGES:
        raise _sub_network_error(f"has {len(depths)} depths 'd'; give {STAGES}, one a stage")
    units = zip(_of_units(data, "ks", depths), _of_units(data, "e", depths), strict=True)
    width = _first(data, ("wid", "width", "w"))
    if width is None:
        raise _sub_network_error('does not say the width of its supernet; add "wid": 1.0 or "wid": 1.2')
    if type(width) not in (int, float) or width not in _WIDTHS:
        raise _sub_network_error(f"has the width {width!r}; the supernets have {_listed(_WIDTHS)}")
    resolution = _first(data, ("r", "resolution", "image_size")) or _RESOLUTION
    if isinstance(resolution, list | tuple) and len(resolution) == 1:
        (resolution,) = resolution  # as the search of the tutorial has it
    if type(resolution) is not int:
        raise _sub_network_error(f"has the resolution {resolution!r}; give one whole number")
    stages = [[next(units) for _ in range(depth)] for depth in depths]
    return Network(sub_network(stages, width), resolution)


def _of_units(data: NetworkRecord, name: str, depths: Sequence[int]) -> list[int]:
    """The values of the units that there are."""
    values = _list(data[name], STAGES * _UNITS_A_STAGE)
    if len(values) == STAGES * _UNITS_A_STAGE:
        starts = range(0, len(values), _UNITS_A_STAGE)
        values = [
            value for start, depth in zip(starts, depths, strict=True) for value in values[start:][:depth]
        ]
    if len(values) != sum(depths):
        raise _sub_network_error(
            f"has {len(values)} values '{name}'; give {STAGES * _UNITS_A_STAGE}, {_UNITS_A_STAGE} a stage, "
            f"or {sum(depths)}, one a unit"
        )
    return _chosen(name, values)


def _list(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] * count


def _chosen(name: str, values: list[Any]) -> list[int]:
    for value in values:
        if type(value) is not int or value not in _CHOICES[name]:
            raise _sub_network_error(
                f"has {value!r} in '{name}'; the supernets have {_listed(_CHOICES[name])}"
            )
    return values


def _first(data: NetworkRecord, names: Sequence[str]) -> Any:
    return next((data[name] for name in names if data.get(name) is not None), None)


def _listed(values: Sequence[Any]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}"


def _sub_network_error(reason: str) -> NetworkError:
    return NetworkError(f"the sub-network of Once-for-All's MobileNetV3 {reason}")
