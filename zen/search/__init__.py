"""The search: who is kept, how children are made, which budgets hold."""

from .budget import Budget, LatencyLimit
from .run import rebudgeted, search
from .task import SearchTask

__all__ = ["Budget", "LatencyLimit", "SearchTask", "rebudgeted", "search"]
