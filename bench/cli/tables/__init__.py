"""`zenbench tables` and its commands."""

from .listing import command

__all__ = ["command"]
