"""The templates of figures and pages: texts from files are escaped in all of them."""

from __future__ import annotations

from typing import Any


def render(name: str, package: str = __package__, **values: Any) -> str:
    """The template of this name in a package, filled in; a value that it needs and does not get is an error.

    Templates of figures can be imported by those of any package.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(one, ".") for one in dict.fromkeys((package, __package__))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**values)
