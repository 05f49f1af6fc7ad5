"""How every picture of a search ends: its score's axis, its grid, its file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def save_score_picture(path: Path, figure: Figure, axes: Axes) -> list[str]:
    """Writes the picture whole or not at all; its name, as the one file written."""
    axes.set_ylabel("Zen-Score")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120)
    write_bytes(path, picture.getvalue())
    return [path.name]
