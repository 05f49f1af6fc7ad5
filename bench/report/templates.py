"""The templates of a report: texts from files are escaped in all of them."""

from __future__ import annotations

from typing import Any


def render(name: str, **values: Any) -> str:
    """The template of this name, filled in; a value that it needs and does not get is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**values)
