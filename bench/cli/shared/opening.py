"""Opening a latency model for a command, with what its user has to be told."""

from __future__ import annotations

from pathlib import Path

import click

from ....devices.base import SettingRequest
from ....latency_tables.predictor import Predictor
from ...tables.prediction import open_model
from .output import say


def opened_model(device: str | None, request: SettingRequest, path: Path | None) -> Predictor:
    """The model of `open_model`; says once a command what its answers rest on, where nothing was measured."""
    model = open_model(device, request, path)
    said: set[str] = click.get_current_context().meta.setdefault(__name__, set())
    if model.notice is not None and model.notice not in said:
        said.add(model.notice)
        say(model.notice)
    return model
