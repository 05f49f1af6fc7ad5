"""Reading networks: structure strings, cells, `zoo:` names, names of modules, search results, other files."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...errors import NetworkError, UserError
from ...zen.families import PREFIX, zoo, zoo_names
from ...zen.families.aliases import known_as
from ...zen.families.nas_bench_201 import CELL_PREFIX, cell_network
from ...zen.graph_network import AnyNetwork, GraphNetwork
from ...zen.network import Network, from_json, parse_text
from ..csv_file import read_csv
from .model_file import FileSubject
from .named.names import names_module
from .net_config import is_net_config, net_config_network
from .once_for_all import is_sub_network, sub_network_of
from .tinynas import is_structure, structure_network

NetworkLike = AnyNetwork | FileSubject

ALL = f"{PREFIX}all"
"""Stands for every known network."""


def read_all(
    arguments: Iterable[str], file: Path | None, resolution: int | None, classes: int | None
) -> list[NetworkLike]:
    """Every network named on the command line or, one a line or a row, in a file; at least one."""
    return list(read_each(arguments, file, resolution, classes))


def read_each(
    arguments: Iterable[str], file: Path | None, resolution: int | None, classes: int | None
) -> Iterator[NetworkLike]:
    """As `read_all`, one by one: modules of many weights need not be held together."""
    texts: list[tuple[str, int | None, int | None]] = [(text, None, None) for text in arguments]
    named = len(texts)
    if file:
        texts += _rows(file) if file.suffix == ".csv" else [(line, None, None) for line in _lines(file)]
    if not texts:
        raise UserError(
            "name at least one network: a structure, a file, a zoo: name (zenbench cost zoo:all) or a module"
        )
    for place, (text, own_resolution, own_classes) in enumerate(texts):
        for name in _expanded(text):
            try:
                yield read(name, resolution or own_resolution, classes or own_classes)
            except UserError as error:
                if place < named:
                    raise
                raise type(error)(f"{error} (in {file})") from None


def read(text: str, resolution: int | None = None, classes: int | None = None) -> NetworkLike:
    """One network, its resolution and classes replaced where given; of an ONNX or TFLite
    file only what it leaves free."""
    text = text.strip()
    alias = known_as(text)
    if alias is not None and not Path(text).is_file():
        text = PREFIX + alias
    if names_module(text):
        from .named.modules import module_network

        return module_network(text, resolution, classes)
    path = None if text.startswith((PREFIX, CELL_PREFIX)) else _path(text)
    found = spelled(text) if path is None else _read_file(path, resolution)
    if isinstance(found, FileSubject):
        return found.sized(resolution) if resolution else found
    if isinstance(found, GraphNetwork):
        return found
    sizes = (resolution or found.resolution, classes or found.classes)
    if sizes == (found.resolution, found.classes):
        return found
    return replace(found, resolution=sizes[0], classes=sizes[1])


def as_networks(given: Iterable[NetworkLike]) -> list[AnyNetwork]:
    """The networks, files among them as what they compute; raises NetworkError where one cannot be read."""
    return [item.as_network() if isinstance(item, FileSubject) else item for item in given]


def networks_only(given: Iterable[NetworkLike], purpose: str) -> list[Network]:
    """The networks, where only what a structure spells will do."""
    networks = []
    for item in given:
        network = item.network if isinstance(item, FileSubject) else item
        if not isinstance(network, Network):
            raise UserError(
                f"{item} cannot be {purpose}: only what a structure string spells can; give one instead"
            )
        networks.append(network)
    return networks


def _expanded(text: str) -> Sequence[str]:
    return [PREFIX + name for name in zoo_names()] if text.strip() == ALL else [text]


def spelled(text: str) -> Network:
    """The network that a text spells or names, without a look at files."""
    if text.startswith(PREFIX):
        return zoo(text)
    return cell_network(text) if text.startswith(CELL_PREFIX) else parse_text(text)


def _path(text: str) -> Path | None:
    """The file a text names; None where it reads like a structure."""
    path = Path(text)
    try:
        if path.is_file():
            return path
    except OSError:  # a structure string can be longer than a file name may be
        return None
    if "(" not in text and (path.suffix or "/" in text):
        raise UserError(f"there is no file {text}")
    return None


def _read_file(path: Path, resolution: int | None) -> NetworkLike:
    if path.suffix in (".onnx", ".tflite"):
        return FileSubject.read(path)
    if path.suffix == ".pt2":
        from .pt2.program import read_exported_program

        return GraphNetwork(str(path), read_exported_program(path, resolution))
    if path.suffix == ".py":
        raise UserError(f"{path} is code; name the function or class that makes the network, as {path}:NAME")
    try:
        text = path.read_text("utf-8-sig").strip()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(
            f"{path} is neither text, ONNX, TFLite nor a .pt2; of a torch module, give FILE.py:NAME or what "
            "torch.export.save writes"
        ) from None
    try:
        return _from_record(_parsed(text), path) if text.startswith(("{", "[")) else spelled(text)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None


def _parsed(text: str) -> Any:
    """A JSON text, or the same as Python writes it, which searches in Python leave behind."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise NetworkError(f"not valid JSON ({error})") from None


def _from_record(data: Any, path: Path) -> Network:
    """The network of a parsed file, whichever search wrote it."""
    if is_structure(data):
        return structure_network(data)
    if is_sub_network(data):
        return sub_network_of(data)
    if is_net_config(data):
        return net_config_network(data, path)
    if not (
        isinstance(data, dict) and {"score", "recipe"} & data.keys() and isinstance(data.get("network"), str)
    ):
        return from_json(data)
    # The result of a search, or the card of a training.
    sizes: dict[str, Any] = {key: data.get(key) for key in ("resolution", "classes")}
    if not all(type(size) is int for size in sizes.values()):
        raise NetworkError("a result's resolution and classes must be whole numbers")
    return replace(spelled(data["network"]), **sizes)


def _lines(file: Path) -> Iterator[str]:
    text = _text(file)
    return (line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#"))


def _rows(file: Path) -> list[tuple[str, int | None, int | None]]:
    """The column `network` of a CSV file, with those of the resolution and the classes where it has them."""
    table = read_csv(file)
    if "network" not in table.columns or not table.records:
        raise UserError(f"{file} holds no networks; it needs a column 'network' and a row for each")
    found = []
    for record in table.records:
        text = table.text(record, "network")
        if not text:
            raise UserError(f"{table.place(record)} names no network")
        found.append((text, table.whole(record, "resolution"), table.whole(record, "classes")))
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None


@lru_cache(maxsize=16_384)
def read_network(text: str, resolution: int | None, classes: int | None) -> Network | None:
    """The network that a text spells or names; None where it does neither, and where it names a module: one's
    own code runs only where it is asked for."""
    if names_module(text):
        return None
    try:
        (network,) = networks_only([read(text, resolution, classes)], "compared")
    except UserError:
        return None
    return network
