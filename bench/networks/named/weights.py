"""Weights by a module's own names, from a file."""

from __future__ import annotations

from pathlib import Path

from ....errors import UserError
from ....zen.graph_network import AnyNetwork, GraphNetwork
from ...export.weights_file import read_weights

_MOST_NAMES = 3


def takes_weights(network: AnyNetwork, path: Path) -> bool:
    """Whether the network is a module, which then holds the weights of the file, as what was read of it does.

    Raises UserError where they belong to another module.
    """
    if not isinstance(network, GraphNetwork):
        return False
    from .modules import ModuleNetwork

    if not isinstance(network, ModuleNetwork):
        return False
    state, expected = read_weights(path)[0], network.module.state_dict()
    wrong = [name for name in expected if name not in state or state[name].shape != expected[name].shape]
    wrong += [name for name in state if name not in expected]
    if wrong:
        named = ", ".join(f"'{name}'" for name in wrong[:_MOST_NAMES])
        more = f" and {len(wrong) - _MOST_NAMES} more" if len(wrong) > _MOST_NAMES else ""
        raise UserError(
            f"{path} does not fit {network}: {named}{more}, missing, unknown or of another shape; "
            "save the module's own state_dict()"
        )
    network.module.load_state_dict(state)
    return True
