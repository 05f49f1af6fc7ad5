"""Events: what a long job does, as JSON lines that another program may follow."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ...atomic import make_folder
from ...errors import UserError


class EventLog:
    """Appends events to a file; without one, nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            make_folder(path.parent)

    def write(self, event: str, **values: Any) -> None:
        """One line: `event`, `time` (UTC) and the values."""
        if self._path is None:
            return
        line = {"event": event, "time": datetime.now(timezone.utc).isoformat(), **values}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
        except OSError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror}") from None
