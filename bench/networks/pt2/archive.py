"""The archive of an exported program: a zip file with its graph as JSON and its tensors as raw bytes.

Source: `torch/export/pt2_archive` of torch 2.13, "PT2 Archive Spec" in its documentation. Archives of older
torch hold their tensors pickled, and some their graph under another name. Pickles are never opened.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....errors import NetworkError, UserError, first_line

_JSON_BYTES = 64 << 20
"""At most, of a graph or a configuration: a node takes some 4 KB."""

_OLD_GRAPH = "serialized_exported_program.json"
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_STRIDED = 7
_ALIGNED = 16  # bytes, enough for any dtype; torch writes them at multiples of 64
_DAMAGE = (OSError, EOFError, ValueError, RuntimeError, BadZipFile, zlib.error)
"""What zipfile and json raise, NotImplementedError and RecursionError among them."""

DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""By the number that a program gives them."""


class ProgramArchive:
    """An archive on disk, whose tensors are views of the file: read where somebody looks at their values.

    Raises UserError where the file cannot be read, NetworkError where it is damaged or no such archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with ZipFile(path) as archive:
                # All lie in one folder, named after the file.
                self._entries = {x.filename.partition("/")[2] or x.filename: x for x in archive.infolist()}
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None
        except _DAMAGE as error:
            raise NetworkError(
                f"{path} is no exported program, or a damaged one ({first_line(error)}); save it again with "
                "torch.export.save"
            ) from None

    def program(self) -> Any:
        """The graph with its signature, as parsed JSON."""
        name = self._graph
        return self._json(name) if name else self._json(_OLD_GRAPH)

    @cached_property
    def _graph(self) -> str | None:
        """The entry of the graph; None in an archive of before torch 2.8."""
        found = [name for name in self._entries if name.startswith("models/") and name.endswith(".json")]
        if len(found) > 1:
            raise NetworkError(f"{self.path} holds {len(found)} programs; save each in a file of its own")
        if not found and _OLD_GRAPH not in self._entries:
            raise NetworkError(
                f"{self.path} holds no exported program, or is cut off; write it with torch.export.save, "
                "neither with torch.save nor with AOTInductor"
            )
        return found[0] if found else None

    def tensor(self, name: str, kind: str) -> Tensor:
        """A tensor of a kind, `weights` or `constants`, under the name that the program has for it."""
        where = f"'{name}' in {self.path}"
        stored = self._stored[kind].get(name)
        if stored is None or stored["use_pickle"]:
            raise NetworkError(
                f"{where} is missing or pickled, and pickles are never opened; save it as a plain tensor, "
                "with torch 2.9 or later"
            )
        try:
            return self._tensor(stored["tensor_meta"], self._entries[f"data/{kind}/{stored['path_name']}"])
        except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise NetworkError(
                f"{where} is damaged ({type(error).__name__}: {first_line(error)}); save it again"
            ) from None

    def _tensor(self, meta: Any, entry: ZipInfo) -> Tensor:
        sizes, strides, (offset,) = (
            [extent["as_int"] for extent in extents]
            for extents in (meta["sizes"], meta["strides"], [meta["storage_offset"]])
        )
        values = torch.from_numpy(self._bytes(entry)).view(DTYPES[meta["dtype"]])
        # torch checks that all of it lies inside, and refuses strides below nought.
        found = torch.as_strided(values, sizes, strides, offset)
        if meta["layout"] != _STRIDED or found.numel() > len(values):
            raise ValueError(f"{found.numel():,} values of {len(values):,}, or not dense")
        return found

    @cached_property
    def _stored(self) -> Mapping[str, Any]:
        """What the archive says of its tensors, by their kind; nothing where it is too old to."""
        model = Path(self._graph or "").stem
        names = {kind: f"data/{kind}/{model}_{kind}_config.json" for kind in ("weights", "constants")}
        return {
            kind: self._json(name)["config"] if name in self._entries else {} for kind, name in names.items()
        }

    def _bytes(self, entry: ZipInfo) -> NDArray[np.uint8]:
        if entry.compress_type != ZIP_STORED or entry.flag_bits & 1:
            raise ValueError("it is compressed or encrypted")
        start = entry.header_offset + _LOCAL_HEADER.size
        header = self._file[entry.header_offset : start].tobytes()
        if len(header) < _LOCAL_HEADER.size:
            raise ValueError("the file ends before it")
        signature, *lengths = _LOCAL_HEADER.unpack(header)
        start += sum(lengths)
        found = self._file[start : start + entry.file_size]
        if signature != b"PK\x03\x04" or len(found) < entry.file_size:
            raise ValueError("the file ends before it")
        return found if start % _ALIGNED == 0 else found.copy()

    @cached_property
    def _file(self) -> NDArray[np.uint8]:
        # Copied where somebody writes into it, so that the file stays as it is.
        return np.memmap(self.path, np.uint8, "c")

    def _json(self, name: str) -> Any:
        entry = self._entries[name]
        if entry.file_size > _JSON_BYTES:
            raise NetworkError(
                f"'{name}' in {self.path} claims to be of {entry.file_size:,} bytes; no more than "
                f"{_JSON_BYTES:,} are read"
            )
        try:
            with ZipFile(self.path) as archive, archive.open(entry) as file:
                return json.loads(file.read())  # no more than it claims to be
        except _DAMAGE as error:
            raise NetworkError(
                f"'{name}' in {self.path} is damaged ({first_line(error)}); save it again"
            ) from None
