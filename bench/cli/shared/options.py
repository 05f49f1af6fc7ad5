"""Options that several commands share, and the values they turn into."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from ....devices.base import Connection, Device, Setting, SettingRequest
from ....devices.card import THIS_COMPUTER
from ....devices.registry import device
from ....errors import UserError
from ....quantities import parse_count, parse_duration_ms, parse_share
from ....zen.proxies import PROXIES
from ....zen.proxies.base import READINGS
from ...latency_files.columns import parse_columns
from ...networks.model_file import FileSubject
from ...networks.reading import NetworkLike, read_all
from ...searching.finalists import parse_rescore
from ...searching.latency_limits import parse_limit
from .file_inputs import with_inputs

F = TypeVar("F", bound=Callable[..., Any])


class _Parsed(click.ParamType[Any]):
    """An option value read by one of our parsers."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UserError as error:
            self.fail(str(error), param, ctx)


def _table_path(text: str) -> Path:
    # Card and journal are named after the table by its suffix: another one would name the table itself.
    if Path(text).suffix != ".csv" or Path(text).is_dir():
        raise UserError(f"'{text}' does not name a table; it must be a file ending in .csv")
    return Path(text)


NONE = "none"
"""What lifts a limit that holds by default."""


class OrNone(click.ParamType[Any]):
    """A value of another type, or `none`."""

    def __init__(self, parameter: click.ParamType[Any]) -> None:
        self._type = parameter
        self.name = f"{parameter.name.removesuffix(' range')}|{NONE}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == NONE:
            return NONE
        try:
            return self._type.convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message.rstrip('.')}; {NONE} lifts the limit", param, ctx)


DURATION = _Parsed("duration", parse_duration_ms)
DURATION_OR_NONE = _Parsed("duration", partial(parse_duration_ms, zero=True))
COUNT = _Parsed("count", parse_count)
SHARE = _Parsed("share", parse_share)
LATENCY_LIMIT = _Parsed("limit", parse_limit)
RESCORE = _Parsed("N|none", parse_rescore)
COLUMNS = _Parsed("columns", parse_columns)
TABLE = _Parsed("table", _table_path)
FILE = click.Path(dir_okay=False, path_type=Path)
PRECISION = click.Choice(("fp32", "fp16", "int8"))
BATCH = click.IntRange(1, 65_536)
FOLDER = click.Path(file_okay=False, path_type=Path)


def _stack(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_EXTENT = re.compile(r"[1-9]\d{0,8}", re.ASCII)


class _Shape(click.ParamType[tuple[str, tuple[int, ...]]]):
    """An input's name and whole shape: `ids=1x128`."""

    name = "name=shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        name, _, text = str(value).rpartition("=")
        extents = text.split("x")
        if not name or not all(_EXTENT.fullmatch(extent) for extent in extents):
            self.fail(f"'{value}' is no shape; write one as NAME=1x3x224x224")
        return name, tuple(map(int, extents))


network_options = _stack(
    click.argument("networks", nargs=-1, metavar="NETWORK..."),
    click.option("--networks", "networks_file", type=FILE, help="A file with one network a line."),
    click.option("--resolution", type=click.IntRange(1, 4096), help="Input height and width."),
    click.option("--classes", type=click.IntRange(1), help="Outputs of the classifier."),
    click.option(
        "--shape",
        "shapes",
        type=_Shape(),
        multiple=True,
        help="The shape of an input that an ONNX file leaves free, as in ids=1x128; once for each input.",
    ),
)

_setting = (
    click.option("--runtime", help="Runtime on the device; default from its card."),
    click.option("--precision", help="fp32, fp16 or int8; default from the card."),
    click.option("--batch", type=int, help="Images a run; default from the card."),
    click.option("--threads", type=int, help="Threads; default from the card."),
)
_per_image = click.option(
    "--per-image", is_flag=True, help="Read latency limits and show latencies per image, not per run."
)
_table = click.option("--table", type=TABLE, help="Latency table (its .csv) instead of the device's own.")

_reaching = (
    click.option(
        "--serial",
        help="Which phone (its USB serial or HOST:PORT; default ANDROID_SERIAL) or GPU (its number).",
    ),
    click.option("--runner", type=FILE, help="A phone's benchmark_model; default what setup keeps."),
    click.option("--cpu-mask", help="A phone's cores in hexadecimal, as f0; default from the card."),
)

reaching_options = _stack(*_reaching[:2])
measuring_options = _stack(
    click.option("--device", default=THIS_COMPUTER, show_default=True, help="See zenbench devices."),
    *_setting,
    *_reaching,
)
setting_options = _stack(
    click.option("--device", help=f"See zenbench devices; default {THIS_COMPUTER}, or what a --table is of."),
    *_setting,
    _table,
)
predicting_options = _stack(setting_options, _per_image)
per_image_option = _per_image
table_option = _table

format_option = click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to print the answer.",
)
MOST_SEED = 2**63 - 1  # torch takes no more
seed_option = click.option("--seed", type=click.IntRange(0, MOST_SEED), default=0, show_default=True)

scoring_options = _stack(
    click.option("--reading", type=click.Choice(READINGS), default="paper", show_default=True),
    click.option(
        "--batch",
        type=click.IntRange(2),
        help=f"Images a forward pass; default {PROXIES['naswot'].batch} for naswot, else "
        f"{PROXIES['zen'].batch}.",
    ),
    click.option("--repeats", type=click.IntRange(1), default=1, show_default=True),
    seed_option,
)


def setting_request(options: dict[str, Any]) -> SettingRequest:
    """The setting's options as a request."""
    return SettingRequest(
        options["runtime"],
        options["precision"],
        options["batch"],
        options["threads"],
        options.get("cpu_mask"),
    )


def chosen_device(name: str, options: dict[str, Any]) -> tuple[Device, Setting]:
    """The device that a command's options name and reach, and its setting."""
    driver = device(name, options["runtime"], Connection(options["serial"], options["runner"]))
    return driver, driver.setting(setting_request(options))


def chosen_networks(options: dict[str, Any]) -> list[NetworkLike]:
    """The networks that a command's options name, files with the shapes of their inputs."""
    sizes = options["resolution"], options["classes"]
    given = read_all(options["networks"], options["networks_file"], *sizes)
    return with_inputs(given, "--shape", options["shapes"], FileSubject.shaped)
