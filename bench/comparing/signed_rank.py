"""Signed ranks (Wilcoxon, 1945): whether values lie on one side of zero, and where their middle is.

Test, middle and interval are one another's (Hodges and Lehmann, 1963), so that none contradicts another. A
median does: of 100 networks of which 51 are 1 % faster and 49 half as slow again, the test finds the
slow-down and the median says `faster`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .intervals import NORMAL, TAIL, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 6
"""Of fewer values even all on one side happen by chance more often than 5 %."""
_EXACT = 50
"""From more values on the sum of ranks is as good as normal."""
_HALVINGS = 60
"""They leave less of a range of values than its last binary digit."""


def chance_of_side(values: Sequence[float]) -> float:
    """How often values without a side lie as much on one as these; zeros have none."""
    from scipy.stats import wilcoxon

    sided = [value for value in values if value]
    return float(wilcoxon(sided).pvalue) if sided else 1.0


def middle(values: Sequence[float]) -> float:
    """The median of the means of any two values, and of each with itself."""
    ordered, pairs = _sorted(values), _pairs(len(values))
    return (_mean_of_two(ordered, (pairs + 1) // 2) + _mean_of_two(ordered, pairs // 2 + 1)) / 2


def middle_interval(values: Sequence[float]) -> Interval:
    """Of the middle: the places of zero that the test would not reject; from six values on."""
    ordered, rank = _sorted(values), _rejected(len(values))
    return Interval(_mean_of_two(ordered, rank), _mean_of_two(ordered, _pairs(len(values)) + 1 - rank))


def _sorted(values: Sequence[float]) -> NDArray[Any]:
    import numpy as np

    return np.sort(np.asarray(values, float))


def _pairs(count: int) -> int:
    return count * (count + 1) // 2


def _mean_of_two(ordered: NDArray[Any], rank: int) -> float:
    """The mean of this rank among those of any two values: found by halving, as 5,000 have 12 million."""
    import numpy as np

    low, high = float(ordered[0]), float(ordered[-1])
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        partners = np.searchsorted(ordered, 2 * half - ordered, side="right").sum()
        alone = np.searchsorted(ordered, half, side="right")
        if (partners + alone) // 2 >= rank:
            high = half
        else:
            low = half
    return high


def _rejected(count: int) -> int:
    """How many sums of ranks, from 0 on, are too small to be chance on one side."""
    import numpy as np

    if count > _EXACT:
        deviation = math.sqrt(_pairs(count) * (2 * count + 1) / 12)
        return int(_pairs(count) / 2 + 0.5 - NORMAL * deviation)
    chances = np.ones(1)
    for rank in range(1, count + 1):
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    return int(np.searchsorted(np.cumsum(chances), TAIL, side="right"))
