"""Spaces: families of networks that a search moves in, one TOML file each, and their start networks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from ..errors import NetworkError, UserError
from .blocks import Block, BlockKind
from .network import IMAGE_CHANNELS, parse_blocks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DEFAULTS: Mapping[str, Any] = {
    "kernels": (3, 5, 7),
    "expansions": (1,),
    "widths": (8, 2048),
    "last_widths": (8, 4096),
    "most_layers_a_block": 10,
    "random_macs_at_224": 5e9,
}
_SHIPPED = ("resnet", "mobilenet")
_KERNELS, _EXPANSIONS = (3, 5, 7), (1, 2, 4, 6)
_WIDEST = 65_536
_MOST_MACS = 1e18


@dataclass(frozen=True)
class Space:
    """A family of networks: a stem, residual blocks of these kinds, and a last convolution.

    `widths` and `last_widths` are the least and the most, in steps of 8. `starts`: blocks, each with the
    largest resolution that they are for, the smallest first. `random_macs_at_224` is the size of the
    largest network drawn at random at that resolution.
    """

    name: str
    kinds: tuple[BlockKind, ...]
    starts: tuple[tuple[int, tuple[Block, ...]], ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    widths: tuple[int, int]
    last_widths: tuple[int, int]
    most_layers_a_block: int
    random_macs_at_224: float

    def start(self, resolution: int) -> tuple[Block, ...]:
        """The blocks that a search begins with; raises UserError above the largest resolution."""
        for up_to, blocks in self.starts:
            if resolution <= up_to:
                return blocks
        raise UserError(
            f"the space '{self.name}' has no start network for resolution {resolution}; "
            f"its largest is for {self.starts[-1][0]}"
        )

    def smallest(self, resolution: int, least_width: int = 8) -> tuple[Block, ...]:
        """The start with every width and depth at its least: what fits no upper limit, fits none."""
        least = max(self.widths[0], least_width)
        blocks = []
        for block in self.start(resolution):
            if block.kind == "conv":
                blocks.append(replace(block, out_channels=least, layers=1))
            else:
                blocks.append(
                    replace(
                        block,
                        kernel=min(self.kernels),
                        out_channels=least,
                        layers=1,
                        bottleneck=least,
                        expansion=min(self.expansions),
                    )
                )
        blocks[-1] = replace(blocks[-1], out_channels=max(self.last_widths[0], least_width))
        return chain(blocks)

    def started_at(self, blocks: tuple[Block, ...], resolution: int) -> Space | None:
        """The space whose searches up to this resolution start from these blocks; None where they are none
        of its networks."""
        try:
            _check_inside(self, blocks)
        except _WrongError:
            return None
        return replace(self, starts=((resolution, blocks),))

    def to_json(self) -> dict[str, Any]:
        """What a TOML file would say of the space."""
        data = {name: getattr(self, name) for name in ("name", "kinds", *_DEFAULTS)}
        starts = [
            {"up_to_resolution": up_to, "blocks": "".join(map(str, blocks))} for up_to, blocks in self.starts
        ]
        return {**data, "start": starts}


def chain(blocks: list[Block]) -> tuple[Block, ...]:
    """The blocks with every input width set to the output width before it."""
    channels = IMAGE_CHANNELS
    for index, block in enumerate(blocks):
        if block.in_channels != channels:
            blocks[index] = replace(block, in_channels=channels)
        channels = block.out_channels
    return tuple(blocks)


@cache
def spaces() -> dict[str, Space]:
    """Every space that ships, by name."""
    folder = files(__package__).joinpath("spaces")
    texts = {name: folder.joinpath(f"{name}.toml").read_text("utf-8") for name in _SHIPPED}
    return {name: parse_space(text, name) for name, text in texts.items()}


def open_space(text: str) -> Space:
    """The space of that name, or the one in a TOML file of the user's own."""
    known = spaces().get(text)
    if known is not None:
        return known
    path = Path(text)
    if path.suffix != ".toml":
        raise UserError(
            f"no space is called '{text}'; known are {', '.join(spaces())}, and a file ending in .toml"
        )
    try:
        return parse_space(path.read_text("utf-8"), text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(f"cannot read the space {path}: {reason}") from error


def parse_space(text: str, file: str) -> Space:
    """The space that a TOML text describes; raises UserError with the file and what is wrong in it."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the space {file} is no TOML: {error}") from error
    return space_from(data, file)


def space_from(data: Any, place: str) -> Space:
    """The space that a parsed TOML or JSON object describes; raises UserError naming the place it is from."""
    try:
        return _space(data)
    except (NetworkError, _WrongError) as error:
        raise UserError(f"the space {place} does not hold: {error}") from error


class _WrongError(Exception):
    """One thing that a space's file gets wrong."""


def _space(data: Any) -> Space:
    if not isinstance(data, dict):
        raise _WrongError("it is no table of keys")
    known = {"name", "kinds", "start", *_DEFAULTS}
    if unknown := sorted(set(data) - known):
        raise _WrongError(f"it has an unknown key '{unknown[0]}'; known are {', '.join(sorted(known))}")
    if not isinstance(data.get("name"), str) or not data["name"]:
        raise _WrongError('it needs a name, as in name = "mine"')
    values = {**_DEFAULTS, **data}
    kinds = tuple(kind for kind in get_args(BlockKind) if kind != "conv")
    starts = values.get("start")
    if not isinstance(starts, list) or not starts:
        raise _WrongError("it needs at least one [[start]] with up_to_resolution and blocks")
    limit = values["random_macs_at_224"]
    if type(limit) not in (int, float) or not 0 < limit < _MOST_MACS:
        raise _WrongError(f"random_macs_at_224 must be a number above 0, below {_MOST_MACS:g}")
    space = Space(
        name=data["name"],
        kinds=_choices("kinds", data.get("kinds"), kinds),
        starts=tuple(sorted((_start(start) for start in starts), key=lambda start: start[0])),
        kernels=_choices("kernels", values["kernels"], _KERNELS),
        expansions=_choices("expansions", values["expansions"], _EXPANSIONS),
        widths=_range("widths", values["widths"]),
        last_widths=_range("last_widths", values["last_widths"]),
        most_layers_a_block=_whole("most_layers_a_block", values["most_layers_a_block"], 2, 128),
        random_macs_at_224=float(limit),
    )
    for _, blocks in space.starts:
        _check_inside(space, blocks)
    return space


def _start(data: Any) -> tuple[int, tuple[Block, ...]]:
    if not isinstance(data, dict) or set(data) != {"up_to_resolution", "blocks"}:
        raise _WrongError("every [[start]] needs up_to_resolution and blocks, and nothing else")
    if not isinstance(data["blocks"], str):
        raise _WrongError("the blocks of a [[start]] are one string, as zenbench cost prints them")
    up_to = _whole("up_to_resolution", data["up_to_resolution"], 1, 4096)
    blocks = []
    for block in parse_blocks(data["blocks"]):
        if not isinstance(block, Block):
            raise _WrongError(f"a start holds super blocks only, not {block}")
        blocks.append(block)
    return up_to, tuple(blocks)


def _check_inside(space: Space, blocks: tuple[Block, ...]) -> None:
    if len(blocks) < 3 or blocks[0].kind != "conv" or blocks[-1].kind != "conv":
        raise _WrongError("a start begins and ends with a SuperConv block and has other blocks between")
    if chain(list(blocks)) != blocks:
        raise _WrongError(f"the widths of the start {''.join(map(str, blocks))} do not follow on each other")
    for block in blocks[1:-1]:
        if block.kind not in space.kinds and block.kind != "conv":
            raise _WrongError(f"the start has {block}, which is none of its kinds ({', '.join(space.kinds)})")
        if block.kind != "conv" and block.kernel not in space.kernels:
            raise _WrongError(f"the start has {block}, whose kernel is none of its kernels")
        if block.kind == "inverted" and block.expansion not in space.expansions:
            raise _WrongError(f"the start has {block}, whose expansion is none of its expansions")
    for block, (least, most) in zip(
        blocks, [*[space.widths] * (len(blocks) - 1), space.last_widths], strict=True
    ):
        for width in (block.out_channels, block.bottleneck or block.out_channels):
            if not least <= width <= most or width % 8:
                raise _WrongError(
                    f"the start has {block}: its widths must be multiples of 8 from {least} to {most}"
                )
        if block.layers > space.most_layers_a_block:
            raise _WrongError(
                f"the start has {block}: a block has at most {space.most_layers_a_block} layers"
            )


def _choices(key: str, given: Any, allowed: tuple[Any, ...]) -> tuple[Any, ...]:
    # `in` alone would take 3.0 for 3, and True for 1.
    whole = isinstance(given, list | tuple) and all(type(item) is type(allowed[0]) for item in given)
    if not whole or not given or any(item not in allowed for item in given):
        raise _WrongError(f"{key} must be a list of {', '.join(map(str, allowed))}")
    return tuple(dict.fromkeys(given))


def _range(key: str, given: Any) -> tuple[int, int]:
    whole = isinstance(given, list | tuple) and len(given) == 2 and all(type(item) is int for item in given)
    if not whole or not 8 <= given[0] <= given[1] <= _WIDEST or given[0] % 8 or given[1] % 8:
        raise _WrongError(f"{key} must be two multiples of 8, the least and the most, up to {_WIDEST}")
    return given[0], given[1]


def _whole(key: str, given: Any, least: int, most: int) -> int:
    if type(given) is not int or not least <= given <= most:
        raise _WrongError(f"{key} must be a whole number from {least} to {most}")
    return given
