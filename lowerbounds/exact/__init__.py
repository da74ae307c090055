"""Exact optimum of small instances: backward label setting under prices from an LP with cuts.

The search is loaded on first use, so that the replay of its proofs can be imported without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowerbounds.exact.driver import SearchResult, search

__all__ = ["SearchResult", "search"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'lowerbounds.exact' has no attribute {name!r}")
    return getattr(importlib.import_module("lowerbounds.exact.driver"), name)
