"""What options say of the inputs of model files, by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ....errors import UserError
from ...networks.model_file import FileSubject
from ...networks.reading import NetworkLike

T = TypeVar("T")


def with_inputs(
    given: Sequence[NetworkLike],
    option: str,
    pairs: Sequence[tuple[str, T]],
    change: Callable[[FileSubject, Mapping[str, T]], FileSubject],
) -> list[NetworkLike]:
    """The networks, the files among them with what an option says of their inputs by name."""
    asked = dict(pairs)
    if len(asked) < len(pairs):
        raise UserError(f"{option} names an input twice; give each once")
    names = {one.name for item in given if isinstance(item, FileSubject) for one in item.inputs}
    for name in asked:
        if name not in names:
            known = f"they have {', '.join(sorted(names))}" if names else "none is given"
            raise UserError(f"no file has an input '{name}' for {option}; {known}")
    return [change(item, asked) if isinstance(item, FileSubject) else item for item in given]
