"""Where a user's own data lies: tables, cards of further devices, runners."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path


def home() -> Path:
    """ZENBENCH_HOME, else the platform's data directory."""
    override = os.environ.get("ZENBENCH_HOME")
    return Path(override) if override else user_data_path("zenbench", appauthor=False)
