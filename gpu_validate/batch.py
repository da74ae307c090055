"""One iteration, as the attention of every layer needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Batch:
    """The tokens computed in one forward pass: one per decode first, then the prompts, one after the other.

    Attributes
    ----------
    slots : int64[tokens]
        Where each token's key and value go.
    decodes : int
        How many of the tokens are decodes.
    rows : int64[decodes]
        Row of the table of slots of each decode.
    lengths : int64[decodes]
        Tokens that it attends to, its own included.
    table : int64[rows, longest]
        Slot of each position of each resident request.
    longest : int
        No decode attends to more tokens.
    prompts : list of (int, int)
        (length, how many of that length in a row), in order.
    """

    slots: Any
    decodes: int
    rows: Any
    lengths: Any
    table: Any
    longest: int
    prompts: list[tuple[int, int]] = field(default_factory=list)
