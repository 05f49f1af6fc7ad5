"""FILE.py:factory, a module that one's own code makes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from inspect import Parameter, signature
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from torch import nn

from ....errors import UserError, first_line
from ....zen.importing.own_module import printing_to_stderr

_CLASSES = "num_classes"

_log = logging.getLogger("zenbench")


def made_by_factory(text: str, classes: int | None = None) -> nn.Module:
    """The module that `FILE.py:factory` gives, a function or class of that file that takes no arguments.

    One that takes `num_classes` is told them, where there are any. What the code prints goes to stderr.
    Raises UserError, with file and line, where the code fails or gives no module.
    """
    file, _, name = text.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    _announce(path.resolve())
    with _importing_beside(path), _failures_of(path), printing_to_stderr():
        factory = getattr(_run(path), name, None)
        options = _options(factory, f"'{name}' in {path}", classes)
        module = factory(**options) if factory is not None else None
    if not isinstance(module, nn.Module):
        raise UserError(
            f"'{name}' in {path} returns the type {type(module).__name__}; let it return an nn.Module"
        )
    return module


@cache
def _announce(path: Path) -> None:
    """Once a file."""
    _log.warning("running %s: it is your own code, which zenbench does not check", path.name)


def _run(path: Path) -> ModuleType:
    """The file as a module of a name that hides no other."""
    module = ModuleType(f"own_code_{path.stem}")
    module.__file__ = str(path)
    try:
        code = compile(path.read_bytes(), str(path), "exec")
    except ValueError as error:  # what Python before 3.11.4 says of a null byte
        raise SyntaxError(str(error), (str(path), 1, None, None)) from None
    sys.modules[module.__name__] = module
    exec(code, vars(module))  # noqa: S102 - what the user asks for
    return module


def _options(factory: Any, where: str, classes: int | None) -> dict[str, int]:
    """What the factory is called with."""
    if factory is None:
        raise UserError(f"there is no {where}; name a function or class of that file")
    if not callable(factory) or isinstance(factory, nn.Module):
        raise UserError(
            f"{where} is of the type {type(factory).__name__}; name a function that returns a module"
        )
    parameters = signature(factory).parameters
    needed = [
        one.name
        for one in parameters.values()
        if one.default is Parameter.empty
        and one.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        and (one.name != _CLASSES or classes is None)
    ]
    if needed:
        raise UserError(f"{where} takes {', '.join(needed)}; give every argument a default")
    if classes is None:
        return {}
    if _CLASSES not in parameters:
        raise UserError(f"{where} takes no {_CLASSES}; leave --classes out")
    return {_CLASSES: classes}


@contextmanager
def _importing_beside(path: Path) -> Iterator[None]:
    """With imports of what lies beside a file, as Python has them for a script; forgotten afterwards, since
    another folder may hold files of the same names."""
    folder, before = str(path.resolve().parent), dict(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        for name, module in list(sys.modules.items()):
            if before.get(name) is not module and str(getattr(module, "__file__", "")).startswith(folder):
                del sys.modules[name]


@contextmanager
def _failures_of(path: Path) -> Iterator[None]:
    """Whatever own code raises as one sentence, an exit too."""
    try:
        yield
    except (KeyboardInterrupt, UserError):
        raise
    except SyntaxError as error:
        place = f"{error.filename or path}" + (f", line {error.lineno}," if error.lineno else "")
        raise UserError(f"{place} is no Python ({error.msg}); mend it there") from None
    except BaseException as error:  # noqa: BLE001 - own code raises what it likes
        lines = [
            line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)
        ]
        place = f"{path}, line {lines[-1]}," if lines else str(path)
        if isinstance(error, SystemExit):
            raise UserError(f"{place} ends the program ({error.code}); let it return an nn.Module") from None
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{place} fails ({reason}); mend it there") from None
